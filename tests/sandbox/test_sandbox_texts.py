"""The texts of the sandbox, in full, and its initial data."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Callable, cast

import pytest
import requests

from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.sandbox.background import listening_socket
from tests.support.mistakes import Mistake, assert_raises, each

IMPORTS = "/audience-api/v1/imports"
COHORTS = "/cohorts-api/v2/cohorts/"
IDENTIFY = "/v2.0/identify"
SEGMENTATION = "/ccs/v1/segmentation"
EVENTS = "/v2.0/events"
STATELESS = f"{SEGMENTATION}/stateless"
CONTEXT = "/ctx/v1/segment"
QUERY = {"type": "users"}
EVENT = {"name": "E", "time": "2025-07-01T00:00:00Z", "properties": {}}
ALIAS = {"tag": "t", "id": "i", "priority": 0}
PAGE = {"url": "https://a.example/", "page_properties": {}}
REQUIRED = "the field is required"
OUT_OF_RANGE = (
    "url: a URL is expected",
    "events: at most 10 are allowed",
    "properties: they exceed 950 KB",
)


# --- The data ------------------------------------------------------------------------------------

SEED = "69d00830178605b3f28d5f6a45961447b43dd00f6561d5f0091d0dbc7830bd9d"
"""The digest of all data of a new sandbox. Users' tests may rely on the data: change it only on purpose."""


