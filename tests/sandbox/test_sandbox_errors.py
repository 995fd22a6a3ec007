"""Keys, bodies and paths that the sandbox refuses."""

import time
import uuid
from typing import Any

import pytest
import requests

from PermutiveAPI.sandbox import cohorts

UNKNOWN_ID = "5ad6a51f-3d1e-4bbd-8dd1-2a0f2f0f7c11"

COHORTS = "/cohorts-api/v2/cohorts/"
PATHS = [
    ("GET", COHORTS, True),
    ("GET", "/audience-api/v1/imports", False),
    ("POST", "/v2.0/identify", False),
    ("POST", "/ccs/v1/segmentation", True),
]


WRONG_KEYS: list[tuple[dict[str, Any], int, str | None]] = [
    ({}, 2004, None),
    ({"params": {"k": ""}}, 2004, None),
    ({"params": {"k": "wrong"}}, 2000, "This key does not exist."),
    ({"headers": {"X-API-Key": "wrong"}}, 2000, "This key does not exist."),
]


@pytest.mark.parametrize("method, path, typed", PATHS)
def test_keys(sandbox, method, path, typed):
    """A missing or wrong key is 401 in the documented envelope, on every API."""
    for options, code, cause in WRONG_KEYS:
        answer = requests.request(method, sandbox.base_url + path, timeout=5, **options)
        assert answer.status_code == 401
        body = answer.json()
        uuid.UUID(body["request_id"])
        error = body["error"]
        assert (error["status"], error["code"]) == ("Unauthorized", code)
        assert error.get("cause") == cause
        assert error["message"] and error["docs"].startswith("https://")
        assert ("type" in error, "status_code" in error) == (typed, typed)
        assert not typed or error["status_code"] == 401


DOCS = "https://developer.permutive.com/reference#errors"
RFC = "https://tools.ietf.org/html/"
TYPED = {
    400: ("Bad Request", f"{RFC}rfc7231#section-6.5.1"),
    401: ("Unauthorized", f"{RFC}rfc7235#section-3.1"),
    403: ("Forbidden", f"{RFC}rfc7231#section-6.5.3"),
    404: ("Not Found", f"{RFC}rfc7231#section-6.5.4"),
    405: ("Method Not Allowed", f"{RFC}rfc7231#section-6.5.5"),
    409: ("Conflict", f"{RFC}rfc7231#section-6.5.8"),
    413: ("Payload Too Large", f"{RFC}rfc7231#section-6.5.11"),
    429: ("Too Many Requests", f"{RFC}rfc6585#section-4"),
    500: ("Internal Server Error", f"{RFC}rfc7231#section-6.6.1"),
    502: ("Bad Gateway", f"{RFC}rfc7231#section-6.6.3"),
    503: ("Service Unavailable", f"{RFC}rfc7231#section-6.6.4"),
    504: ("Gateway Timeout", f"{RFC}rfc7231#section-6.6.5"),
    599: ("Status 599", "about:blank"),
}


@pytest.mark.parametrize("path", [COHORTS, "/ccs/v1/segmentation"])
def test_errors_with_a_type(call, sandbox, path):
    """Cohorts and CCS write a status in words, link its RFC and repeat its number."""
    for status, words in TYPED.items():
        sandbox.fail_next(status=status)
        error = call("GET", path).json()["error"]
        assert (error["status"], error["type"]) == words
        assert (error["status_code"], error["docs"]) == (status, DOCS)
        assert set(error) == {"status", "type", "status_code", "code", "message", "docs"}


WORDS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Gone",
    500: "InternalServerError",
}


@pytest.mark.parametrize("path", ["/v2.0/identify", "/v2.0/events", "/v2.0/users/u/x"])
def test_errors_in_one_word(call, sandbox, path):
    """Events and Identity write a status without spaces, and no type."""
    for status, word in WORDS.items():
        sandbox.fail_next(status=status)
        error = call("POST", path).json()["error"]
        assert (error["status"], error["docs"]) == (word, "https://docs.permutive.com/api/errors")
        assert set(error) == {"status", "code", "message", "docs"}


