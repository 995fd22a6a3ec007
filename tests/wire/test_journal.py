"""A journal: the same job, started again, sends only what is not done; no other job may use it."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, nullcontext
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List

import pytest

from PermutiveAPI import (
    BatchRequest,
    Cohort,
    Identity,
    PermutiveBadRequestError,
    PermutiveInvalidRequestError,
    Progress,
    Segment,
    Segmentation,
    stream_batch,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch import journal as module
from PermutiveAPI._Utils.batch import workers
from tests.support.calls import (
    ALL_CALLS,
    KEY,
    SEGMENT,
    SEGMENTED,
    WireCall,
    every,
    identity,
    segmentation,
)
from tests.support.fake_service import Connection, FakeService, answer, stall
from tests.support.fakes import DoneExecutor
from tests.support.platforms import SIGKILL, needs_posix
from tests.support.scripts import start_script
from tests.support.things import URL, numbers
from tests.support.threads import workers_left

LINE_BYTES = 33


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "job.journal"


def things(count: int) -> List[BatchRequest]:
    """Make numbered requests with secret data."""
    return [
        BatchRequest("POST", f"{URL}/{number}", json={"user_id": f"reader-{number}"})
        for number in range(count)
    ]


def run(requests: Any, journal: Any, key: str = KEY) -> Any:
    """Run a job."""
    return http.process_batch(requests, api_key=key, journal=journal)


def refusing(*names: str) -> Callable[[Connection], bool]:
    """Refuse requests whose path ends with one of these names."""

    def step(connection: Connection) -> bool:
        assert connection.request is not None
        refused = connection.request.path.rpartition("/")[2] in names
        return answer(400 if refused else 200, {})(connection)

    return step


# --- Starting again ------------------------------------------------------------------------------


@every([call for call in ALL_CALLS if call.batch])
def test_every_batch_helper_resumes(server: FakeService, journal: Path, call: WireCall) -> None:
    """What failed is sent again; what succeeded is not, and is absent from the results."""
    server.script = [answer(400)]
    server.default = answer(call.status, call.answer)
    _, failures = call.make(api_key=KEY, journal=journal)
    assert len(failures) == 1 and len(server.received) == 1
    results, failures = call.make(api_key=KEY, journal=journal)
    assert (len(results), failures, len(server.received)) == (1, [], 2)
    results, failures = call.make(api_key=KEY, journal=journal)
    assert (len(results), failures, len(server.received)) == (0, [], 2)


def test_a_cohort_that_has_an_id_now_is_not_created_again(
    server: FakeService, journal: Path
) -> None:
    """A journal recognises the same objects, although a response has set their ids and types."""
    server.script = [answer(200, {"id": "1", "segment_type": "Standard"}), answer(400)]
    cohorts = [Cohort(name, query={"in_segment": 1}) for name in ("A", "B")]
    for _ in range(2):
        Cohort.batch_create(cohorts, api_key=KEY, max_workers=1, journal=journal)
    assert cohorts[0].id == "1"
    assert [seen.json["name"] for seen in server.received] == ["A", "B", "B"]


def test_a_segment_with_its_response_is_not_created_again(
    server: FakeService, journal: Path
) -> None:
    """A response may fill in what a segment left out, such as its categories."""
    filled = {**SEGMENT, "code": "A", "name": "n", "description": "", "categories": []}
    server.script = [answer(200, filled), answer(400)]
    segments = [Segment(code, "n", "i-1") for code in ("A", "B")]
    for _ in range(2):
        Segment.batch_create(segments, api_key=KEY, max_workers=1, journal=journal)
    assert segments[0].categories == []
    assert [seen.json["code"] for seen in server.received] == ["A", "B", "B"]


def test_a_journal_of_an_earlier_release(server: FakeService, journal: Path) -> None:
    """Release 5.13 knew a creation by its body. What it has done is not done again."""
    fetched = Cohort("A", id="1", query={"in_segment": 1}, segment_type="Standard")
    Cohort.batch_create([fetched], api_key=KEY, journal=journal)
    [seen] = server.received
    head, *_ = journal.read_bytes().splitlines(keepends=True)
    secret = hashlib.sha256(KEY.encode()).digest()
    content = ["POST", f"{server.url}{seen.path}", None, seen.json]
    line = hashlib.blake2b(json.dumps(content).encode(), digest_size=16, key=secret).hexdigest()
    journal.write_bytes(head + line.encode() + b"\n")
    assert Cohort.batch_create([fetched], api_key=KEY, journal=journal) == ([], [])
    assert len(server.received) == 1


def _identities(**options: Any) -> Any:
    return Identity.stream_identify(iter([identity()]), api_key=KEY, **options)


def _segmentations(**options: Any) -> Any:
    return Segmentation.stream_send(iter([segmentation()]), api_key=KEY, **options)


def _requests(**options: Any) -> Any:
    return stream_batch(iter(things(1)), api_key=KEY, **options)


@pytest.mark.parametrize("stream", [_identities, _segmentations, _requests])
def test_every_stream_helper_resumes(
    server: FakeService, journal: Path, stream: Callable[..., Any]
) -> None:
    """What failed is sent again; what succeeded is not, and is absent from the results."""
    server.script = [answer(400)]
    server.default = answer(200, SEGMENTED)
    [failed] = stream(journal=journal)
    assert isinstance(failed.error, PermutiveBadRequestError)
    [done] = stream(journal=journal)
    assert (done.index, done.error) == (0, None)
    assert list(stream(journal=journal)) == []
    assert len(server.received) == 2


def test_a_response_that_cannot_be_read_is_not_a_success(
    server: FakeService, journal: Path
) -> None:
    """A segmentation whose response cannot be read is sent again."""
    server.script = [answer(200, b"<html>")]
    server.default = answer(200, SEGMENTED)
    [unreadable] = _segmentations(journal=journal)
    assert isinstance(unreadable.error, ValueError)
    [done] = _segmentations(journal=journal)
    assert done.value == SEGMENTED


def test_the_rest_keeps_its_numbers_and_counts_as_completed(
    server: FakeService, journal: Path
) -> None:
    """Results have their positions in the whole job; progress counts skipped requests."""
    server.default = refusing("1", "3")
    _, errors = run(things(5), journal)
    assert len(errors) == 2
    server.received.clear()
    server.default = refusing()
    heard: List[Progress] = []
    responses, errors = http.process_batch(
        things(5), api_key=KEY, journal=journal, progress_callback=heard.append
    )
    assert [one.url.partition("?")[0][-1] for one in responses] == ["1", "3"]
    assert (errors, numbers(server)) == ([], [1, 3])
    assert sorted(each.completed for each in heard) == [1, 2, 3, 4, 5]
    assert {each.total for each in heard} == {5}
    assert heard[-1].errors == 0


def test_a_stream_keeps_the_numbers_of_the_job(server: FakeService, journal: Path) -> None:
    """A result's index is its position in the whole job, even if others are skipped."""
    server.default = refusing("1", "3")
    list(stream_batch(things(5), api_key=KEY, journal=journal))
    server.default = refusing()
    results = list(stream_batch(things(5), api_key=KEY, journal=journal))
    assert sorted(result.index for result in results) == [1, 3]