def test_the_data_is_the_same_in_every_release(sandbox: Sandbox, call: Any) -> None:
    """Workspaces, keys, cohorts, imports and segments are exactly those of the last release."""
    sandbox.page_size = 100
    listed = call("GET", COHORTS, params={"include-child-workspaces": "true"}).json()
    held = {
        "credentials": sandbox.credentials(),
        "read_only": sandbox.read_only_api_key,
        "listed": listed,
        "cohorts": [call("GET", COHORTS + each["id"]).json() for each in listed],
        "imports": call.imports(),
        "segments": [call("GET", call.segments_path(number)).json() for number in (0, 1)],
    }
    text = json.dumps(held, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == SEED


def test_the_next_code(call: Any) -> None:
    """The codes of new cohorts follow those of the 42 first cohorts: 12345 to 12386."""
    assert call.created()["code"] == 12387


# --- What it refuses -----------------------------------------------------------------------------


BODIES: list[tuple[str, Any, str]] = [
    (COHORTS, {"query": QUERY}, f"name: {REQUIRED}"),
    (COHORTS, {"name": "N", "query": None}, f"query: {REQUIRED}"),
    (IDENTIFY, {"user_id": "", "aliases": []}, "user_id: a string that is not blank is expected"),
    (IDENTIFY, {"user_id": "u", "aliases": {}}, "aliases: a list is expected"),
    (IDENTIFY, {"user_id": "u", "aliases": ["a"]}, "aliases: an object is expected"),
    (SEGMENTATION, {"user_id": "u", "events": None}, f"events: {REQUIRED}"),
    (SEGMENTATION, {"user_id": "u", "events": {}}, "events: a list is expected"),
    (SEGMENTATION, {"user_id": 5, "events": []}, "user_id: a string is expected"),
    (SEGMENTATION, {"aliases": [], "events": []}, "aliases: a list of at least 1 is expected"),
    (
        SEGMENTATION,
        {"aliases": [{"tag": "t", "id": "i"}], "events": []},
        f"aliases: priority: {REQUIRED}",
    ),
    (
        SEGMENTATION,
        {"user_id": "u", "events": [{**EVENT, "name": None}]},
        f"events: name: {REQUIRED}",
    ),
    (
        SEGMENTATION,
        {"user_id": "u", "events": [{**EVENT, "time": None}]},
        f"events: time: {REQUIRED}",
    ),
    (
        SEGMENTATION,
        {"user_id": "u", "events": [{**EVENT, "properties": None}]},
        f"events: properties: {REQUIRED}",
    ),
    (COHORTS, {}, f"name: {REQUIRED}"),
    (COHORTS, {"name": " ", "query": QUERY}, "name: a string that is not blank is expected"),
    (COHORTS, {"name": 5, "query": QUERY}, "name: a string is expected"),
    (COHORTS, {"name": "N"}, f"query: {REQUIRED}"),
    (COHORTS, {"name": "N", "query": []}, "query: an object is expected"),
    (COHORTS, {"name": "N", "query": QUERY, "tags": "t"}, "tags: a list is expected"),
    (COHORTS, {"name": "N", "query": QUERY, "tags": [1]}, "tags: a string is expected"),
    (COHORTS, {"name": "N", "query": QUERY, "description": 1}, "description: a string is expected"),
    (
        COHORTS,
        {"name": "N", "query": QUERY, "segment_type": "other"},
        "segment_type: one of real_time, offline is expected",
    ),
    (COHORTS, [], "an object is expected"),
    (IDENTIFY, {}, f"user_id: {REQUIRED}"),
    (IDENTIFY, {"user_id": "u"}, f"aliases: {REQUIRED}"),
    (IDENTIFY, {"user_id": "u", "aliases": [{}]}, f"aliases: tag: {REQUIRED}"),
    (IDENTIFY, {"user_id": "u", "aliases": [{"tag": "t"}]}, f"aliases: id: {REQUIRED}"),
    (
        IDENTIFY,
        {"user_id": "u", "aliases": [{"tag": "t", "id": "i"}]},
        f"aliases: priority: {REQUIRED}",
    ),
    (
        IDENTIFY,
        {"user_id": "u", "aliases": [{**ALIAS, "priority": True}]},
        "aliases: priority: a whole number is expected",
    ),
    (EVENTS, {}, f"name: {REQUIRED}"),
    (EVENTS, {"name": "a b"}, "name: letters, digits and _ are expected"),
    (EVENTS, {"name": "E"}, "one of user_id, aliases is expected"),
    (EVENTS, {"name": "E", "aliases": []}, "aliases: a list of at least 1 is expected"),
    (EVENTS, {"name": "E", "user_id": ""}, "user_id: a string that is not blank is expected"),
    (EVENTS, {"name": "E", "properties": 1}, "properties: an object is expected"),
    (EVENTS, {"name": "E", "view_id": 1}, "view_id: a string is expected"),
    (EVENTS, {"name": "E", "session_id": 1}, "session_id: a string is expected"),
    (EVENTS, {"name": "E", "segments": [1.5]}, "segments: a whole number is expected"),
    (EVENTS, {"name": "E", "cohorts": [1]}, "cohorts: a string is expected"),
    (
        EVENTS,
        {"name": "E", "user_id": "u", "properties": {"a": "x" * 950_000}},
        "properties: they exceed 950 KB",
    ),
    (SEGMENTATION, {}, f"events: {REQUIRED}"),
    (SEGMENTATION, {"events": [{}]}, f"events: name: {REQUIRED}"),
    (SEGMENTATION, {"events": [{"name": "E"}]}, f"events: time: {REQUIRED}"),
    (SEGMENTATION, {"events": [{"name": "E", "time": "t"}]}, f"events: properties: {REQUIRED}"),
    (SEGMENTATION, {"events": [{**EVENT, "view_id": 1}]}, "events: view_id: a string is expected"),
    (
        SEGMENTATION,
        {"events": [{**EVENT, "session_id": 1}]},
        "events: session_id: a string is expected",
    ),
    (SEGMENTATION, {"events": []}, "one of user_id, alias, aliases is expected"),
    (
        SEGMENTATION,
        {"events": [], "user_id": "u", "alias": {"tag": "t", "id": "i"}},
        "only one of user_id, alias, aliases is expected",
    ),
    (SEGMENTATION, {"events": [], "alias": {"tag": "t"}}, f"alias: id: {REQUIRED}"),
    (SEGMENTATION, {"events": [], "alias": {"id": "i"}}, f"alias: tag: {REQUIRED}"),
    (SEGMENTATION, {"events": [EVENT] * 11, "user_id": "u"}, "events: at most 10 are allowed"),
    (STATELESS, {"events": [], "user_id": "u", "state": {}}, f"state: internal_state: {REQUIRED}"),
    (
        STATELESS,
        {"events": [], "user_id": "u", "state": {"internal_state": {}}},
        f"state: external_state: {REQUIRED}",
    ),
    (
        STATELESS,
        {
            "events": [],
            "user_id": "u",
            "state": {"internal_state": {"sandbox": {}}, "external_state": {}},
        },
        f"state: internal_state: events: {REQUIRED}",
    ),
    (
        STATELESS,
        {
            "events": [],
            "user_id": "u",
            "state": {"internal_state": {}, "external_state": {}, "cohorts": [1]},
        },
        "state: cohorts: a string is expected",
    ),
    (CONTEXT, {**PAGE, "page_properties": None}, f"page_properties: {REQUIRED}"),
    (CONTEXT, {**PAGE, "page_properties": []}, "page_properties: an object is expected"),
    (
        CONTEXT,
        {**PAGE, "page_properties": {"client": "web"}},
        "page_properties: client: an object is expected",
    ),
    (CONTEXT, {}, f"url: {REQUIRED}"),
    (CONTEXT, {"url": "u"}, f"page_properties: {REQUIRED}"),
    (CONTEXT, {**PAGE, "url": "http://[a"}, "url: a URL is expected"),
    (
        CONTEXT,
        {**PAGE, "page_properties": {"client": {"type": "tv"}}},
        "page_properties: client: type: one of web, ios, android is expected",
    ),
    *(
        (
            CONTEXT,
            {**PAGE, "page_properties": {"client": {name: 1}}},
            f"page_properties: client: {name}: a string is expected",
        )
        for name in ("url", "domain", "referrer", "user_agent", "title")
    ),
]


def test_what_is_wrong_with_a_body(call: Any) -> None:
    """The response to a wrong body says where it is wrong, and what is expected there. Nothing is created."""
    count = len(call("GET", COHORTS).json())
    others = []
    for path, body, cause in BODIES:
        answer = call("POST", path, json=body)
        error = answer.json()["error"]
        code = 1000 if cause in OUT_OF_RANGE else 1002
        if (answer.status_code, error["code"], error["cause"]) != (400, code, cause):
            others.append((path, body, error["code"], error["cause"]))
    assert others == []
    assert len(call("GET", COHORTS).json()) == count


@pytest.mark.parametrize(
    ("content", "code", "cause"),
    [
        (b"", 1003, "The body is empty."),
        (b'{"name": NaN}', 1002, "NaN is not JSON"),
        (b'{"name": 1e999}', 1002, "the number 1e999 is too large"),
        (
            b'{"name": ' + b"[" * 200 + b"]" * 200 + b"}",
            1002,
            "it is nested more than 200 levels deep",
        ),
    ],
    ids=["empty", "constant", "number", "depth"],
)
def test_what_is_no_body(call: Any, content: bytes, code: int, cause: str) -> None:
    """The response to a body that cannot be read has its own code, and says why."""
    answer = call("POST", COHORTS, data=content)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["cause"]) == (400, code, cause)


