"""The items of helpers' requests, and items that cannot be sent."""

from __future__ import annotations

import json
import logging
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, cast

import pytest
import requests

from PermutiveAPI import (
    Alias,
    BatchRequest,
    Cohort,
    ContextSegment,
    Event,
    Identity,
    Import,
    PermutiveAPIError,
    PermutiveInvalidRequestError,
    Segment,
    Segmentation,
    TrackedEvent,
    stream_batch,
)
from PermutiveAPI._Utils import http
from tests.support.calls import (
    COHORT,
    IMPORT,
    KEY,
    SEGMENTED,
    cohort,
    identity,
    page,
    segment,
    segmentation,
    tracked,
)
from tests.support.fake_service import FakeService, ReceivedRequest, answer, answer_from, reset
from tests.wire.test_executors import Recording

# A batch helper, one of its items, and a text that is in the repr() of the item and of its request.
BATCHES: List[Any] = [
    pytest.param(Cohort.batch_create, lambda: cohort(name="N-1"), "N-1"),
    pytest.param(Cohort.batch_update, lambda: cohort(id="c-1"), "c-1"),
    pytest.param(Cohort.batch_delete, lambda: cohort(id="c-1"), "c-1"),
    pytest.param(Cohort.batch_enable, lambda: cohort(id="c-1"), "c-1"),
    pytest.param(Cohort.batch_disable, lambda: cohort(id="c-1"), "c-1"),
    pytest.param(Cohort.batch_get_by_id, lambda: "c-1", "c-1"),
    pytest.param(Segment.batch_create, lambda: segment(), "1234"),
    pytest.param(Segment.batch_update, lambda: segment(id="s-1"), "s-1"),
    pytest.param(Segment.batch_delete, lambda: segment(id="s-1"), "s-1"),
    pytest.param(Import.batch_get_by_id, lambda: "i-1", "i-1"),
    pytest.param(Identity.batch_identify, identity, "a@b.c"),
    pytest.param(Identity.batch_resolve, identity, "a@b.c"),
    pytest.param(Segmentation.batch_send, segmentation, "Pageview"),
    pytest.param(TrackedEvent.batch_track, tracked, "Pageview"),
    pytest.param(ContextSegment.batch_send, page, "h.example/sport"),
]
EVERYTHING: Dict[str, Any] = {**COHORT, **IMPORT, **SEGMENTED, "import_id": "i-1", "cohorts": []}


@pytest.mark.parametrize(
    ("helper", "make", "shown"), BATCHES, ids=[each.values[0].__qualname__ for each in BATCHES]
)
def test_failures_can_be_sent_again(
    server: FakeService, helper: Any, make: Callable[[], Any], shown: str
) -> None:
    """A failure's request has the item and shows it, and the items can be sent again."""
    server.script = [answer(400, {"error": {"cause": "odd"}})]
    server.default = answer(200, EVERYTHING)
    item = make()
    _, failures = helper([item], api_key=KEY)
    [(request, _)] = failures
    assert request.item is item
    assert shown in repr(request) and KEY not in repr(request)
    _, failures = helper([request.item for request, error in failures], api_key=KEY)
    assert failures == []
    assert [seen.body for seen in server.received[:1]] == [
        seen.body for seen in server.received[1:]
    ]


STREAMS: List[Any] = [
    pytest.param(Identity.stream_identify, identity, id="stream_identify"),
    pytest.param(Identity.stream_resolve, identity, id="stream_resolve"),
    pytest.param(Segmentation.stream_send, segmentation, id="stream_send"),
    pytest.param(TrackedEvent.stream_track, tracked, id="stream_track"),
]


@pytest.mark.parametrize(("helper", "make"), STREAMS)
def test_results_of_streams_hold_their_items(
    server: FakeService, helper: Any, make: Callable[[], Any]
) -> None:
    """Each result of a stream has its item."""
    server.default = answer(200, EVERYTHING)
    items = [make() for _ in range(5)]
    results = list(helper(iter(items), api_key=KEY))
    assert sorted(result.index for result in results) == list(range(5))
    assert all(result.item is items[result.index] for result in results)


HELPERS = [each.values[:2] for each in BATCHES + STREAMS]


def test_a_journal_names_its_helper(server: FakeService, tmp_path: Path) -> None:
    """The first line of a journal names the helper that it belongs to."""
    server.default = answer(200, EVERYTHING)
    named: Dict[str, str] = {}
    for number, (helper, make) in enumerate(HELPERS):
        journal = tmp_path / str(number)
        list(helper(iter([make()]), api_key=KEY, journal=journal))
        head = json.loads(journal.read_text().splitlines()[0])
        named[helper.__qualname__] = head["helper"]
    assert named == {name: name for name in named}
    assert len(named) == len(HELPERS)


def test_a_plain_request_has_no_item(server: FakeService) -> None:
    """The item of a request that no helper has made is None."""
    request = BatchRequest("GET", "https://api.permutive.app/v9/things")
    [result] = stream_batch([request], api_key=KEY)
    assert (request.item, result.item) == (None, None)


