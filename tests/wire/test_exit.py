"""Scripts that end while a stream is open: nothing more is sent, and the script does not wait."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.fake_service import FakeService, Step, after, answer, stall
from tests.support.scripts import Ended, start_script
from tests.support.things import numbers

# A second, and the time to end a process on a busy machine.
LIMIT_SECONDS = 2.0

# Scripts write their journal into a folder of the test.
pytestmark = pytest.mark.usefixtures("tmp_path")

# After a blink, so that a script has ended before all its requests are answered.
SLOWLY = after(0.2, answer(200, {}))

BEGIN = """
import sys, threading, time
from PermutiveAPI import BatchRequest, stream_batch
from PermutiveAPI._Utils import http

def things(count=16):
    return [
        BatchRequest("POST", f"https://api.permutive.app/v9/things/{number}", json={})
        for number in range(count)
    ]
"""

OPEN = """
stream = stream_batch(things(), api_key="key-0001", max_workers=4, journal="job.journal")
next(stream)
"""

ENDS = {
    "exception": ("raise ZeroDivisionError('the end')", 1),
    "sys.exit": ("sys.exit(3)", 3),
    "last line": ("", 0),
    "exit of another thread": ("threading.Thread(target=sys.exit).start()", 0),
}


def run(script: str, last_line: str = "") -> Ended:
    """Run a script, and assert that after its last line it ends soon."""
    code = f"{BEGIN}{script}\nprint('ending', flush=True)\n{last_line}"
    with start_script(code) as child:
        assert child.stdout is not None
        if child.stdout.readline() != "ending\n":
            raise AssertionError(child.communicate(timeout=30)[1])
        began = time.monotonic()
        stdout, stderr = child.communicate(timeout=30)
        assert time.monotonic() - began < LIMIT_SECONDS
    return Ended(child.returncode, stdout, stderr)


@pytest.mark.parametrize("end", ENDS)
def test_an_open_stream_sends_nothing_more(server: FakeService, tmp_path: Path, end: str) -> None:
    """At any end of a script, requests that have not begun are not sent, and successes are recorded."""
    server.script = [answer(200, {})]
    server.default = SLOWLY
    line, code = ENDS[end]
    done = run(OPEN, line)
    assert done.returncode == code
    assert done.stderr.count("Traceback") == (1 if code == 1 else 0), done.stderr
    arrived = numbers(server)
    # One has a response, and each worker has another one under way; four more wait for a worker.
    assert 1 <= len(arrived) <= 5
    recorded = (tmp_path / "job.journal").read_text().splitlines()[1:]
    assert 1 <= len(recorded) <= len(arrived)


LIMITED = answer(429, headers={"Retry-After": "60"})


@pytest.mark.parametrize("rest", [stall(), LIMITED], ids=["no answer", "rate limit"])
def test_an_open_stream_holds_nobody_up(server: FakeService, rest: Step) -> None:
    """A script ends within a second, although responses stall or the service asks for a wait."""
    server.script = [answer(200, {})]
    server.default = rest
    done = run(OPEN + "time.sleep(0.1)", "raise ZeroDivisionError")
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert len(server.received) <= 5


@pytest.mark.parametrize(
    ("pool", "most"),
    [("ThreadPoolExecutor", 2), ("ProcessPoolExecutor", 16)],
    ids=["one at a time", "one shard"],
)
def test_the_callers_executor(server: FakeService, pool: str, most: int) -> None:
    """Requests that the caller's executor has not begun are not sent either."""
    server.default = SLOWLY
    done = run(
        f"""
list(stream_batch(things(1), api_key="key-0001"))
# Only now: it has itself called at the end, too, and the last one is the first.
from concurrent.futures import {pool}
pool = {pool}(1)
assert pool.submit(len, "abc").result() == 3
stream = stream_batch(things(40), api_key="key-0001", max_workers=8, executor=pool)
next(stream)
""",
        "raise ZeroDivisionError",
    )
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert len(server.received) <= 1 + most


def test_a_stream_whose_iterable_blocks(server: FakeService) -> None:
    """The script does not wait for the thread that reads the iterable."""
    done = run("""
def slow():
    yield from things(1)
    time.sleep(20)

stream = stream_batch(slow(), api_key="key-0001")
next(stream)
""")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.received) == 1


def test_a_batch_in_another_thread_is_finished(server: FakeService) -> None:
    """The interpreter waits for a thread that is not a daemon, and so for the batch that it collects."""
    server.default = SLOWLY
    done = run("""
def work():
    responses, errors = http.process_batch(
        things(24), api_key="key-0001", max_workers=8, progress_callback=lambda p: began.set()
    )
    print(len(responses), errors, flush=True)

began = threading.Event()
threading.Thread(target=work).start()
began.wait(10)
""")
    assert done.stdout == "24 []\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_a_batch_in_a_daemon_thread_is_stopped(server: FakeService) -> None:
    """The interpreter does not wait for a daemon, nor for its batch."""
    server.script = [answer(200, {})]
    server.default = stall()
    done = run("""
def work():
    http.process_batch(things(), api_key="key-0001", max_workers=2, progress_callback=lambda p: began.set())

began = threading.Event()
threading.Thread(target=work, daemon=True).start()
began.wait(10)
""")
    # Python may end the thread before or while it writes that its batch was stopped.
    assert done.returncode == 0
    assert not done.stderr or done.stderr.startswith("Exception in thread Thread-1 (work)")
    assert len(server.received) <= 3


def test_a_stream_in_another_thread_raises(server: FakeService) -> None:
    """A thread that reads a stream gets an error, and does not mistake a part of the results for all."""
    server.script = [answer(200, {})]
    server.default = stall()
    done = run("""
def work():
    try:
        list(stream_batch(things(), api_key="key-0001", max_workers=2, progress_callback=lambda p: began.set()))
    except RuntimeError as error:
        print(error, flush=True)

began = threading.Event()
threading.Thread(target=work).start()
began.wait(10)
""")
    assert done.stdout == "The interpreter ends: the batch was stopped.\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.received) <= 3


def test_a_stream_that_has_ended(server: FakeService) -> None:
    """A script with streams that were read to their end, closed or never begun ends normally."""
    done = run("""
read, closed, unread = (
    stream_batch(things(3), api_key="key-0001", max_workers=1) for _ in range(3)
)
assert len(list(read)) == 3
next(closed)
closed.close()
""")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.received) <= 3 + 2


def test_a_callback_that_does_not_return(server: FakeService) -> None:
    """A daemon thread that is in a callback delays the end by at most a second."""
    done = run("""
def work():
    list(stream_batch(things(), api_key="key-0001", max_workers=2, progress_callback=wait))

def wait(progress):
    began.set()
    time.sleep(20)

began = threading.Event()
threading.Thread(target=work, daemon=True).start()
began.wait(10)
""")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.received) <= 4