def test_what_does_not_exist(call: Any, child: Any) -> None:
    """The response names what does not exist, and says if a cohort belongs to another workspace."""
    unknown = "5ad6a51f-3d1e-4bbd-8dd1-2a0f2f0f7c11"
    segments = call.segments_path()
    inherited = call("GET", COHORTS).json()[0]["id"]
    found = [
        call("GET", COHORTS + unknown),
        call("GET", f"{IMPORTS}/{unknown}"),
        call("GET", f"{segments}/{unknown}"),
        call("GET", f"{segments}/code/none"),
        call("POST", segments, json={"name": "Twice", "code": "DigitalNorth"}),
        child("PATCH", COHORTS + inherited, json={}),
        call("GET", COHORTS, params={"include-child-workspaces": "yes"}),
    ]
    assert [(each.status_code, each.json()["error"]["cause"]) for each in found] == [
        (404, f"There is no cohort {unknown} in this workspace."),
        (404, f"There is no import {unknown}."),
        (404, f"There is no segment {unknown} in this import."),
        (404, "There is no segment none in this import."),
        (409, "Code DigitalNorth exists in this import."),
        (403, "The cohort belongs to a workspace above this one."),
        (400, "Invalid value for: query parameter include-child-workspaces"),
    ]


def test_taxonomy_says_it_in_plain_text(call: Any) -> None:
    """Taxonomy names in plain text the part that it cannot read."""
    segments = call.segments_path()
    found = [
        call("GET", f"{IMPORTS}/5"),
        call("GET", f"{segments}/5"),
        call("GET", segments, params={"pagination_token": "?"}),
        call("POST", segments, json={"name": "N", "code": "a b"}),
        call("PATCH", segments, json={"operations": []}),
        call("PATCH", segments, json={"operations": [{"operation": "Update"}]}),
    ]
    assert [(each.status_code, each.text) for each in found] == [
        (400, "Invalid value for: path parameter importId"),
        (400, "Invalid value for: path parameter segmentId"),
        (400, "Invalid value for: query parameter pagination_token"),
        (400, "Invalid value for: body"),
        (400, "Invalid value for: body"),
        (400, "Invalid value for: body"),
    ]


