"""Replaced functions of ``http`` and of ``requests`` take effect until they are restored."""

from __future__ import annotations

import functools
import inspect
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any, Callable, List, Tuple
from unittest.mock import MagicMock, patch

import pytest
import requests

from PermutiveAPI import (
    Alias,
    BatchRequest,
    Cohort,
    Event,
    Identity,
    Import,
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConnectionError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    Segment,
    Segmentation,
)
from PermutiveAPI._Utils import http
from tests.seams.test_executors import BATCHES
from tests.support.calls import COHORT, IMPORT, MODEL_CALLS, SEGMENT
from tests.support.fake_service import FakeService, answer
from tests.support.fakes import (
    COHORTS,
    IDENTIFY,
    IMPORTS,
    KEY,
    SEGMENTATION,
    URL,
    OnlyJson,
    Recorder,
    UrlOnly,
    bare,
    with_body,
)
from tests.support.rows import for_each

VERBS = ("get", "post", "patch", "delete")


def _call(verb: str, url: str = URL) -> requests.Response:
    arguments = {"data": {"a": 1}} if verb in ("post", "patch") else {}
    return getattr(http, verb)(api_key=KEY, url=url, **arguments)


# --- requests.get and its like -----------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("owner", [http.requests, requests, "dotted", "package"])
def test_replaced_verb_of_requests(verb: str, owner: Any) -> None:
    """A replaced function of requests is called for its verb, under any path of its module."""
    if owner == "dotted":
        patching = patch(f"PermutiveAPI._Utils.http.requests.{verb}")
    elif owner == "package":
        patching = patch(f"requests.{verb}")
    else:
        patching = patch.object(owner, verb)
    with patching as fake:
        fake.return_value = bare(200)
        assert _call(verb) is fake.return_value
    (url,), kwargs = fake.call_args
    assert url == URL
    assert kwargs["params"] == {"k": KEY}
    assert kwargs["headers"] == http.DEFAULT_HEADERS
    assert kwargs["timeout"] == 10.0
    assert set(kwargs) - {"json"} == {"params", "headers", "timeout"}
    assert kwargs.get("json") == ({"a": 1} if verb in ("post", "patch") else None)