@pytest.mark.parametrize("path", ["/audience-api/v1/imports", "/ctx/v1/segment"])
def test_errors_of_the_other_apis(call, sandbox, path):
    """Taxonomy and Contextual write errors as the page about errors shows them."""
    sandbox.fail_next(status=404)
    error = call("GET", path).json()["error"]
    assert error == {
        "status": "Not Found",
        "code": 3000,
        "message": "The requested resource does not exist.",
        "docs": "https://developer.permutive.com/docs/errors/404/3000",
    }


KEYS = ["api_key", "child_api_key", "read_only_api_key"]


@pytest.mark.parametrize("name", KEYS)
def test_header_key(sandbox, name):
    """The header X-API-Key gives the same access as the query parameter."""
    assert len({getattr(sandbox, each) for each in KEYS}) == len(KEYS)
    key = getattr(sandbox, name)
    assert uuid.UUID(key).version == 4
    url = sandbox.base_url + COHORTS
    by_header = requests.get(url, headers={"X-API-Key": key}, timeout=5)
    by_query = requests.get(url, params={"k": key}, timeout=5)
    assert by_header.json() == by_query.json()


SEGMENTS = "/audience-api/v1/imports/{}/segments"


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", COHORTS),
        ("PATCH", COHORTS + "{}"),
        ("DELETE", COHORTS + "{}"),
        ("PATCH", COHORTS + UNKNOWN_ID),
        ("POST", SEGMENTS),
        ("PATCH", SEGMENTS),
        ("PATCH", SEGMENTS + "/code/700100"),
        ("DELETE", SEGMENTS + "/code/700100"),
    ],
)
def test_read_only_key(call, sandbox, method, path):
    """With the read-only key, each change of cohorts and segments is 403, and nothing changes."""
    here = call("GET", COHORTS).json()[0]["id"] if COHORTS in path else None
    path = path.format(here or call.imports()[1]["id"])
    key = sandbox.read_only_api_key
    body = {"name": "n", "code": "n", "query": {}}
    for headers, params in (({"X-API-Key": key}, {}), ({}, {"k": key})):
        answer = requests.request(
            method, sandbox.base_url + path, params=params, json=body, headers=headers, timeout=5
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, 2001)
    assert key not in repr(sandbox.requests)
    if method != "POST" and UNKNOWN_ID not in path:
        assert call("GET", path).status_code == 200


def test_read_only_key_reads(call, sandbox):
    """The read-only key reads what the private key reads, and may send users and events."""
    params = {"k": sandbox.read_only_api_key}
    for path in (COHORTS, "/audience-api/v1/imports", call.segments_path()):
        assert call("GET", path, params=params).json() == call("GET", path).json()
    for path, status, body in (
        ("/v2.0/users", 200, {}),
        ("/v2.0/identify", 200, {"user_id": "u", "aliases": []}),
        ("/v2.0/events", 201, {"user_id": "u", "name": "A"}),
        ("/ccs/v1/segmentation", 200, {"user_id": "u", "events": []}),
    ):
        answer = call("POST", path, params=params, json=body)
        assert answer.status_code == status