DOCUMENTED = {
    400: (1000, "The values of one or more parameters are invalid."),
    401: (2000, "The API key provided is invalid."),
    403: (
        2001,
        "The API key provided does not provide access to the request operation or resource.",
    ),
    404: (3000, "The requested resource does not exist."),
    409: (4000, "A resource with this identifier already exists."),
    413: (4130, "Payload Too Large."),
    429: (4290, "Too Many Requests."),
    500: (
        5000,
        "An error of unspecified nature was encountered while processing your request. Feel free to "
        "get in touch with us at support@permutive.com referencing the Request ID.",
    ),
    599: (5990, "Status 599."),
}


def test_messages(call: Any, sandbox: Sandbox) -> None:
    """Each status has the code and the message that Permutive documents, or else the name of the status."""
    docs = "https://developer.permutive.com/docs/errors"
    for status, (code, message) in DOCUMENTED.items():
        sandbox.fail_next(status=status)
        error = call("GET", IMPORTS).json()["error"]
        assert (error["code"], error["message"]) == (code, message)
        assert error["docs"] == f"{docs}/{status}/{code}"


def test_texts_about_keys(sandbox: Sandbox) -> None:
    """The response says that the key is missing, is unknown, or may only read."""
    url = sandbox.base_url + COHORTS
    reader = {"k": sandbox.read_only_api_key}
    errors = [
        requests.get(url, timeout=5).json()["error"],
        requests.get(url, params={"k": "wrong"}, timeout=5).json()["error"],
        requests.post(url, params=reader, json={}, timeout=5).json()["error"],
    ]
    assert [(each["code"], each["message"], each.get("cause")) for each in errors] == [
        (
            2004,
            "The resource requires authentication, which was not supplied with the request.",
            None,
        ),
        (2000, "The API key provided is invalid.", "This key does not exist."),
        (2001, DOCUMENTED[403][1], "This key may only read."),
    ]


# --- What its control refuses --------------------------------------------------------------------

FAULTS = "/_sandbox/faults"
BEHAVIOUR = "/_sandbox/behaviour"
SEEDING = "/_sandbox/seed"
UNKNOWN = "the field is unknown"
WHOLE = "a whole number is expected"
SWITCH = "true or false is expected"