@pytest.mark.parametrize("answered", [0, 150])
def test_what_is_skipped_is_read_a_little_further_ahead(
    server: FakeService, journal: Path, answered: int
) -> None:
    """At most 128 are read ahead while a journal skips, and only a few after that."""
    list(stream_batch(things(200), api_key=KEY, journal=journal))
    server.script = [answer(200)] * answered
    server.default = stall()
    read: List[int] = []

    def items() -> Iterator[BatchRequest]:
        for number, request in enumerate(things(600)):
            read.append(number)
            yield request

    stream = stream_batch(items(), api_key=KEY, journal=journal, max_workers=1)
    consumer = threading.Thread(target=lambda: list(stream))
    consumer.start()
    assert server.wait_for(lambda: len(server.received) > 200 + answered)
    server.stopping.wait(0.02)
    stream.close()
    consumer.join(5)
    assert 200 + answered < len(read) <= 200 + max(128, answered + 2) + 2


def test_equal_requests_count_by_occurrence(server: FakeService, journal: Path) -> None:
    """If two of three equal requests have succeeded, one is sent again."""
    server.script = [answer(200), answer(400), answer(200)]
    equal = [things(1)[0]] * 3
    assert len(run(equal, journal)[1]) == 1
    assert len(run(equal, journal)[0]) == 1
    assert run(equal, journal) == ([], [])
    assert len(run(equal + equal[:1], journal)[0]) == 1