# --- Items that cannot be sent --------------------------------------------------------------------

NAN = float("nan")
EVENT = Event("Pageview", "2025-07-01T15:39:11Z")
UNSENDABLE: List[Any] = [
    pytest.param(
        Identity.stream_identify,
        identity,
        Identity("u", [Alias("a", "t", cast(Any, NAN))]),
        r"identities\[1\]\.aliases\[0\]\.priority: nan",
        id="identify NaN",
    ),
    pytest.param(
        Segmentation.stream_send,
        segmentation,
        Segmentation([EVENT] * 11, "u"),
        "at most 10",
        id="send 11 events",
    ),
    pytest.param(
        Segmentation.stream_send,
        segmentation,
        Segmentation([EVENT]),
        "Give exactly one of user_id",
        id="send without a user",
    ),
    pytest.param(
        Segmentation.stream_send,
        segmentation,
        Segmentation(cast(Any, 5), "u"),
        "events must be a list",
        id="send no list",
    ),
    pytest.param(
        TrackedEvent.stream_track,
        tracked,
        TrackedEvent("Page view", "u"),
        "letters, digits and underscores",
        id="track a name with a space",
    ),
]


@pytest.mark.parametrize(("helper", "make", "bad", "text"), UNSENDABLE)
def test_an_item_that_cannot_be_sent_does_not_end_a_stream(
    server: FakeService, helper: Any, make: Callable[[], Any], bad: Any, text: str
) -> None:
    """The result of an item that cannot be sent has the error; the other items are sent."""
    server.default = answer(200, EVERYTHING)
    items = [make(), bad, make(), make()]
    results = {each.index: each for each in helper(iter(items), api_key=KEY)}
    assert [results[index].error is None for index in range(4)] == [True, False, True, True]
    failed = results[1]
    assert failed.item is bad and failed.response is None and failed.value is None
    with pytest.raises((ValueError, TypeError), match=text):
        raise failed.error
    assert len(server.received) == 3


class Unpicklable(Exception):
    """An exception of a user's own mapping, which cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("odd")
        self.lock = threading.Lock()


class Odd(Dict[str, Any]):
    """A user's own mapping, which cannot be read."""

    def items(self) -> Any:
        """Fail."""
        raise Unpicklable


def test_an_item_that_cannot_be_sent_goes_to_no_other_process(server: FakeService) -> None:
    """An item that cannot be sent fails in the caller's process, with its own error."""
    server.default = answer(200, SEGMENTED)
    odd = Segmentation([Event("e", "now", Odd())], "u")
    executor = Recording()
    results = Segmentation.stream_send([odd, segmentation(), odd], api_key=KEY, executor=executor)
    found = {result.index: result.error for result in results}
    assert [type(found[index]) for index in range(3)] == [Unpicklable, type(None), Unpicklable]
    assert (len(executor.pickled), len(server.received)) == (1, 1)


def test_a_batch_refuses_an_item_before_anything_is_sent(server: FakeService) -> None:
    """A batch checks all its items before it sends anything."""
    too_many = Segmentation([EVENT] * 11, "u")
    with pytest.raises(PermutiveInvalidRequestError, match="at most 10"):
        Segmentation.batch_send([segmentation(), too_many], api_key=KEY)
    for call in (too_many.send, too_many.send_stateless):
        with pytest.raises(PermutiveInvalidRequestError, match="at most 10") as raised:
            call(KEY)
        assert isinstance(raised.value, (PermutiveAPIError, ValueError))
        assert raised.value.status is None
    assert server.connections == 0
    for nobody in (Segmentation([EVENT]), Segmentation([EVENT], "")):
        with pytest.raises(PermutiveInvalidRequestError, match="user_id"):
            nobody.send(KEY)
    assert server.connections == 0
    server.default = answer(200, SEGMENTED)
    Segmentation([EVENT] * 10, "u").send(KEY)
    assert len(server.received[0].json["events"]) == 10


def test_sent_requests_are_reported_before_a_wrong_item_raises(
    server: FakeService, tmp_path: Path
) -> None:
    """An item of a wrong kind ends a stream, after all sent requests are reported and recorded."""
    server.default = answer(200, EVERYTHING)
    journal = tmp_path / "journal"
    told: List[int] = []

    def items() -> Iterator[Any]:
        yield from (Identity(f"u-{number}", []) for number in range(6))
        yield "u-6"

    with pytest.raises(TypeError, match=r"^identities\[6\] must be of type Identity, got str"):
        for result in Identity.stream_identify(items(), api_key=KEY, journal=journal):
            assert result.error is None
            told.append(result.index)
    assert sorted(told) == list(range(6)) and len(server.received) == 6
    assert len(journal.read_text().splitlines()) == 1 + 6


# --- Contexts of workers, and log records -------------------------------------------------------------

TENANT: ContextVar[str] = ContextVar("tenant", default="nobody")


