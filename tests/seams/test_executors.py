"""Fakes for ``http.ThreadPoolExecutor``."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from typing import Any, Callable, Dict, List
from unittest.mock import patch

import pytest

from PermutiveAPI import (
    BatchRequest,
    Cohort,
    Event,
    Identity,
    Import,
    Progress,
    Segment,
    Segmentation,
)
from PermutiveAPI._Utils import http
from tests.support.calls import COHORT, IMPORT, SEGMENT
from tests.support.fakes import KEY, OnlyJson, Recorder
from tests.support.rows import for_each

BODY = {**IMPORT, **SEGMENT, **COHORT}

BATCHES: Dict[str, Callable[..., Any]] = {
    "process_batch": lambda **o: http.process_batch(
        [BatchRequest("GET", "https://api.permutive.app/x")], api_key=KEY, **o
    ),
    "Identity.batch_identify": lambda **o: Identity.batch_identify(
        [Identity("u", [])], api_key=KEY, **o
    ),
    "Segmentation.batch_send": lambda **o: Segmentation.batch_send(
        [Segmentation([Event("e", "t")], "u")], api_key=KEY, **o
    ),
    "Cohort.batch_create": lambda **o: Cohort.batch_create(
        [Cohort("n", query={"q": 1})], api_key=KEY, **o
    ),
    "Cohort.batch_update": lambda **o: Cohort.batch_update([Cohort("n", id="1")], api_key=KEY, **o),
    "Cohort.batch_delete": lambda **o: Cohort.batch_delete([Cohort("n", id="1")], api_key=KEY, **o),
    "Segment.batch_create": lambda **o: Segment.batch_create(
        [Segment("c", "n", "i")], api_key=KEY, **o
    ),
    "Segment.batch_update": lambda **o: Segment.batch_update(
        [Segment("c", "n", "i", "s")], api_key=KEY, **o
    ),
    "Segment.batch_delete": lambda **o: Segment.batch_delete(
        [Segment("c", "n", "i", "s")], api_key=KEY, **o
    ),
    "Import.batch_get_by_id": lambda **o: Import.batch_get_by_id(["i"], api_key=KEY, **o),
}


@pytest.fixture
def request_stub(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A replaced ``http.request`` that answers for every model."""
    stub = Recorder(OnlyJson(BODY))
    monkeypatch.setattr(http, "request", stub)
    return stub


@pytest.mark.parametrize("name", BATCHES)
def test_max_workers_as_given(name: str, executors: List[Any], request_stub: Recorder) -> None:
    """The executor is made with max_workers as given, also when there are fewer requests."""
    for workers in (1, 500, None):
        succeeded, failures = BATCHES[name](max_workers=workers)
        assert (len(succeeded), failures) == (1, [])
    assert executors == [1, 500, None]