CONTROL: list[tuple[str, Any, str]] = [
    *(
        (f"/_sandbox/{path}", {"nothing": 1}, f"nothing: {UNKNOWN}")
        for path in ("reset", "faults", "behaviour", "seed")
    ),
    *(
        (f"/_sandbox/{path}", [], "an object is expected")
        for path in ("reset", "faults", "behaviour", "seed")
    ),
    (FAULTS, {"status": "503"}, f"status: {WHOLE}"),
    (FAULTS, {"status": 199}, "status must be from 200 to 599, not 199."),
    (FAULTS, {"times": True}, f"times: {WHOLE}"),
    (FAULTS, {"times": 0}, "times must be at least 1, not 0."),
    (FAULTS, {"times": None}, "times: null is not allowed"),
    (FAULTS, {"retry_after": 2}, "retry_after: a string is expected"),
    (FAULTS, {"retry_after": "a\nb"}, "retry_after: printable ASCII is expected"),
    (FAULTS, {"method": ""}, "method: a string that is not blank is expected"),
    (FAULTS, {"path": 1}, "path: a string is expected"),
    (FAULTS, {"body": {}}, "body: a string is expected"),
    (FAULTS, {"content_type": "é"}, "content_type: printable ASCII is expected"),
    (BEHAVIOUR, {"latency_seconds": "1"}, "latency_seconds: a number is expected"),
    (BEHAVIOUR, {"latency_seconds": -1}, "latency_seconds must not be negative."),
    (BEHAVIOUR, {"latency_seconds": None}, "latency_seconds: null is not allowed"),
    (BEHAVIOUR, {"rate_limit_per_second": 0}, "rate_limit_per_second must be at least 1, or None."),
    (BEHAVIOUR, {"rate_limit_per_second": 1.5}, f"rate_limit_per_second: {WHOLE}"),
    (BEHAVIOUR, {"retry_after": 1}, "retry_after: a string is expected"),
    (BEHAVIOUR, {"page_size": 0}, "page_size must be at least 1."),
    (BEHAVIOUR, {"page_size": 2.5}, f"page_size: {WHOLE}"),
    (BEHAVIOUR, {"check_queries": "yes"}, f"check_queries: {SWITCH}"),
    (BEHAVIOUR, {"require_uuid_user_ids": 1}, f"require_uuid_user_ids: {SWITCH}"),
    (
        BEHAVIOUR,
        {"create_missing_segment_codes": None},
        "create_missing_segment_codes: null is not allowed",
    ),
    (BEHAVIOUR, {"refused_bulk_is_partial": 0}, f"refused_bulk_is_partial: {SWITCH}"),
    (BEHAVIOUR, {"segments_key_in_segmentation": ""}, f"segments_key_in_segmentation: {SWITCH}"),
    (BEHAVIOUR, {"alias_tags": "t"}, "alias_tags: a list is expected"),
    (BEHAVIOUR, {"alias_tags": [1]}, "alias_tags: a string is expected"),
    (BEHAVIOUR, {"host": "0.0.0.0"}, f"host: {UNKNOWN}"),
    (SEEDING, {"empty": 1}, f"empty: {SWITCH}"),
    (SEEDING, {"cohorts": {}}, "cohorts: a list is expected"),
    (SEEDING, {"cohorts": [{}]}, f"cohorts[0]: name: {REQUIRED}"),
    (SEEDING, {"segments": None}, "segments: null is not allowed"),
]


def test_what_is_wrong_with_a_control_request(sandbox: Sandbox) -> None:
    """The response to a wrong body names the member and what is expected there."""
    others = []
    for path, body, text in CONTROL:
        answer = requests.post(sandbox.base_url + path, json=body, timeout=5)
        if (answer.status_code, answer.json()) != (400, {"error": text}):
            others.append((path, body, answer.text))
    assert others == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"status": NaN}', "NaN is not JSON"),
        (b"[" * 201 + b"]" * 201, "it is nested more than 200 levels deep"),
    ],
    ids=["cut off", "NaN", "deep"],
)
def test_a_control_request_that_cannot_be_read(sandbox: Sandbox, content: bytes, why: str) -> None:
    """The response to a body that is not JSON says why."""
    answer = requests.post(sandbox.base_url + FAULTS, data=content, timeout=5)
    assert (answer.status_code, answer.json()) == (400, {"error": f"The body is not JSON: {why}"})