@pytest.mark.parametrize(
    "other",
    [
        BatchRequest("PATCH", f"{URL}/0", json={"user_id": "reader-0"}),
        BatchRequest("POST", f"{URL}/00", json={"user_id": "reader-0"}),
        BatchRequest("POST", f"{URL}/0", json={"user_id": "reader-1"}),
        BatchRequest("POST", f"{URL}/0", {"a": "b"}, {"user_id": "reader-0"}),
        BatchRequest("POST", f"{URL}/0"),
    ],
    ids=["verb", "URL", "body", "parameters", "no body"],
)
def test_another_request_is_not_done(
    server: FakeService, journal: Path, other: BatchRequest
) -> None:
    """Requests are equal if verb, URL, parameters and body are equal."""
    run(things(1), journal)
    run([other], journal)
    assert len(server.received) == 2


def test_what_cannot_be_sent_fails_alone(server: FakeService, journal: Path) -> None:
    """A body that is not JSON is a failure of its request, with and without a journal."""
    batch = [BatchRequest("POST", URL, json={"a": object()}), *things(2)]
    responses, [(request, error)] = run(batch, journal)
    assert request is batch[0] and isinstance(error, PermutiveInvalidRequestError)
    assert len(responses) == 2


def test_what_a_journal_cannot_know_is_sent_each_time(server: FakeService, journal: Path) -> None:
    """A request that is no JSON, and can be sent all the same, succeeds, and is not written down."""
    parameters: Any = {b"a": "b"}
    batch = [BatchRequest("GET", URL, parameters), *things(1)]
    assert [len(run(batch, journal)[0]) for _ in range(2)] == [2, 1]
    assert [seen.query for seen in server.received].count({"a": ["b"], "k": [KEY]}) == 2


def test_an_empty_job_leaves_no_file(server: FakeService, journal: Path) -> None:
    """A job without requests makes no file."""
    assert run([], journal) == ([], [])
    assert list(stream_batch(iter([]), api_key=KEY, journal=journal)) == []
    assert not journal.exists()


def test_only_digests(server: FakeService, journal: Path) -> None:
    """The file contains no body, no id, no path and no key."""
    run(things(3), journal)
    content = journal.read_text()
    head, *digests = content.splitlines()
    assert not any(secret in content for secret in (KEY, "reader", "user_id", "things", "POST"))
    assert set(json.loads(head)) == {"journal", "helper", "origin", "key"}
    assert len(set(digests)) == 3
    assert all(len(line) == 32 and int(line, 16) >= 0 for line in digests)


def test_digests_are_worth_nothing_without_the_key(server: FakeService, tmp_path: Path) -> None:
    """Without the key, nobody can find a guessed id in a journal."""
    run(things(1), tmp_path / "one", KEY)
    run(things(1), tmp_path / "other", "another-key-0001")
    one, other = ((tmp_path / name).read_text().split() for name in ("one", "other"))
    assert not set(one[-1:]) & set(other)


# --- After a crash -------------------------------------------------------------------------------


def test_an_incomplete_last_line_is_removed(server: FakeService, journal: Path) -> None:
    """A line that a crash has cut off is removed, and does not damage the next one."""
    server.default = refusing("2")
    run(things(3), journal)
    whole = journal.read_text()
    journal.write_text(whole[:-5])
    server.received.clear()
    server.default = refusing()
    run(things(3), journal)
    assert len(server.received) == 2 and 2 in numbers(server)
    assert run(things(3), journal) == ([], [])
    assert len(journal.read_text().splitlines()) == 4


@pytest.mark.parametrize("length", [0, 1, 20])
def test_an_incomplete_first_line_is_begun_again(
    server: FakeService, journal: Path, length: int
) -> None:
    """After a crash while the file was begun, everything is sent again."""
    run(things(1), journal)
    whole = journal.read_text()
    journal.write_text(whole[:length])
    run(things(1), journal)
    assert journal.read_text() == whole
    assert len(server.received) == 2


JOB = """
import sys
from PermutiveAPI import BatchRequest, stream_batch

requests = (
    BatchRequest("POST", f"{sys.argv[1]}/{number}", json={"user_id": f"reader-{number}"})
    for number in range(30)
)
for result in stream_batch(requests, api_key=sys.argv[2], journal=sys.argv[3], max_workers=3):
    print(result.index, flush=True)
"""