def test_unknown_paths(call):
    """An unknown path or id is 404 with code 3000 in the envelope."""
    cohorts = [COHORTS + each for each in ("nope", UNKNOWN_ID, "a/b")]
    for path in ("/", "/nope", *cohorts, "/audience-api/v1/imports/", "/ccs/v1"):
        answer = call("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, 3000), path


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("PUT", COHORTS, "GET, POST"),
        ("POST", COHORTS + "x", "GET, PATCH, DELETE"),
        ("GET", "/v2.0/identify", "POST"),
        ("OPTIONS", "/ccs/v1/segmentation", "POST"),
        ("HEAD", "/audience-api/v1/imports", "GET"),
    ],
)
def test_wrong_verbs(call, method, path, allowed):
    """A verb that a path does not have is 405, and the response lists its verbs."""
    answer = call(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    phrase = "MethodNotAllowed" if "v2.0" in path else "Method Not Allowed"
    assert method == "HEAD" or answer.json()["error"]["status"] == phrase


def test_bodies(call):
    """A body that is not JSON has code 1002."""
    for body in (b"null", b"{", b"\xff", b'{"name": "\\ud800", "query": {}}', b"[" * 100_000):
        answer = call("POST", COHORTS, data=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 1002), body[:40]


@pytest.mark.parametrize("levels, status", [(198, 201), (199, 400), (964, 400)])
def test_nesting(call, levels, status):
    """A nested body that is accepted can be read back; one that is nested too deeply is 400."""
    query = b'{"a":' * levels + b"1" + b"}" * levels
    answer = call("POST", COHORTS, data=b'{"name": "n", "query": %b}' % query)
    assert answer.status_code == status
    if status == 201:
        assert call("GET", COHORTS + answer.json()["id"]).status_code == 200


ALIASES = '[{"tag": "t", "id": "i", "priority": %s}]'
EVENT = '{"name": "A", "time": "2025-07-01T15:39:11Z", "properties": {"n": %s}}'
BODIES = [
    ("POST", COHORTS, '{"name": "n", "query": {"n": %s}}'),
    ("PATCH", COHORTS + "{}", '{"query": {"n": %s}}'),
    ("POST", SEGMENTS, '{"name": "n", "code": "n", "cpm": %s}'),
    ("PATCH", SEGMENTS + "/code/700100", '{"cpm": %s}'),
    (
        "PATCH",
        SEGMENTS,
        '{"operations": [{"operation": "Update", "code": "700100", "data": {"cpm": %s}}]}',
    ),
    ("POST", "/v2.0/identify", '{"user_id": "u", "aliases": ' + ALIASES + "}"),
    ("POST", "/v2.0/events", '{"name": "A", "user_id": "u", "properties": {"n": %s}}'),
    ("POST", "/ccs/v1/segmentation", '{"user_id": "u", "events": [' + EVENT + "]}"),
    ("POST", "/ccs/v1/segmentation/stateless", '{"user_id": "u", "events": [' + EVENT + "]}"),
    ("POST", "/ctx/v1/segment", '{"url": "https://h/", "page_properties": {"n": %s}}'),
]


@pytest.mark.parametrize("method, path, body", BODIES)
def test_numbers_that_are_not_finite(call, method, path, body):
    """A number that is not finite, or overflows, is 400 in every body, and not stored."""
    here = call("GET", COHORTS).json()[0]["id"] if COHORTS in path else None
    path = path.format(here or call.imports()[1]["id"])
    for number in ("1e400", "-1e400", "NaN", "Infinity", "-Infinity"):
        assert call(method, path, data=body % number).status_code == 400, number
    assert call(method, path, data=body % "1").status_code in (200, 201)
    for listing in (COHORTS, call.segments_path(1)):
        assert call("GET", listing).status_code == 200


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("path", [COHORTS, "/audience-api/v1/imports", "/v2.0/users"])
def test_bodies_that_are_too_large(call, sandbox, path, pieces):
    """A body above 10 MB is 413, whole or in chunks, and its connection stays open."""
    size = 10_000_001
    body = b"x" * size if pieces == 1 else iter([b"x" * 4_000_000] * pieces)
    answer = call("POST", path, data=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (413, 4130)
    assert error["status"] in ("Payload Too Large", "PayloadTooLarge")
    assert error["cause"] == "The body exceeds 10 MB."
    assert call("GET", COHORTS).status_code == 200
    first, second = sandbox.requests
    assert (first.body, first.status) == ("", 413)
    assert first.connection == second.connection


def test_largest_body(call):
    """A body of 10 MB is accepted, and a wrong key is checked before the size."""
    body = b'{"name": "n", "query": {}}'
    body += b" " * (10_000_000 - len(body))
    assert call("POST", COHORTS, data=body).status_code == 201
    params = {"k": "wrong"}
    assert call("POST", COHORTS, data=body + b" ", params=params).status_code == 401


def test_escaped_text(call):
    """Text sent as JSON escapes comes back as the same text."""
    body = b'{"name": "\\u00e9\\ud83d\\ude00", "query": {}}'
    assert call("POST", COHORTS, data=body).json()["name"] == "é\U0001f600"


def test_list_flag(call):
    """A flag of the cohort list that is neither true nor false is 400 with 1000."""
    answer = call("GET", COHORTS, params={"include-child-workspaces": "1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 1000)


def test_defect(call, monkeypatch, caplog):
    """A defect of the sandbox is 500 with code 5000, and is logged."""
    monkeypatch.setattr(cohorts, "_cohort", lambda call: 1 / 0)
    answer = call("GET", COHORTS + "x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 5000)
    limit = time.monotonic() + 5
    while "ZeroDivisionError" not in caplog.text:
        assert time.monotonic() < limit
        time.sleep(0.001)