def test_control_requests_that_are_refused(sandbox: Sandbox) -> None:
    """The response says who may control the sandbox, and with which paths and methods."""
    url = f"{sandbox.base_url}/_sandbox/"
    found = [
        requests.post(f"{url}reset", headers={"Origin": "null"}, timeout=5),
        requests.post(f"{url}reset", headers={"Host": "a.example"}, timeout=5),
        requests.get(f"{url}reset", timeout=5),
        requests.get(f"{url}seeds", timeout=5),
    ]
    with Sandbox(control=False) as off:
        found.append(requests.post(f"{off.base_url}/_sandbox/reset", timeout=5))
    assert [(each.status_code, each.json()["error"]) for each in found] == [
        (403, "The header Origin shows that the request comes from a web page."),
        (403, "The header Host names another machine."),
        (405, "The method must be POST."),
        (
            404,
            "There is only /_sandbox/reset, /_sandbox/faults, /_sandbox/behaviour, /_sandbox/seed, "
            "/_sandbox/requests.",
        ),
        (
            403,
            "Control is off. Start the sandbox with --control, or in Python with Sandbox(control=True).",
        ),
    ]


# --- What is wrong with rows ---------------------------------------------------------------------

NAMED: dict[str, Any] = {"name": "N"}
CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
TIME = "a time is expected"
TEXT = "a string is expected"
UUID = "a UUID is expected"
BLANK = "a string that is not blank is expected"
UNKNOWN_ID = "5ad6a51f-3d1e-4bbd-8dd1-2a0f2f0f7c11"