@pytest.mark.parametrize(
    "work",
    [
        lambda: Cohort.batch_get_by_id(["1", "2", "3"], api_key=KEY),
        lambda: Cohort.list(KEY, include_details=True),
    ],
    ids=["batch", "details"],
)
def test_workers_run_in_the_callers_context(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]
) -> None:
    """Tools that watch the requests see the caller's context variables."""

    def content_of(request: ReceivedRequest) -> Any:
        return [COHORT] * 3 if request.path.endswith("/") else COHORT

    tenants: List[str] = []
    send = requests.Session.send

    def watched(*args: Any, **kwargs: Any) -> Any:
        tenants.append(TENANT.get())
        TENANT.set("somebody else")
        return send(*args, **kwargs)

    server.default = answer_from(content_of)
    monkeypatch.setattr(requests.Session, "send", watched)
    token = TENANT.set("me")
    try:
        work()
    finally:
        # The list itself is fetched in the caller's own context.
        TENANT.reset(token)
    assert len(tenants) >= 3 and set(tenants[-3:]) <= {"me", "somebody else"}
    assert tenants[0] == "me"


def test_each_call_of_a_batch_has_a_context_of_its_own(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A context variable that one call sets is seen neither by the next call of the worker nor by the caller."""
    tenants: List[str] = []
    send = requests.Session.send

    def watched(*args: Any, **kwargs: Any) -> Any:
        tenants.append(TENANT.get())
        TENANT.set("of one call")
        return send(*args, **kwargs)

    server.default = answer(200, COHORT)
    monkeypatch.setattr(requests.Session, "send", watched)
    Cohort.batch_get_by_id(["1", "2", "3"], api_key=KEY, max_workers=1)
    assert tenants == ["nobody"] * 3
    assert TENANT.get() == "nobody"


def test_records_of_retries_name_the_request(
    server: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """The log record of a retry names the method, the path and, in a batch, the item, but no key and no parameters."""
    caplog.set_level(logging.INFO, logger="PermutiveAPI")
    server.script = [answer(503), answer(200, COHORT), answer(503)]
    server.default = answer(200, COHORT)
    cohort(id="c-1").update(KEY)
    Cohort.batch_disable([cohort(id="c-2")], api_key=KEY)
    single, batched = [
        record.getMessage() for record in caplog.records if "attempt 1" in record.getMessage()
    ]
    path = "/cohorts-api/v2/cohorts/"
    assert single.startswith(f"PATCH {path}c-1: attempt 1 failed (status 503), next in 0.0")
    assert batched.startswith(f"PATCH {path}c-2 (item 0 of the batch): attempt 1 failed (")
    assert KEY not in caplog.text


def test_a_final_failure_of_a_batch_is_logged(
    server: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """A WARNING for each failed request names it and its status, but no body and no user."""
    refused = answer(400, {"error": {"cause": "u-secret"}})
    server.script = [answer(200), refused, *[reset()] * 3]
    users = [Identity(f"u-{number}", []) for number in range(3)]
    _, failures = Identity.batch_identify(users, api_key=KEY, max_workers=1)
    assert [request.item for request, _ in failures] == users[1:]
    warnings = [each for each in caplog.records if each.levelname == "WARNING"]
    assert {record.name for record in warnings} == {"PermutiveAPI"}
    assert [record.getMessage() for record in warnings] == [
        "POST /v2.0/identify (item 1 of the batch) failed: PermutiveBadRequestError, status 400",
        "POST /v2.0/identify (item 2 of the batch) failed: PermutiveConnectionError",
    ]


def test_users_in_urls_are_not_logged(
    server: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """The log record of a request whose URL contains a user's id does not show the id."""
    caplog.set_level(logging.INFO, logger="PermutiveAPI")
    server.script = [answer(503)]
    server.default = answer(200, [])
    Identity.list_aliases("u-secret", KEY)
    assert "GET /v2.0/users/[REDACTED]/aliases: attempt 1 failed" in caplog.text
    assert "u-secret" not in caplog.text


def test_a_callable_without_a_verb_is_logged_as_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """Log records name a callable without a verb "REQUEST"."""
    caplog.set_level(logging.INFO, logger="PermutiveAPI")
    answers = [503, 200]

    def method(url: str, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = answers.pop(0)
        return response

    http._with_retry(method, "https://h/p?x=1", KEY)
    assert caplog.messages[0].startswith("REQUEST /p: attempt 1 failed (status 503)")


def test_an_item_that_was_not_sent_tells_its_request(
    server: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """The result of a refused item has the item, and the log record names the request that it would have been."""
    too_many = Segmentation([EVENT] * 11, "u")
    [result] = Segmentation.stream_send([too_many], api_key=KEY)
    assert isinstance(result.error, PermutiveInvalidRequestError)
    assert result.item is too_many
    assert caplog.messages == [
        "POST /ccs/v1/segmentation (item 0 of the batch) failed: PermutiveInvalidRequestError"
    ]
    assert server.received == []