@pytest.mark.parametrize("verb", VERBS)
def test_request_uses_the_replaced_verb(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``request`` calls the replaced function of its verb with all its arguments."""
    fake = Recorder(bare(200))
    monkeypatch.setattr(http.requests, verb, fake)
    http.request(
        verb.upper(),
        KEY,
        URL,
        params={"p": "1"},
        json={"a": 1},
        headers={"X-Own": "1"},
        timeout=3.5,
    )
    assert fake.calls == [
        (
            (URL,),
            {
                "params": {"p": "1", "k": KEY},
                "json": {"a": 1},
                "headers": {**http.DEFAULT_HEADERS, "X-Own": "1"},
                "timeout": 3.5,
            },
        )
    ]


def test_own_headers_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's headers win over the default ones, which do not change."""
    fake = Recorder(bare(200))
    monkeypatch.setattr(requests, "get", fake)
    http.request("get", KEY, URL, headers={"Accept": "text/csv"})
    assert fake.calls[0][1]["headers"]["Accept"] == "text/csv"
    assert http.DEFAULT_HEADERS["Accept"] == "application/json"


@pytest.mark.parametrize("verb", VERBS)
def test_removing_a_replaced_verb_restores_the_pool(verb: str, server: FakeService) -> None:
    """When the fake is removed, calls use one pooled connection again."""
    _call(verb)
    before = server.connections
    with patch.object(requests, verb, return_value=bare(200)):
        _call(verb)
    assert len(server.received) == 1
    _call(verb)
    _call(verb)
    assert [seen.method for seen in server.received] == [verb.upper()] * 3
    assert server.connections == before


def test_a_replaced_verb_leaves_the_others(server: FakeService) -> None:
    """If only one verb is replaced, the others reach the service."""
    with patch.object(requests, "get", return_value=bare(200)):
        _call("get")
        _call("delete")
    assert [seen.method for seen in server.received] == ["DELETE"]


@pytest.mark.parametrize(
    "status, error, text",
    [
        (400, PermutiveBadRequestError, "400 Bad Request: "),
        (401, PermutiveAuthenticationError, "401: Invalid API key or insufficient permissions."),
        (403, PermutiveAuthenticationError, "403: Invalid API key or insufficient permissions."),
        (404, PermutiveResourceNotFoundError, "Resource not found."),
        (418, PermutiveAPIError, "An unexpected error occurred: "),
        (429, PermutiveRateLimitError, "Retry limit exceeded."),
        (503, PermutiveServerError, "503: API unavailable after retries."),
    ],
)
def test_bare_answers_with_a_failing_status(
    status: int, error: Any, text: str, waits: List[float]
) -> None:
    """A bare ``requests.Response()`` with a status code maps to the error of its status."""
    repeated = status in (429, 503)
    for verb in VERBS:
        waits.clear()
        with patch.object(requests, verb, return_value=bare(status)) as fake:
            with pytest.raises(error) as caught:
                _call(verb)
        assert caught.value.status == status, verb
        assert str(caught.value).startswith(text), verb
        assert fake.call_count == (3 if repeated else 1), verb
        assert len(waits) == (2 if repeated else 0), verb


@pytest.mark.parametrize("status", [400, 401, 404, 409, 418, 429, 500])
def test_answers_whose_request_has_only_a_url(status: int, waits: List[float]) -> None:
    """A response whose ``request`` has only a URL is mapped, and its key is redacted."""
    response: Any = with_body(status, b'{"error": {"cause": "no"}}')
    response.request = UrlOnly(f"{URL}?k={KEY}")
    for verb in VERBS:
        with patch.object(requests, verb, return_value=response):
            with pytest.raises(PermutiveAPIError, match="no") as caught:
                _call(verb)
        assert caught.value.url == f"{URL}?k=[REDACTED]", verb
        assert KEY not in str(caught.value), verb


def test_bad_request_text() -> None:
    """The text of a 400 is "400 Bad Request: <cause> [URL: <redacted url>]"."""
    response: Any = with_body(400, b'{"error": {"cause": "name is missing"}}')
    response.request = UrlOnly(f"{URL}?k={KEY}&page=2")
    with patch.object(requests, "get", return_value=response):
        with pytest.raises(PermutiveBadRequestError) as caught:
            _call("get")
    assert str(caught.value).startswith(
        f"400 Bad Request: name is missing [URL: {URL}?k=[REDACTED]&page=2]"
    )


def test_answers_in_turn(waits: List[float]) -> None:
    """A ``side_effect`` of several responses is called again until one succeeds."""
    answers = [bare(500), bare(429), bare(200)]
    with patch("requests.get", side_effect=list(answers)) as fake:
        assert http.get(KEY, URL) is answers[2]
    assert fake.call_count == 3
    assert len(waits) == 2


def test_refused_connection_is_tried_again(waits: List[float]) -> None:
    """A read without a response is repeated, and then raises an error with the failure's text."""
    with patch("requests.get", side_effect=requests.ConnectionError("boom")) as get:
        with pytest.raises(PermutiveConnectionError) as caught:
            http.get(KEY, URL)
    assert str(caught.value) == "Request failed after 3 attempts: boom"
    assert (get.call_count, len(waits)) == (3, 2)


# --- requests.Session.send ---------------------------------------------------------------------


def test_replaced_session_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced ``requests.Session.send`` gets the prepared request of every verb."""
    sent: List[requests.PreparedRequest] = []

    def send(
        self: requests.Session, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        sent.append(request)
        return bare(200)

    monkeypatch.setattr(requests.Session, "send", send)
    for verb in VERBS:
        assert _call(verb).status_code == 200
    assert [each.method for each in sent] == ["GET", "POST", "PATCH", "DELETE"]
    assert {each.url for each in sent} == {f"{URL}?k={KEY}"}
    assert sent[1].body in (b'{"a": 1}', '{"a": 1}')


def test_removing_session_send_restores_the_pool(server: FakeService) -> None:
    """When ``requests.Session.send`` is restored, calls reach the service again."""
    with patch.object(requests.Session, "send", return_value=bare(200)) as send:
        http.get(KEY, URL)
    http.get(KEY, URL)
    assert send.call_count == 1
    assert len(server.received) == 1


def test_another_class_of_sessions(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that took the place of ``requests.Session`` before the import, as requests-cache's does, is not used."""

    class Caching(requests.Session):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            raise AttributeError("a cache cannot keep the library's responses")

    monkeypatch.setattr(requests, "Session", Caching)
    spec = find_spec("PermutiveAPI._Utils.transport.session")
    assert spec is not None and spec.loader is not None
    imported = module_from_spec(spec)
    spec.loader.exec_module(imported)
    monkeypatch.setattr(http.transport, "send", imported.send)
    assert http.get(KEY, URL).status_code == 200
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "name",
    ["requests.Session.request", "requests.api.request", "requests.sessions.Session.request"],
)
def test_replaced_functions_inside_requests_are_not_bypassed(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A replaced function that requests.get itself calls gets every call, single and in a batch; nothing is sent."""
    calls: List[Any] = []

    def fake(*args: Any, **kwargs: Any) -> requests.Response:
        method, url = kwargs.get("method", args[0]), kwargs.get("url", args[-1])
        calls.append((method, url, kwargs["params"]))
        response = requests.Response()
        response.status_code = 200
        return response

    monkeypatch.setattr(name, fake)
    Cohort("n", id="c-1").delete(KEY)
    Cohort.batch_delete([Cohort("n", id="c-2")], api_key=KEY)
    url = f"{server.url}/cohorts-api/v2/cohorts"
    assert calls == [("delete", f"{url}/c-1", {"k": KEY}), ("delete", f"{url}/c-2", {"k": KEY})]
    assert server.connections == 0


def test_wrapped_functions_inside_requests_leave_the_pool(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a tracer only wraps such a function, connections are kept alive."""
    original = requests.Session.request

    @functools.wraps(original)
    def watching(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    monkeypatch.setattr(requests.Session, "request", watching)
    for _ in range(3):
        Cohort("n", id="c-1").delete(KEY)
    assert (len(server.received), server.connections) == (3, 1)


def test_replaced_session_send_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced ``requests.Session.send`` is called in the workers of a batch, too."""
    send = Recorder(with_body(200, b'{"user_id": "u"}'))
    monkeypatch.setattr(requests.Session, "send", send)
    identities = [Identity(f"u{n}", []) for n in range(5)]
    responses, failures = Identity.batch_identify(identities, api_key=KEY)
    assert (len(responses), failures, len(send.calls)) == (5, [], 5)


# --- The endpoints of models -----------------------------------------------------------------------


@for_each(
    ("module", "name"),
    [
        ("Cohort", "Cohort.create"),
        ("Cohort", "Cohort.batch_create"),
        ("Audience.Import", "Import.list"),
        ("Identify.Identity", "Identity.identify"),
        ("Identify.Identity", "Identity.batch_identify"),
        ("Segmentation", "Segmentation.send"),
        ("Segmentation", "Segmentation.batch_send"),
        ("Tracking", "TrackedEvent.track"),
        ("Tracking", "TrackedEvent.batch_track"),
        ("Context", "ContextSegment.send"),
        ("Context", "ContextSegment.batch_send"),
    ],
)
def test_replaced_endpoint(module: str, name: str, server: FakeService) -> None:
    """A replaced ``_API_ENDPOINT`` of a model's module takes effect, alone and in batches."""
    [call] = [each for each in MODEL_CALLS if each.name == name]
    server.default = answer(call.status, call.answer)
    before = len(server.received)
    with patch.object(
        import_module(f"PermutiveAPI.{module}"), "_API_ENDPOINT", "https://api.permutive.app/other"
    ):
        call(api_key=KEY)
    assert [each.path for each in server.received[before:]] == ["/other"]


# --- http.get and its like -----------------------------------------------------------------------


def stub_get(api_key: str, url: str, params: Any = None) -> Any:
    """Return what 5.4.4's ``get`` would return, for every collection."""
    if url == COHORTS:
        return OnlyJson([COHORT])
    if url.startswith(COHORTS):
        return OnlyJson(COHORT)
    if url == IMPORTS:
        return OnlyJson({"items": [IMPORT]})
    if url.endswith("/segments"):
        return OnlyJson({"elements": [SEGMENT], "pagination": {}})
    return OnlyJson(SEGMENT if "/segments/" in url else IMPORT)


READS: List[Tuple[str, Callable[[], Any]]] = [
    ("Cohort.list", lambda: Cohort.list(KEY)),
    ("Cohort.list+", lambda: Cohort.list(KEY, include_details=True)),
    ("Cohort.get_by_id", lambda: Cohort.get_by_id("c-1", KEY)),
    ("Cohort.get_by_name", lambda: Cohort.get_by_name("Readers", KEY)),
    ("Cohort.get_by_code", lambda: Cohort.get_by_code(12345, KEY)),
    ("Segment.list", lambda: Segment.list("i-1", KEY)),
    ("Segment.get_by_id", lambda: Segment.get_by_id("i-1", "s-1", KEY)),
    ("Segment.get_by_code", lambda: Segment.get_by_code("i-1", "1234", KEY)),
    ("Import.list", lambda: Import.list(KEY)),
    ("Import.list+", lambda: Import.list(KEY, include_details=True)),
    ("Import.get_by_id", lambda: Import.get_by_id("i-1", KEY)),
    ("Import.get_by_id+", lambda: Import.get_by_id("i-1", KEY, True)),
]


@pytest.mark.parametrize("read", [e[1] for e in READS], ids=[e[0] for e in READS])
def test_replaced_get_answers_every_read(
    read: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replaced ``http.get`` is called for every read, and only ``json()`` of its result is used."""
    fake = MagicMock(side_effect=stub_get)
    monkeypatch.setattr(http, "get", fake)
    assert read()
    assert fake.called


def _segment() -> Segment:
    return Segment("1234", "Flyers", "i-1", id="s-1")


def _cohort() -> Cohort:
    return Cohort("Readers", id="c-1", query={"type": "users"})


WRITES: List[Tuple[str, Callable[[], Any], str, Any]] = [
    ("post", lambda: _cohort().create(KEY), COHORTS, COHORT),
    ("patch", lambda: _cohort().update(KEY), f"{COHORTS}c-1", COHORT),
    ("delete", lambda: _cohort().delete(KEY), f"{COHORTS}c-1", None),
    ("post", lambda: _segment().create(KEY), f"{IMPORTS}/i-1/segments", SEGMENT),
    ("patch", lambda: _segment().update(KEY), f"{IMPORTS}/i-1/segments/s-1", SEGMENT),
    ("delete", lambda: _segment().delete(KEY), f"{IMPORTS}/i-1/segments/s-1", SEGMENT),
    ("post", lambda: Identity("u", []).identify(KEY), IDENTIFY, {}),
]


@pytest.mark.parametrize("verb, write, url, body", WRITES)
@pytest.mark.parametrize(
    "module", ["PermutiveAPI._Utils.http", "PermutiveAPI.Identify.Identity.http"]
)
def test_replaced_verb_takes_every_write(
    module: str, verb: str, write: Callable[[], Any], url: str, body: Any
) -> None:
    """A verb that is replaced under any path of the module gets the writes of every model, by keyword."""
    with patch(f"{module}.{verb}", return_value=OnlyJson(body)) as fake:
        write()
    (), kwargs = fake.call_args
    names = {"api_key", "url"} | ({"data"} if verb != "delete" else set())
    assert set(kwargs) == names
    assert (kwargs["api_key"], kwargs["url"]) == (KEY, url)


def test_removing_a_verb_of_http(server: FakeService) -> None:
    """When ``http.post`` is restored, the model's calls reach the service again."""
    identity = Identity("u", [Alias("a", "email", 1)])
    with patch("PermutiveAPI.Identify.Identity.http.post") as post:
        identity.identify(KEY)
    assert post.call_count == 1 and server.received == []
    identity.identify(KEY)
    assert server.received[0].json == {
        "user_id": "u",
        "aliases": [{"id": "a", "tag": "email", "priority": 1}],
    }


# --- http.request ----------------------------------------------------------------------------------


def test_replaced_request_serves_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced ``http.request`` is called by ``send`` with exactly the six arguments of 5.4.4."""
    fake = Recorder(OnlyJson({"cohorts": ["1"]}))
    monkeypatch.setattr(http, "request", fake)
    event = Event("Pageview", "2025-07-01T15:39:11.594Z")
    answered = Segmentation([event], "u", activations=True).send(KEY, timeout=2.0)
    assert answered == {"cohorts": ["1"]}
    assert fake.calls == [
        (
            (),
            {
                "method": "POST",
                "api_key": KEY,
                "url": SEGMENTATION,
                "params": {"activations": "true", "synchronous-validation": "false"},
                "json": {
                    "events": [
                        {"name": "Pageview", "time": "2025-07-01T15:39:11.594Z", "properties": {}}
                    ],
                    "user_id": "u",
                },
                "timeout": 2.0,
            },
        )
    ]


@pytest.mark.parametrize("name", BATCHES)
def test_replaced_request_serves_every_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced ``http.request`` is called for every batch, with three positional arguments and five keywords."""
    fake = Recorder(OnlyJson({**IMPORT, **SEGMENT, **COHORT}))
    monkeypatch.setattr(http, "request", fake)
    succeeded, failures = BATCHES[name]()
    assert (len(succeeded), failures) == (1, [])
    (method, key, url), kwargs = fake.calls[0]
    assert method in ("GET", "POST", "PATCH", "DELETE")
    assert key == KEY
    assert url.startswith("https://api.permutive.")
    assert list(kwargs) == ["params", "json", "headers", "timeout", "retry"]


@pytest.mark.parametrize("name", BATCHES)
def test_failing_request_lands_in_failures(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failures of a batch have the same exception that a replaced ``http.request`` raised."""
    boom = RuntimeError("boom")
    monkeypatch.setattr(http, "request", Recorder(boom))
    succeeded, failures = BATCHES[name]()
    assert len(succeeded) == 0
    ((request, error),) = failures
    assert isinstance(request, BatchRequest)
    assert error is boom


def test_process_batch_reads_nothing_from_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """``process_batch`` returns any object that a replaced ``http.request`` returns."""
    answers = [OnlyJson(n) for n in range(4)]

    def stub(
        method: str,
        api_key: str,
        url: str,
        *,
        params: Any,
        json: Any,
        headers: Any,
        timeout: Any,
        retry: Any,
    ) -> Any:
        return answers[int(url[-1])]

    monkeypatch.setattr(http, "request", stub)
    requests_ = [BatchRequest("GET", f"https://host/{n}") for n in range(4)]
    responses, errors = http.process_batch(requests_, api_key=KEY, max_workers=2)
    assert all(a is b for a, b in zip(responses, answers, strict=True)) and len(responses) == 4
    assert errors == []


def test_batches_pass_requests_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field of a BatchRequest is passed to a replaced ``http.request`` as the same object."""
    fake = Recorder(OnlyJson(None))
    monkeypatch.setattr(http, "request", fake)
    retry = http.RetryConfig(1, 1.0, 0.0)
    params, body, headers = {"p": 1}, {"b": 1}, {"H": "1"}
    request = BatchRequest(
        "post", URL, params=params, json=body, headers=headers, timeout=1.5, retry=retry
    )
    http.process_batch([request], api_key=KEY, max_workers=1)
    ((positional, kwargs),) = fake.calls
    assert positional == ("post", KEY, URL)
    assert kwargs["params"] is params
    assert kwargs["json"] is body and request.json is body
    assert kwargs["headers"] is headers
    assert (kwargs["timeout"], kwargs["retry"]) == (1.5, retry)


# --- http._with_retry ------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_replaced_with_retry(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced ``http._with_retry`` gets the verb's own function, the url and the key."""
    seen: List[Any] = []

    def stub(
        method: Any,
        url: str,
        api_key: str,
        *,
        headers: Any = None,
        retry: Any = None,
        **kwargs: Any,
    ) -> Any:
        seen.append((method, url, api_key, kwargs))
        return "answer"

    monkeypatch.setattr(http, "_with_retry", stub)
    assert _call(verb) == "answer"
    assert http.request(verb, KEY, URL) == "answer"
    for method, url, key, kwargs in seen:
        assert method is getattr(requests, verb)
        assert (url, key) == (URL, KEY)
        assert set(kwargs) <= {"params", "json", "timeout"}


def test_replaced_with_retry_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced ``http._with_retry`` is called in the workers of a batch, too."""
    fake = Recorder(OnlyJson({}))
    monkeypatch.setattr(http, "_with_retry", fake)
    responses, errors = Identity.batch_identify([Identity("u", [])], api_key=KEY)
    assert (len(responses), errors) == (1, [])
    assert fake.calls[0][0][0] is requests.post


# --- time.sleep ------------------------------------------------------------------------------------


def test_sleep_records_each_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """While ``time.sleep`` is replaced, it gets one positional number for each wait, growing by the factor."""
    fake = Recorder(None)
    monkeypatch.setattr(http.time, "sleep", fake)
    policy = http.RetryConfig(max_retries=4, backoff_factor=3.0, initial_delay=50.0)
    with patch("requests.get", return_value=bare(500)):
        with pytest.raises(PermutiveServerError):
            http.request("GET", KEY, URL, retry=policy)
    assert [kwargs for _, kwargs in fake.calls] == [{}] * 3
    waits = [wait for (wait,), _ in fake.calls]
    assert all(isinstance(wait, (int, float)) for wait in waits)
    assert 50 <= waits[0] <= 62.5
    assert waits == sorted(waits)
    assert waits[-1] <= 120


def test_sleep_is_replaced_in_workers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replaced ``time.sleep`` is called by the workers of a batch, which take no real time."""
    fake = Recorder(None)
    monkeypatch.setattr("PermutiveAPI._Utils.http.time.sleep", fake)
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "60")
    with patch("requests.post", return_value=bare(503)):
        _, failures = Identity.batch_identify(
            [Identity(f"u{n}", []) for n in range(3)], api_key=KEY, max_workers=3
        )
    assert [type(error) for _, error in failures] == [PermutiveServerError] * 3
    assert len(fake.calls) == 6
    assert all(len(args) == 1 and kwargs == {} for args, kwargs in fake.calls)


@pytest.mark.parametrize(
    "status, value, wait", [(429, "7", 7.0), (503, "1.5", 1.5), (429, "0", 0.0)]
)
def test_sleep_gets_what_the_service_asks(
    status: int, value: str, wait: float, waits: List[float]
) -> None:
    """A replaced ``time.sleep`` gets the wait that Retry-After asks for."""
    busy = bare(status)
    busy.headers["Retry-After"] = value
    with patch("requests.get", side_effect=[busy, bare(200)]):
        http.get(KEY, URL)
    assert waits == [wait]


def test_sleep_when_removed_waits_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """When ``time.sleep`` is restored, waits take real time."""
    import time

    policy = http.RetryConfig(2, 1.0, 0.05)
    with patch("requests.get", side_effect=[bare(500), bare(200)]):
        began = time.monotonic()
        http.request("GET", KEY, URL, retry=policy)
    assert 0.05 <= time.monotonic() - began < 2


# --- requests' functions given to _with_retry ------------------------------------------------------


def test_own_functions_use_the_pool(server: FakeService) -> None:
    """``requests.post`` itself, given to ``_with_retry``, sends over the pooled connection."""
    for _ in range(3):
        http._with_retry(requests.post, f"{server.url}/x", KEY, json={"a": 1})
    assert [seen.method for seen in server.received] == ["POST"] * 3
    assert server.connections == 1
    assert server.received[0].headers["user-agent"].startswith("PermutiveAPI/")
    assert server.received[0].query["k"] == [KEY]


def test_own_post_is_not_repeated(server: FakeService, waits: List[float]) -> None:
    """``requests.post`` itself is not repeated if the service may have processed the request."""
    from tests.support.fake_service import reset

    server.default = reset()
    with pytest.raises(PermutiveConnectionError, match="after 1 attempts") as caught:
        http._with_retry(requests.post, f"{server.url}/x", KEY, json={})
    assert "outcome is unknown" in str(caught.value)
    assert (len(server.received), waits) == (1, [])


def test_answers_of_the_scripted_kind(server: FakeService) -> None:
    """``requests.get`` given to ``_with_retry`` returns the service's response."""
    server.default = answer(200, {"x": 1})
    response = http._with_retry(requests.get, f"{server.url}/x", KEY, params={"p": "1"})
    assert response.json() == {"x": 1}
    assert server.received[0].query == {"p": ["1"], "k": [KEY]}


def test_verbs_stay_plain_functions() -> None:
    """The verbs are plain functions, so that users can wrap and inspect them."""
    for name in (*VERBS, "request", "_with_retry", "process_batch"):
        assert inspect.isfunction(getattr(http, name))


@pytest.mark.parametrize("name", ["request", "_with_retry"])
def test_removing_a_replaced_function_of_a_batch(name: str, server: FakeService) -> None:
    """When ``http.request`` or ``http._with_retry`` is restored, batches reach the service again."""
    identities = [Identity(f"u{n}", []) for n in range(6)]
    with patch.object(http, name, Recorder(OnlyJson({}))):
        Identity.batch_identify(identities, api_key=KEY, max_workers=2)
    assert server.received == []
    server.default = answer(200, {"user_id": "u"})
    responses, failures = Identity.batch_identify(identities, api_key=KEY, max_workers=2)
    assert (len(responses), failures) == (6, [])
    assert sorted(seen.json["user_id"] for seen in server.received) == [f"u{n}" for n in range(6)]
    assert server.connections <= 2


class Fixed(Exception):
    """An exception whose arguments cannot be set."""

    @property
    # Read-only, as some libraries make it; BaseException declares an attribute.
    def args(self) -> Any:  # type: ignore[override]
        """Return the text."""
        return ("cannot be set",)


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (RuntimeError(f"no call of ?k={KEY} was expected", 5), "no call of ?k=[REDACTED]"),
        (Fixed(), ""),
    ],
    ids=["text", "fixed"],
)
def test_what_a_fake_raises_reaches_the_caller_without_the_key(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, text: str
) -> None:
    """An exception of another library is raised unchanged, except that its texts hide the key."""

    def fake(url: str, **options: Any) -> Any:
        raise raised

    monkeypatch.setattr(requests, "get", fake)
    with pytest.raises(type(raised)) as caught:
        http.get(KEY, "https://h/x")
    assert caught.value is raised
    assert text in str(raised.args) and KEY not in f"{raised} {raised!r}"


EARLY = """
import time
from unittest import mock

sleeps = []
with mock.patch("requests.get") as get, mock.patch("time.sleep", sleeps.append):
    from PermutiveAPI import Cohort
    from PermutiveAPI._Utils import http

    get.return_value.status_code = 200
    get.return_value.json.return_value = []
    assert Cohort.list("key") == [] and get.call_count == 1
    get.return_value.status_code = 503
    get.return_value.headers = {}
    request = http.BatchRequest("GET", "https://api.permutive.app/x")
    http.process_batch([request], api_key="key", max_workers=1)
    assert len(sleeps) == 2, sleeps
"""

IN_PATCHED_MODULES = """
import sys
from unittest import mock

with mock.patch.dict(sys.modules, {"a_module_of_the_test": mock.Mock()}):
    from PermutiveAPI import BatchRequest, Cohort, CohortList, PermutiveAPIError, Segment
    from PermutiveAPI._Utils import http

assert "PermutiveAPI" not in sys.modules
assert "one" in repr(CohortList([Cohort("one")]))  # This imports the package a second time.
cohorts = [Cohort(name, query={"in_segment": 1}) for name in ("one", "two")]
with mock.patch.object(http, "request", mock.Mock(side_effect=PermutiveAPIError("refused"))):
    _, failures = Cohort.batch_create(cohorts, api_key="key")
assert all(isinstance(request, BatchRequest) for request, _ in failures)
assert [request.item for request, _ in failures] == cohorts
assert sys.modules["PermutiveAPI.Audience.Segment"].Segment is Segment
"""

IMPORTED_TWICE = """
import sys
from unittest import mock

from PermutiveAPI import Cohort

for name in [name for name in sys.modules if name.startswith("PermutiveAPI")]:
    del sys.modules[name]
import PermutiveAPI as second

assert second.Cohort is not Cohort
for own in (second.Cohort, Cohort, second.Cohort):
    with mock.patch("requests.get") as get:
        get.return_value.status_code = 200
        get.return_value.json.return_value = {"id": "1", "name": "one"}
        found, _ = own.batch_get_by_id(["1"], api_key="key")
    assert type(found["1"]) is own
"""


@pytest.mark.parametrize("code", [EARLY, IN_PATCHED_MODULES, IMPORTED_TWICE])
def test_a_replacement_before_the_first_import_takes_effect(code: str) -> None:
    """What is replaced before the library is imported is used, too, and nothing reaches the network."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


OTHER_URLLIB3 = """
import urllib3.connection
import urllib3.connectionpool

class Other:
    def __init__(self, *arguments, _real=urllib3.connection.HTTPConnection, **named):
        vars(self)["real"] = _real(*arguments, **named)

    def __getattr__(self, name):
        return getattr(self.real, name)

    def __setattr__(self, name, value):
        setattr(self.real, name, value)

urllib3.connection.HTTPConnection = urllib3.connectionpool.HTTPConnectionPool.ConnectionCls = Other
from PermutiveAPI import Cohort
from PermutiveAPI._Utils import http

Cohort("one", query={"in_segment": 1}).create("any-key")
responses, _ = http.process_batch(
    [http.BatchRequest("GET", "https://api.permutive.app/x")] * 2, api_key="any-key"
)
assert [each.url.partition("?")[2] for each in responses] == ["k=[REDACTED]"] * 2
"""


def test_a_package_in_the_place_of_urllib3(server: FakeService) -> None:
    """Its connections are used as they are, although those of the library cannot be derived from them."""
    server.default = answer(200, COHORT)
    done = subprocess.run(
        [sys.executable, "-c", OTHER_URLLIB3], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [each.query["k"] for each in server.received] == [["any-key"]] * 3