@pytest.mark.parametrize("how", [SIGKILL, pytest.param(signal.SIGINT, marks=needs_posix)])
def test_a_job_that_was_ended_goes_on(
    server: FakeService, journal: Path, how: signal.Signals
) -> None:
    """After a crash or Ctrl-C, successes are not sent again, and all the rest is."""
    server.script = [answer(200) for _ in range(10)]
    server.default = stall()
    with start_script(JOB, URL, KEY, str(journal)) as child:
        assert child.stdout is not None
        told = {int(child.stdout.readline()) for _ in range(10)}
        assert server.wait_for(lambda: len(server.received) == 13)
        child.send_signal(how)
    server.default = answer(200)
    results = list(stream_batch(things(30), api_key=KEY, journal=journal))
    assert {result.index for result in results} == set(range(30)) - told
    times = Counter(numbers(server))
    assert set(times) == set(range(30))
    assert {number for number, count in times.items() if count > 1}.isdisjoint(told)


def test_leaving_early_records_what_had_completed(server: FakeService, journal: Path) -> None:
    """A stream that was left, or whose iterable failed, can be resumed."""
    server.script = [stall(), answer(200), answer(200)]
    server.default = stall()
    stream = stream_batch(things(9), api_key=KEY, journal=journal, max_workers=2)
    next(stream)
    # One worker stalls, the other has completed two requests and stalls with its third.
    assert server.wait_for(lambda: len(server.received) == 4)
    stream.close()
    assert len(journal.read_text().splitlines()) == 3
    server.default = answer(200)

    def failing() -> Iterator[BatchRequest]:
        yield from things(9)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(stream_batch(failing(), api_key=KEY, journal=journal, max_workers=2))
    list(stream_batch(things(9), api_key=KEY, journal=journal))
    done = Counter(journal.read_text().splitlines()[1:])
    assert len(done) == 9 and set(done.values()) == {1}


# --- When successes are written and synced -------------------------------------------------------


def lines(journal: Path) -> List[str]:
    """Return the recorded successes."""
    return journal.read_text().splitlines()[1:] if journal.exists() else []


@pytest.mark.parametrize("kind", ["requests", "identities"])
def test_a_success_is_written_down_while_the_iterable_blocks(
    server: FakeService, journal: Path, kind: str
) -> None:
    """Successes are recorded while the iterable waits, so that nothing is doubled if the job crashes then."""
    release = threading.Event()

    def items() -> Iterator[Any]:
        if kind == "requests":
            yield from things(16)
        else:
            yield from (Identity(f"u-{number}", []) for number in range(16))
        release.wait(10)

    stream = stream_batch if kind == "requests" else Identity.stream_identify
    results: List[Any] = []
    consumer = threading.Thread(
        target=lambda: results.extend(stream(items(), api_key=KEY, journal=journal))
    )
    consumer.start()
    try:
        assert server.wait_for(lambda: len(lines(journal)) == 16)
    finally:
        release.set()
        consumer.join(10)
    assert len(results) == 16


def test_all_that_completes_during_a_stop_is_written_down(
    server: FakeService, journal: Path
) -> None:
    """All requests that complete during a stop are recorded, even if a callback is interrupted again."""
    arrived = threading.Barrier(5)

    def together(connection: Connection) -> bool:
        arrived.wait(10)
        return answer(200, {})(connection)

    server.script = [together] * 4
    server.default = stall()

    def interrupt(progress: Progress) -> None:
        assert server.wait_for(lambda: len(server.received) == 8)
        raise KeyboardInterrupt

    opening = threading.Thread(target=arrived.wait)
    opening.start()
    with pytest.raises(KeyboardInterrupt):
        http.process_batch(
            things(20), api_key=KEY, journal=journal, max_workers=4, progress_callback=interrupt
        )
    opening.join(10)
    assert len(set(lines(journal))) == 4


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each call be made when it is submitted, so that several arrive together, on a busy machine, too."""
    monkeypatch.setattr(http, "ThreadPoolExecutor", DoneExecutor)
    monkeypatch.setattr(workers, "_LONGEST_READING_SECONDS", 10.0)


@pytest.mark.usefixtures("together")
def test_what_arrives_together_is_written_at_once(server: FakeService, journal: Path) -> None:
    """One write records all successes, before the first callback is called."""
    server.default = refusing("2")
    heard: List[int] = []
    batch = things(8)
    for request in batch:
        request.callback = lambda _: heard.append(len(lines(journal)))
    results = list(stream_batch(batch, api_key=KEY, journal=journal, max_workers=4))
    assert [result.index for result in results if result.error] == [2]
    assert heard == [7] * 7


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("left_by", ["close", "interrupt"])
def test_what_arrived_together_is_told_when_the_job_is_left(
    server: FakeService, journal: Path, left_by: str
) -> None:
    """It is recorded once, and each callback is called, although only the first result is taken."""
    heard: List[str] = []
    batch = things(8)
    for request in batch:
        request.callback = lambda response: heard.append(response.url)
    if left_by == "interrupt":
        batch[0].callback = interrupt
    stream = stream_batch(batch, api_key=KEY, journal=journal, max_workers=4)
    with pytest.raises(KeyboardInterrupt) if left_by == "interrupt" else nullcontext():
        next(stream)
        stream.close()
    assert len(heard) == len(set(heard)) == (7 if left_by == "interrupt" else 8)
    assert len(lines(journal)) == len(set(lines(journal))) == 8


def interrupt(_: Any) -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_ctrl_c_in_the_journal_records_nothing_twice(
    server: FakeService, journal: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Of equal requests, each has one line. With another line, the next run would leave one out."""
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_SYNCS", 0.0)
    own = getattr(os, call)
    pressed = [False]

    def press(file: int, *arguments: Any) -> Any:
        result = own(file, *arguments)
        if server.received and not pressed[0]:
            pressed[0] = True
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(os, call, press)
    with pytest.raises(KeyboardInterrupt):
        http.process_batch(things(1) * 20, api_key=KEY, journal=journal, max_workers=4)
    assert len(lines(journal)) == len(server.received) == 8