@pytest.mark.parametrize("name", BATCHES)
def test_max_workers_of_the_environment(
    name: str, executors: List[Any], request_stub: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If max_workers is left out, PERMUTIVE_BATCH_MAX_WORKERS is used."""
    monkeypatch.setenv("PERMUTIVE_BATCH_MAX_WORKERS", " 7 ")
    if name == "process_batch":
        BATCHES[name](max_workers=None)
    else:
        BATCHES[name]()
    assert executors == [7]


def test_only_the_one_argument(monkeypatch: pytest.MonkeyPatch, request_stub: Recorder) -> None:
    """The executor gets max_workers by keyword and no other argument."""
    made: List[Any] = []

    def factory(*args: Any, **kwargs: Any) -> ThreadPoolExecutor:
        made.append((args, kwargs))
        return ThreadPoolExecutor(*args, **kwargs)

    monkeypatch.setattr(http, "ThreadPoolExecutor", factory)
    BATCHES["process_batch"](max_workers=3)
    assert made == [((), {"max_workers": 3})]


def test_dotted_path_of_the_executor(request_stub: Recorder) -> None:
    """``mock.patch`` by dotted path wraps the executor."""
    with patch("PermutiveAPI._Utils.http.ThreadPoolExecutor", wraps=ThreadPoolExecutor) as executor:
        BATCHES["Identity.batch_identify"](max_workers=2)
    executor.assert_called_once_with(max_workers=2)


def test_an_executor_is_replaced_before_the_first_batch() -> None:
    """A replacement takes effect although the runner was not imported yet, and the class comes back."""
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch
from PermutiveAPI._Utils import http
assert "PermutiveAPI._Utils.batch.runner" not in sys.modules
http.request = lambda *args, **kwargs: "response"
requests = [http.BatchRequest("GET", "https://host/")]
with patch.object(http, "ThreadPoolExecutor", wraps=ThreadPoolExecutor) as executor:
    assert http.process_batch(requests, api_key="key", max_workers=2) == (["response"], [])
executor.assert_called_once_with(max_workers=2)
assert http.ThreadPoolExecutor is ThreadPoolExecutor
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_executor_that_is_replaced_elsewhere_stays_there() -> None:
    """A replacement in ``concurrent.futures``, during the first batch, does not become that of batches."""
    code = """
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch
from PermutiveAPI._Utils import http
with patch("concurrent.futures.ThreadPoolExecutor"):
    assert http.ThreadPoolExecutor is ThreadPoolExecutor
assert http.ThreadPoolExecutor is ThreadPoolExecutor
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def _counting(submit: Any, calls: List[Any]) -> Callable[..., Any]:
    """Return a function in the place of ``submit``, which some people's tests let make the call at once."""

    def counted(*args: Any) -> Any:
        calls.append(args)
        return submit(*args)

    return counted


@for_each("wrapped", [False, True])
def test_a_replaced_submit_gets_each_call(wrapped: bool, request_stub: Recorder) -> None:
    """``submit`` of the real class, or of one pool, may be replaced, also by a wrapper."""
    of_class: List[Any] = []
    of_pool: List[Any] = []
    submit = ThreadPoolExecutor.submit
    replacement: Any = _counting(submit, of_class)
    if wrapped:
        functools.update_wrapper(replacement, submit)

    def new_pool(**options: Any) -> Any:
        pool = ThreadPoolExecutor(**options)
        vars(pool)["submit"] = _counting(pool.submit, of_pool)
        return pool

    requests = [BatchRequest("GET", "https://api.permutive.app/x")] * 3
    with patch.object(ThreadPoolExecutor, "submit", replacement):
        http.process_batch(requests, api_key=KEY, max_workers=1)
    with patch.object(http, "ThreadPoolExecutor", new_pool):
        http.process_batch(requests, api_key=KEY, max_workers=1)
    assert (len(of_class), len(of_pool)) == (3, 3)


def test_a_pool_whose_threads_cannot_begin(
    request_stub: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function that makes a real pool gets each call, too: what breaks the pool is each request's failure."""

    def broken(max_workers: Any) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers, initializer=int, initargs=("x",))

    monkeypatch.setattr(http, "ThreadPoolExecutor", broken)
    succeeded, failures = BATCHES["process_batch"](max_workers=2)
    assert (succeeded, [type(error) for _, error in failures]) == ([], [BrokenThreadPool])


def test_everything_runs_in_the_fake(executors: List[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With futures that are done at once, no thread is started, and progress still counts up."""
    threads: List[Any] = []
    events: List[Any] = []

    def stub(*args: Any, **kwargs: Any) -> Any:
        threads.append(threading.current_thread())
        if args[2].endswith("3"):
            raise RuntimeError("boom")
        return args[2]

    monkeypatch.setattr(http, "request", stub)

    def succeeded(response: Any) -> None:
        events.append(("callback", response[-1]))

    def failed(error: Exception) -> None:
        events.append(("error_callback", str(error)))

    requests_ = [
        BatchRequest("GET", f"https://host/{n}", callback=succeeded, error_callback=failed)
        for n in range(5)
    ]

    def progressed(progress: Progress) -> None:
        events.append(("progress", progress.completed))
        assert progress.total == 5
        assert progress.batch_request is requests_[progress.completed - 1]

    responses: Any
    responses, errors = http.process_batch(
        requests_, api_key=KEY, max_workers=1, progress_callback=progressed
    )
    assert [each[-1] for each in responses] == list("0124")
    assert [(request, str(error)) for request, error in errors] == [(requests_[3], "boom")]
    assert set(threads) == {threading.current_thread()}
    assert events == [
        ("callback", "0"),
        ("progress", 1),
        ("callback", "1"),
        ("progress", 2),
        ("callback", "2"),
        ("progress", 3),
        ("error_callback", "boom"),
        ("progress", 4),
        ("callback", "4"),
        ("progress", 5),
    ]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_many_requests_on_done_futures(
    count: int, executors: List[Any], request_stub: Recorder
) -> None:
    """However many requests there are, each is submitted and counted once."""
    seen: List[int] = []
    identities = [Identity(f"u{n}", []) for n in range(count)]
    responses, failures = Identity.batch_identify(
        identities,
        api_key=KEY,
        max_workers=4,
        progress_callback=lambda progress: seen.append(progress.completed),
    )
    assert (len(responses), failures) == (count, [])
    assert seen == list(range(1, count + 1))
    assert len(request_stub.calls) == count


def test_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch, request_stub: Recorder) -> None:
    """An executor may complete calls in its own thread and in its own order."""

    class Backwards:
        def __init__(self, max_workers: Any) -> None:
            self.waiting: List[Any] = []
            self.inner = ThreadPoolExecutor(max_workers)

        def __enter__(self) -> "Backwards":
            return self

        def __exit__(self, *exception: Any) -> None:
            self.inner.__exit__(None, None, None)

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
            return self.inner.submit(fn, *args, **kwargs)

    monkeypatch.setattr(http, "ThreadPoolExecutor", Backwards)
    bodies, failures = Segmentation.batch_send(
        [Segmentation([], f"u{n}") for n in range(30)], api_key=KEY, max_workers=5
    )
    assert (len(bodies), failures) == (30, [])


def test_an_empty_iterable(executors: List[Any]) -> None:
    """A batch of an iterable that turns out to be empty starts no executor either."""
    assert Cohort.batch_update(iter([]), api_key=KEY) == ([], [])
    assert Cohort.batch_delete((), api_key=KEY) == ([], [])
    assert executors == []


def test_removing_the_fake(request_stub: Recorder) -> None:
    """When the fake is gone, batches run on threads again, and leave none behind."""
    with patch.object(http, "ThreadPoolExecutor", wraps=ThreadPoolExecutor):
        BATCHES["Cohort.batch_create"](max_workers=1)
    names: List[str] = []
    inner = request_stub

    def stub(*args: Any, **kwargs: Any) -> Any:
        names.append(threading.current_thread().name)
        return inner(*args, **kwargs)

    with patch.object(http, "request", stub):
        BATCHES["Cohort.batch_create"](max_workers=1)
    assert http.ThreadPoolExecutor is ThreadPoolExecutor
    assert names and names[0] != threading.current_thread().name
    assert not [each for each in threading.enumerate() if each.name in names]