ROWS: list[tuple[Any, str]] = [
    ({"cohorts": [NAMED, 5]}, "cohorts[1]: an object is expected"),
    ({"cohorts": NAMED}, "cohorts[0]: an object is expected"),
    (
        {"cohorts": [{"names": "N"}]},
        "cohorts[0]: names: the field is unknown; perhaps name is meant",
    ),
    (
        {"cohorts": [{**NAMED, "tag": []}]},
        "cohorts[0]: tag: the field is unknown; perhaps tags is meant",
    ),
    ({"cohorts": [{"name": " "}]}, f"cohorts[0]: name: {BLANK}"),
    ({"cohorts": [{**NAMED, "id": "1"}]}, f"cohorts[0]: id: {UUID}"),
    ({"cohorts": [{**NAMED, "code": "x"}]}, f"cohorts[0]: code: {WHOLE}"),
    ({"cohorts": [{**NAMED, "code": 0}]}, "cohorts[0]: code: a number above 0 is expected"),
    ({"cohorts": [{**NAMED, "code": 12345}]}, "cohorts[0]: code: 12345 is taken"),
    ({"cohorts": [{**NAMED, "code": 1}] * 2}, "cohorts[1]: code: 1 is taken"),
    ({"cohorts": [{**NAMED, "query": []}]}, "cohorts[0]: query: an object is expected"),
    ({"cohorts": [{**NAMED, "tags": [1]}]}, f"cohorts[0]: tags: {TEXT}"),
    ({"cohorts": [{**NAMED, "description": 1}]}, f"cohorts[0]: description: {TEXT}"),
    (
        {"cohorts": [{**NAMED, "state": "on"}]},
        "cohorts[0]: state: one of Enabled, Disabled is expected",
    ),
    (
        {"cohorts": [{**NAMED, "segment_type": "x"}]},
        "cohorts[0]: segment_type: one of real_time, offline is expected",
    ),
    (
        {"cohorts": [{**NAMED, "live_audience_size": "9"}]},
        f"cohorts[0]: live_audience_size: {WHOLE}",
    ),
    ({"cohorts": [{**NAMED, "created_at": "today"}]}, f"cohorts[0]: created_at: {TIME}"),
    ({"cohorts": [{**NAMED, "last_updated_at": 5}]}, f"cohorts[0]: last_updated_at: {TIME}"),
    (
        {"cohorts": [{**NAMED, "workspace_id": "w"}]},
        "cohorts[0]: workspace_id: this sandbox has no workspace w. Without the field, the row "
        "belongs to the top-level workspace.",
    ),
    (
        {"cohorts": [{**NAMED, "x": {1}}]},
        "cohorts[0]: x: Object of type set is not JSON serializable",
    ),
    ({"cohorts": [{**NAMED, "x": float("nan")}]}, "cohorts[0]: x: NaN is not JSON"),
    ({"cohorts": [{**NAMED, "x": CIRCLE}]}, "cohorts[0]: x: Circular reference detected"),
    ({"imports": [{}]}, f"imports[0]: name: {REQUIRED}"),
    ({"imports": [{**NAMED, "code": "inmarket"}]}, "imports[0]: code: inmarket is taken"),
    ({"imports": [{**NAMED, "id": "1"}]}, f"imports[0]: id: {UUID}"),
    ({"imports": [{**NAMED, "source": "gcs"}]}, "imports[0]: source: an object is expected"),
    ({"imports": [{**NAMED, "identifiers": "x"}]}, "imports[0]: identifiers: a list is expected"),
    ({"imports": [{**NAMED, "updated_at": "x"}]}, f"imports[0]: updated_at: {TIME}"),
    (
        {"imports": [{**NAMED, "segments": [NAMED, {}]}]},
        f"imports[0]: segments[1]: name: {REQUIRED}",
    ),
    (
        {"imports": [{**NAMED, "segments": [{**NAMED, "code": "c"}] * 2}]},
        "imports[0]: segments[1]: code: c is taken",
    ),
    ({"segments": [NAMED]}, "segments[0]: one of import_id, import_code is expected"),
    (
        {"segments": [{**NAMED, "import_id": UNKNOWN_ID, "import_code": "inmarket"}]},
        "segments[0]: only one of import_id, import_code is expected",
    ),
    (
        {"segments": [{**NAMED, "import_id": UNKNOWN_ID}]},
        f"segments[0]: import_id: there is no import {UNKNOWN_ID}",
    ),
    (
        {"segments": [{**NAMED, "import_code": "x"}]},
        "segments[0]: import_code: there is no import with the code x",
    ),
    (
        {"segments": [{**NAMED, "import_code": "inmarket", "code": "a b"}]},
        "segments[0]: code: letters, digits and _ are expected",
    ),
    (
        {"segments": [{**NAMED, "import_code": "inmarket", "code": "700100"}]},
        "segments[0]: code: 700100 is taken",
    ),
    (
        {"segments": [{**NAMED, "import_code": "inmarket", "cpm": "1"}]},
        "segments[0]: cpm: a number is expected",
    ),
    ({"segments": [{**NAMED, "import_code": "inmarket", "name": 5}]}, f"segments[0]: name: {TEXT}"),
    *(
        ({kind: [{**NAMED, **more, "id": UNKNOWN_ID}] * 2}, f"{kind}[1]: id: {UNKNOWN_ID} is taken")
        for kind, more in (
            ("cohorts", {}),
            ("imports", {}),
            ("segments", {"import_code": "inmarket"}),
        )
    ),
]


def test_what_is_wrong_with_a_row() -> None:
    """The error names the row and the field, and says what is expected there."""
    others = []
    for data, text in ROWS:
        with pytest.raises(ValueError) as caught:
            Sandbox().seed(**data)
        if str(caught.value) != text:
            others.append((data, str(caught.value)))
    assert others == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[]", "an object is expected"),
        ('{"cohort": []}', "cohort: the field is unknown"),
        ('{"segments": [{}]}', f"segments[0]: name: {REQUIRED}"),
        ("[" * 201 + "]" * 201, "it is nested more than 200 levels deep"),
    ],
    ids=["empty", "list", "unknown", "row", "deep"],
)
def test_a_seed_file_that_cannot_be_read(tmp_path: Path, content: str, why: str) -> None:
    """The error names the file and what is wrong in it."""
    path = tmp_path / "seed.json"
    path.write_text(content)
    with pytest.raises(ValueError) as caught:
        Sandbox(seed_file=path)
    assert str(caught.value) == f"{path}: {why}"