@pytest.mark.usefixtures("together")
def test_ctrl_c_while_a_result_is_handed_back(server: FakeService, journal: Path) -> None:
    """Its callback is called: the journal has it, so that the next run skips it."""
    heard: List[str] = []
    batch = things(20)
    for request in batch:
        request.callback = lambda response: heard.append(response.url)

    def press(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name == "complete":
            raise KeyboardInterrupt

    before = sys.gettrace()
    sys.settrace(press)  # An error of the function ends the tracing.
    try:
        with pytest.raises(KeyboardInterrupt):
            http.process_batch(batch, api_key=KEY, journal=journal, max_workers=4)
    finally:
        sys.settrace(before)
    assert len(heard) == len(set(heard)) == len(lines(journal)) == 8


def test_ctrl_c_while_a_batch_ends(server: FakeService, journal: Path) -> None:
    """The journal is closed all the same, so that the job can be run again in the same process."""

    def press(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is ExitStack.close.__code__:
            raise KeyboardInterrupt

    before = sys.gettrace()
    sys.settrace(press)  # An error of the function ends the tracing.
    try:
        with pytest.raises(KeyboardInterrupt):
            run(things(3), journal)
    finally:
        sys.settrace(before)
    assert workers_left() == []
    run(things(4), journal)
    assert len(server.received) == len(lines(journal)) == 4


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch, journal: Path) -> List[int]:
    """The number of recorded successes at each sync."""
    heard: List[int] = []
    fsync = os.fsync

    def listening(file: int) -> None:
        heard.append(len(lines(journal)))
        fsync(file)

    monkeypatch.setattr(os, "fsync", listening)
    return heard


def test_a_job_reaches_the_disk_when_it_ends(
    server: FakeService, journal: Path, syncs: List[int]
) -> None:
    """A quick job is synced once, not for every line; a job with nothing to do is not synced."""
    run(things(50), journal)
    assert syncs == [50]
    run(things(50), journal)
    assert syncs == [50]


def test_a_busy_job_reaches_the_disk(
    server: FakeService, journal: Path, syncs: List[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A success that comes when a sync is due causes one, even if the loop is never idle."""
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_SYNCS", 0.0)
    for _ in stream_batch(things(5), api_key=KEY, journal=journal):
        assert syncs and syncs[-1] == len(lines(journal))


def test_a_job_reaches_the_disk_while_it_runs(
    server: FakeService, journal: Path, syncs: List[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records are synced a while later, at the next success or while no success comes."""
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_SYNCS", 0.1)
    synced = threading.Event()

    def items() -> Iterator[BatchRequest]:
        yield from things(1)
        assert server.wait_for(lambda: len(lines(journal)) == 1)
        server.stopping.wait(0.1)
        yield from things(41)[1:]
        # Before the journal is closed, and without a further success.
        if server.wait_for(lambda: syncs and syncs[-1] == 41):
            synced.set()

    began = time.monotonic()
    list(stream_batch(items(), api_key=KEY, journal=journal, max_workers=1))
    assert synced.is_set()
    # There is not a sync for every line.
    assert len(syncs) <= 1 + (time.monotonic() - began) / 0.1


# --- Only for its owner --------------------------------------------------------------------------

needs_modes = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
needs_links = pytest.mark.skipif(
    not hasattr(os, "O_NOFOLLOW"), reason="there is no O_NOFOLLOW here"
)


@needs_modes
def test_a_journal_is_its_owners(server: FakeService, journal: Path) -> None:
    """A new journal is only for its owner, whatever the umask; an existing one keeps its mode."""
    before = os.umask(0)
    try:
        run(things(1), journal)
    finally:
        os.umask(before)
    assert journal.stat().st_mode & 0o777 == 0o600
    journal.chmod(0o644)
    run(things(2), journal)
    assert journal.stat().st_mode & 0o777 == 0o644
    assert len(lines(journal)) == 2


@needs_links
@pytest.mark.parametrize("target", ["another journal", "nothing"])
def test_a_journal_that_is_a_link(server: FakeService, journal: Path, target: str) -> None:
    """A symbolic link, which somebody else may have made, is refused, and nothing is sent."""
    led_to = journal.with_name("led-to")
    if target == "another journal":
        run(things(1), led_to)
    before = led_to.read_bytes() if led_to.exists() else None
    journal.symlink_to(led_to)
    server.received.clear()
    with pytest.raises(ValueError) as caught:
        run(things(2), journal)
    assert str(caught.value) == (
        f"journal {str(journal)!r} is a symbolic link. Name the file that it leads to."
    )
    assert server.received == []
    assert (led_to.read_bytes() if led_to.exists() else None) == before


@needs_links
def test_a_link_that_was_made_just_now(
    server: FakeService, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operating system refuses a link, too, if it was made between the check and the opening."""
    journal.symlink_to(journal.with_name("led-to"))
    monkeypatch.setattr(Path, "is_symlink", lambda self: False)
    with pytest.raises(OSError) as caught:
        run(things(2), journal)
    assert caught.value.strerror == f"journal cannot be opened: {os.strerror(errno.ELOOP)}"
    assert os.listdir() == [journal.name] and server.received == []


@needs_links
def test_a_folder_may_be_a_link(server: FakeService, journal: Path) -> None:
    """The folder of a journal may be a symbolic link."""
    folder = journal.with_name("folder")
    folder.symlink_to(journal.parent)
    run(things(1), folder / journal.name)
    assert len(lines(journal)) == 1


# --- Not for this job ----------------------------------------------------------------------------

FOREIGN: Dict[str, bytes] = {
    "a text": b"Dear diary\n",
    "a text of one line": b"Dear diary",
    "a list": b"[1, 2]\n",
    "an object": b'{"name": "Readers"}\n',
    "bytes": bytes(range(128, 256)),
    "an empty line": b"\n",
    "numbers": b"12\n13\n",
}


OTHER = "it belongs to another job (another {})"


def assert_refused(server: FakeService, journal: Path, call: Callable[[], Any], words: str) -> None:
    """Assert that a journal is refused with this text, and not changed, before anything is sent."""
    before = journal.read_bytes()
    arrived = len(server.received)
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == (
        f"journal {str(journal)!r} cannot be used: {words}. Name another file, or delete it to send "
        "everything."
    )
    assert KEY not in str(caught.value)
    assert journal.read_bytes() == before
    assert len(server.received) == arrived


@pytest.mark.parametrize("content", FOREIGN.values(), ids=list(FOREIGN))
def test_a_file_that_is_no_journal(server: FakeService, journal: Path, content: bytes) -> None:
    """A file that is not a journal is refused, and not changed."""
    journal.write_bytes(content)
    assert_refused(server, journal, lambda: run(things(1), journal), "it is not a journal")


@pytest.mark.parametrize("line", ["", "x" * 32, "ab" * 15, "AB" * 16])
def test_a_damaged_journal(server: FakeService, journal: Path, line: str) -> None:
    """A journal that somebody has edited is refused, and the error names the line."""
    run(things(2), journal)
    head, first, second = journal.read_text().splitlines()
    journal.write_text("\n".join([head, first, line, second, ""]))
    assert_refused(server, journal, lambda: run(things(2), journal), "its line 3 is damaged")


def test_a_job_that_did_nothing_is_not_in_the_way(server: FakeService, journal: Path) -> None:
    """A night begins with a wrong key, so each request fails. The journal serves the right key later."""
    server.default = answer(401, {})
    run(things(2), journal, "wrong-key")
    server.default = answer(200, {})
    run(things(2), journal)
    assert [len(seen) for seen in lines(journal)] == [32, 32]
    run(things(2), journal)
    assert len(server.received) == 2 + 2


def test_a_journal_of_another_job(
    server: FakeService, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal of another helper, key or origin is refused, and the error names the difference."""
    run(things(1), journal)
    refused = assert_refused
    refused(
        server, journal, lambda: _identities(journal=journal).__next__(), OTHER.format("helper")
    )
    refused(server, journal, lambda: run(things(1), journal, "another-key"), OTHER.format("key"))
    with FakeService() as other:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", other.url)
        refused(other, journal, lambda: run(things(1), journal), OTHER.format("origin"))
    assert not other.received


def test_a_newer_format(server: FakeService, journal: Path) -> None:
    """The journal of a later release is refused."""
    run(things(1), journal)
    journal.write_text(journal.read_text().replace("PermutiveAPI 1", "PermutiveAPI 2"))
    assert_refused(server, journal, lambda: run(things(1), journal), OTHER.format("journal"))


@needs_posix
def test_two_jobs_at_once(server: FakeService, journal: Path) -> None:
    """A journal in use is refused until its job has ended."""
    endless = (things(1)[0] for _ in itertools.count())
    stream = stream_batch(endless, api_key=KEY, journal=journal, max_workers=1)
    next(stream)
    with pytest.raises(ValueError) as caught:
        next(stream_batch(things(1), api_key=KEY, journal=journal))
    assert str(caught.value) == f"journal {str(journal)!r} is in use by another job."
    stream.close()
    assert len(list(stream_batch(things(9), api_key=KEY, journal=journal))) == 9 - 1


@pytest.mark.parametrize("name", ["missing/job.journal", "~/job.journal"])
def test_a_journal_that_cannot_be_opened(server: FakeService, name: str) -> None:
    """A missing folder is an error, since a wrong path would make the job send everything again."""
    with pytest.raises(FileNotFoundError) as caught:
        run(things(2), name)
    reason = os.strerror(errno.ENOENT)
    assert caught.value.strerror == f"journal cannot be opened: {reason}"
    assert caught.value.filename == name
    assert server.received == []
    assert workers_left() == []
    assert os.listdir() == []


def test_a_line_that_could_not_be_written(
    server: FakeService, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full, half a line is removed, so that the next run can read the journal."""
    run(things(1), journal)
    write = os.write
    capacity = len(journal.read_bytes()) + 2 * LINE_BYTES + 4

    def full(file: int, data: bytes) -> int:
        if not os.path.samestat(os.fstat(file), journal.stat()):
            return write(file, data)
        free = capacity - os.fstat(file).st_size
        if not free:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[:free])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError) as caught:
        run(things(8), journal)
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(journal)
    assert caught.value.strerror == "journal cannot be written: No space left on device"
    assert len(journal.read_bytes()) == capacity - 4
    monkeypatch.setattr(os, "write", write)
    run(things(8), journal)
    assert len(lines(journal)) == len({*lines(journal)}) == 8


def test_a_journal_without_a_name(server: FakeService) -> None:
    """An empty path, for instance of an unset variable, is refused."""
    with pytest.raises(ValueError, match="journal must be a path"):
        run(things(2), "")
    assert server.received == []


@pytest.mark.parametrize("name", [".", "/dev/full"])
def test_a_journal_that_is_not_a_file(server: FakeService, name: str) -> None:
    """A path that is not a regular file is refused, and is neither read nor written."""
    with pytest.raises(ValueError) as caught:
        run(things(2), name)
    assert str(caught.value) == f"journal {name!r} is not a regular file."
    assert server.received == []


# --- The next night ------------------------------------------------------------------------------


def records(caplog: pytest.LogCaptureFixture) -> List[str]:
    """Return what was logged as a WARNING or worse, and forget it."""
    found = [
        record.getMessage()
        for record in caplog.records
        if record.name == "PermutiveAPI" and record.levelname != "INFO"
    ]
    caplog.clear()
    return found


@pytest.mark.parametrize("given", [list, iter], ids=["list", "iterator"])
def test_a_run_that_skips_everything_warns(
    server: FakeService, journal: Path, caplog: pytest.LogCaptureFixture, given: Any
) -> None:
    """The same job in the next night sends nothing: one WARNING says since when, and what to do."""
    assert len(list(stream_batch(given(things(3)), api_key=KEY, journal=journal))) == 3
    assert records(caplog) == []
    os.utime(journal, (1_700_000_000, 1_700_000_000))
    assert list(stream_batch(given(things(3)), api_key=KEY, journal=journal)) == []
    assert len(server.received) == 3
    written = datetime.fromtimestamp(1_700_000_000).astimezone().isoformat(sep=" ")
    assert records(caplog) == [
        f"Nothing was sent: the journal {str(journal)!r}, last written {written}, says that all 3 "
        "requests are done. To send them again, delete it or name another file, for instance one with "
        "the date."
    ]


def test_a_run_that_sends_something_does_not_warn(
    server: FakeService, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A resumed job logs at INFO what it skipped; a job without requests has nothing to tell."""
    caplog.set_level("INFO", "PermutiveAPI")
    run(things(3), journal)
    caplog.clear()
    run(things(4), journal)
    assert "Skipped 3 requests that were done before" in caplog.messages
    run([], journal)
    assert records(caplog) == []


def test_a_run_that_does_not_reach_its_end_does_not_warn(
    server: FakeService, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If the iterable fails, nobody knows which requests would have followed."""
    list(stream_batch(things(3), api_key=KEY, journal=journal))

    def failing() -> Iterator[BatchRequest]:
        yield from things(2)
        server.stopping.wait(0.02)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(stream_batch(failing(), api_key=KEY, journal=journal))
    assert records(caplog) == []


def test_a_run_that_is_stopped_does_not_warn(
    server: FakeService, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where all requests were taken, and those that are not done have not completed."""
    list(stream_batch(things(3), api_key=KEY, journal=journal))
    server.default = stall()
    stream = stream_batch(things(4), api_key=KEY, journal=journal)
    consumer = threading.Thread(target=lambda: list(stream))
    consumer.start()
    assert server.wait_for(lambda: len(server.received) == 4)
    stream.close()
    consumer.join(5)
    assert records(caplog) == []


def test_a_run_whose_only_request_fails_does_not_warn_of_the_journal(
    server: FakeService, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The failure is logged, and nothing else."""
    server.default = refusing("2")
    run(things(3), journal)
    caplog.clear()
    run(things(3), journal)
    [record] = records(caplog)
    assert record.startswith("POST") and "failed" in record


def test_progress_counts_what_is_skipped(server: FakeService, journal: Path) -> None:
    """`skipped` rises with each request that was done before, and stays when the rest is sent."""
    heard: List[Progress] = []
    for count in (3, 5):
        http.process_batch(
            things(count), api_key=KEY, journal=journal, progress_callback=heard.append
        )
    assert [each.skipped for each in heard] == [0, 0, 0, 1, 2, 3, 3, 3]
    assert [each.completed for each in heard] == [1, 2, 3, 1, 2, 3, 4, 5]


# --- Another folder ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of PERMUTIVE_JOURNAL_FOLDER."""
    path = tmp_path / "elsewhere"
    path.mkdir()
    monkeypatch.setenv("PERMUTIVE_JOURNAL_FOLDER", str(path))
    return path


def test_journals_in_another_folder(server: FakeService, folder: Path, journal: Path) -> None:
    """With PERMUTIVE_JOURNAL_FOLDER, the journal is kept there, and the file at its path is not touched."""
    journal.write_text("not a journal")
    assert [len(run(things(2), journal)[0]) for _ in range(2)] == [2, 0]
    assert journal.read_text() == "not a journal"
    (kept,) = folder.iterdir()
    assert kept.name.endswith("-job.journal")
    assert run(things(2), os.path.relpath(journal)) == ([], [])  # The same file.


def test_each_path_has_its_own_journal_in_another_folder(
    server: FakeService, folder: Path, tmp_path: Path
) -> None:
    """Journals with the same name, in two folders, do not meet; names of any length are possible."""
    (tmp_path / "other").mkdir()
    paths = [tmp_path / "x", tmp_path / "other" / "x", tmp_path / ("\U0001f600" * 60)]
    assert [len(run(things(2), path)[0]) for path in paths] == [2, 2, 2]
    assert len([*folder.iterdir()]) == 3


@pytest.mark.usefixtures("folder")
def test_a_wrong_path_is_an_error_in_another_folder_too(
    server: FakeService, tmp_path: Path
) -> None:
    """A journal in a folder that does not exist is refused, as without PERMUTIVE_JOURNAL_FOLDER."""
    path = tmp_path / "missing" / "job.journal"
    with pytest.raises(FileNotFoundError) as caught:
        run(things(1), path)
    assert caught.value.strerror == "journal cannot be opened: No such file or directory"
    assert caught.value.filename == str(path)
    assert server.received == []