# --- What it raises ------------------------------------------------------------------------------


def entered_twice() -> None:
    """Start a sandbox that is running."""
    with Sandbox() as running, running:
        pass


MISTAKES: dict[str, Mistake] = {
    "text for a latency": (
        lambda: Sandbox(latency_seconds=cast(Any, "1")),
        TypeError,
        "latency_seconds must be a number, got '1'.",
    ),
    "true for a page size": (
        lambda: Sandbox(page_size=True),
        TypeError,
        "page_size must be a number, got True.",
    ),
    "text for a rate": (
        lambda: Sandbox(rate_limit_per_second=cast(Any, "2")),
        TypeError,
        "rate_limit_per_second must be a number, got '2'.",
    ),
    "negative latency": (
        lambda: Sandbox(latency_seconds=-0.1),
        ValueError,
        "latency_seconds must not be negative.",
    ),
    "latency without end": (
        lambda: Sandbox(latency_seconds=float("inf")),
        ValueError,
        "latency_seconds must be finite.",
    ),
    "no latency at all": (
        lambda: Sandbox(latency_seconds=float("nan")),
        ValueError,
        "latency_seconds must be finite.",
    ),
    "rate of zero": (
        lambda: Sandbox(rate_limit_per_second=0),
        ValueError,
        "rate_limit_per_second must be at least 1, or None.",
    ),
    "page size of zero": (
        lambda: Sandbox(page_size=0),
        ValueError,
        "page_size must be at least 1.",
    ),
    "status too low": (
        lambda: Sandbox().fail_next(status=199),
        ValueError,
        "status must be from 200 to 599, not 199.",
    ),
    "status too high": (
        lambda: Sandbox().fail_next(status=600),
        ValueError,
        "status must be from 200 to 599, not 600.",
    ),
    "no times": (
        lambda: Sandbox().fail_next(times=0),
        ValueError,
        "times must be at least 1, not 0.",
    ),
    "no address yet": (
        lambda: Sandbox().base_url,
        RuntimeError,
        "The sandbox has no address before its with block.",
    ),
    "entered twice": (entered_twice, RuntimeError, "The sandbox is running already."),
}


@each(MISTAKES)
def test_mistakes(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    """A wrong value, or a use at the wrong time, is an error that says what is wrong."""
    assert_raises(call, kind, text)


@pytest.mark.parametrize("status", [200, 599])
def test_statuses_at_the_edges(call: Any, sandbox: Sandbox, status: int) -> None:
    """The first and the last status are taken."""
    sandbox.fail_next(status=status)
    assert call("GET", COHORTS).status_code == status


def test_unavailable_addresses(sandbox: Sandbox) -> None:
    """The error says whether the port is in use or the address is not available."""
    port = int(sandbox.base_url.rpartition(":")[2])
    with pytest.raises(OSError) as caught:
        listening_socket("127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE
    assert caught.value.strerror == (
        f"Port {port} on 127.0.0.1 is already in use. Choose another port; 0 takes a free one."
    )
    with pytest.raises(OSError) as caught:
        listening_socket("192.0.2.1", 1025)
    reason = os.strerror(errno.EADDRNOTAVAIL)
    # Python may add the address.
    start = f"Cannot listen on 192.0.2.1, port 1025: {reason}"
    assert str(caught.value.strerror).lower().startswith(start.lower())


def test_a_token_with_a_stray_character(call: Any) -> None:
    """A token with one more character is refused."""
    segments = call.segments_path(1)
    token = call("GET", segments).json()["pagination"]["next_token"]
    assert call("GET", segments, params={"pagination_token": token}).status_code == 200
    broken = f"{token[:1]}?{token[1:]}"
    assert call("GET", segments, params={"pagination_token": broken}).status_code == 400
