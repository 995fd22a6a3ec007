"""Forked children leave the streams of their parent alone: connections, journal, threads and all."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from PermutiveAPI import BatchRequest, stream_batch
from tests.support.fake_service import FakeService, after, answer
from tests.support.platforms import needs_fork
from tests.support.scripts import run_script
from tests.support.things import URL, numbers

pytestmark = [
    needs_fork,
    # Scripts write their journal into a folder of the test.
    pytest.mark.usefixtures("tmp_path"),
]
REQUESTS = 12

# After a while, so that requests are under way while a child lives and ends.
SLOWLY = after(0.15, answer(200, {}))

BEGIN = """
import gc, multiprocessing, os, sys, threading, time, warnings
# Python 3.12 and newer warn of forks beside threads, which are tested here.
warnings.simplefilter("ignore", DeprecationWarning)
from pathlib import Path
from PermutiveAPI import BatchRequest, stream_batch
from PermutiveAPI._Utils import http

JOURNAL = Path("job.journal")
OPTIONS = {"api_key": "key-0001", "max_workers": 4, "journal": JOURNAL}
children = []

def things(count=12):
    return [
        BatchRequest("POST", f"https://api.permutive.app/v9/things/{number}", json={})
        for number in range(count)
    ]

def wait_for_children():
    give_up = time.monotonic() + 5
    for child in children:
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                assert status in EXPECTED, status
                break
            assert time.monotonic() < give_up, "a child hangs"
            time.sleep(0.005)
    children.clear()

def assert_in_use():
    try:
        next(stream_batch(things(), api_key="key-0001", journal=JOURNAL))
    except ValueError as error:
        assert "in use by another job" in str(error), error
    else:
        raise AssertionError("the journal of a running job was taken")

def in_child():
    child = os.fork()
    if child:
        children.append(child)
    return not child

EXPECTED = [0]
"""

# What a child does with its parent's open stream.
CHILDREN = {
    "exception": "EXPECTED = [256]\nif in_child():\n    sys.stderr = None\n    raise ZeroDivisionError",
    "sys.exit": "if in_child():\n    sys.exit(0)",
    "last line": "if in_child():\n    FINISH = False",
    "close": "if in_child():\n    stream.close()\n    stream.close()\n    sys.exit(0)",
    "last holder": "if in_child():\n    del stream\n    gc.collect()\n    sys.exit(0)",
    "inside its loop": """
def loop(stream):
    for result in stream:
        if in_child():
            sys.exit(0)
        return
loop(stream)
""",
    "iterating": """
if in_child():
    for _ in range(2):
        try:
            next(stream)
        except RuntimeError as error:
            assert "Begin a stream of your own" in str(error)
        else:
            os._exit(9)
    sys.exit(0)
""",
    "its own stream": """
if in_child():
    own = stream_batch(things(1), api_key="key-0001", max_workers=1)
    assert [result.error for result in own] == [None]
    sys.exit(0)
""",
}

FINISH = """
FINISH = globals().get("FINISH", True)
if FINISH:
    wait_for_children()
    assert_in_use()
    rest = list(stream)
    assert all(result.error is None for result in rest), rest
    lines = JOURNAL.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 1 + 12, lines
    print("whole", flush=True)
"""


def run(script: str) -> str:
    """Run a script that must succeed, and return its output."""
    done = run_script(BEGIN + script)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("child", CHILDREN)
def test_a_child_leaves_an_open_stream_alone(
    server: FakeService, tmp_path: Path, child: str
) -> None:
    """At any end of a child, the parent's requests get their responses, its journal stays locked and whole, and nothing hangs."""
    server.script = [answer(200, {})]
    server.default = SLOWLY
    begin = "stream = stream_batch(things(), **OPTIONS)\nnext(stream)\n"
    assert run(begin + CHILDREN[child] + FINISH) == "whole\n"
    own = [0] if child == "its own stream" else []
    assert numbers(server) == sorted([*range(REQUESTS), *own])


IN_A_CALLBACK = {
    "exception": "EXPECTED = [256]\ndef act():\n    sys.stderr = None\n    raise KeyboardInterrupt",
    "sys.exit": "def act():\n    sys.exit(0)",
    "going on": """
def act():
    global forked
    forked = True
""",
}


@pytest.mark.parametrize("child", IN_A_CALLBACK)
def test_a_child_forked_in_a_callback(server: FakeService, tmp_path: Path, child: str) -> None:
    """A child that leaves process_batch changes nothing for its parent; one that continues in it gets a RuntimeError."""
    server.script = [answer(200, {})]
    server.default = SLOWLY
    script = f"""
{IN_A_CALLBACK[child]}
forked = False

def fork(progress):
    if progress.completed == 1 and in_child():
        act()
    elif progress.completed == 12:
        wait_for_children()
        assert_in_use()

try:
    responses, errors = http.process_batch(things(), progress_callback=fork, **OPTIONS)
except RuntimeError as error:
    assert forked and "Begin a stream of your own" in str(error), error
    sys.exit(0)
assert not forked
assert (len(responses), errors) == (12, [])
lines = JOURNAL.read_text().splitlines()
assert len(lines) == len(set(lines)) == 1 + 12, lines
print("whole", flush=True)
"""
    expected = "EXPECTED = [256, 2]\n" if child == "exception" else ""
    assert run(script.replace("forked = False", expected + "forked = False")) == ("whole\n")
    assert numbers(server) == list(range(REQUESTS))


def test_a_child_that_outlives_a_killed_parent(server: FakeService) -> None:
    """The next job may use the journal, although a child of the killed one still runs, as in a pool of processes."""
    server.default = SLOWLY
    script = """
import signal
stream = stream_batch(things(), **OPTIONS)
next(stream)
child = os.fork()
if not child:
    os.close(1)
    os.close(2)
    signal.pause()
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = run_script(BEGIN + script)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    try:
        again = [BatchRequest("POST", f"{URL}/{number}", json={}) for number in range(REQUESTS)]
        rest = list(stream_batch(again, api_key="key-0001", journal="job.journal"))
    finally:
        os.kill(int(killed.stdout), signal.SIGKILL)
    assert 0 < len(rest) < REQUESTS
    assert [result.error for result in rest if result.error] == []


def test_multiprocessing(server: FakeService, tmp_path: Path) -> None:
    """Processes that multiprocessing forks leave an open stream alone, too."""
    server.script = [answer(200, {})]
    server.default = SLOWLY
    script = """
def work(close):
    if close:
        stream.close()
    else:
        try:
            next(stream)
        except RuntimeError:
            return
    sys.exit(0 if close else 9)

stream = stream_batch(things(), **OPTIONS)
next(stream)
fork = multiprocessing.get_context("fork")
workers = [fork.Process(target=work, args=(close,)) for close in (True, False)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join(5)
    assert worker.exitcode == 0, worker.exitcode
"""
    assert run(script + FINISH) == "whole\n"
    assert numbers(server) == list(range(REQUESTS))


def test_a_child_while_the_iterable_blocks(server: FakeService) -> None:
    """A child without a reader of the iterable ends, and the parent's stream continues."""
    server.script = [answer(200, {})]
    server.default = SLOWLY
    script = """
def slow():
    yield from things(6)
    time.sleep(0.2)
    yield from things(12)[6:]

stream = stream_batch(slow(), **OPTIONS)
next(stream)
if in_child():
    stream.close()
    del stream
    sys.exit(0)
"""
    assert run(script + FINISH) == "whole\n"
    assert Counter(numbers(server)) == Counter(range(REQUESTS))


def test_a_child_while_another_thread_waits(server: FakeService) -> None:
    """In a child, close() does not wait for a thread in next(), which exists only in the parent."""
    server.script = [answer(200, {})]
    server.default = SLOWLY
    script = """
stream = stream_batch(things(), **OPTIONS)
next(stream)
rest = []
waiting = threading.Thread(target=lambda: rest.extend(stream))
waiting.start()
time.sleep(0.05)
if in_child():
    stream.close()
    sys.exit(0)
wait_for_children()
assert waiting.is_alive()
waiting.join()
assert len(rest) == 11
print("whole", flush=True)
"""
    assert run(script) == "whole\n"
    assert numbers(server) == list(range(REQUESTS))


OWN = """
from PermutiveAPI._Utils.retry import rate_limit

URL = "https://api.permutive.app/v9/things/"
http.get("key-0001", URL + "1")
limited = rate_limit.limit_key_of(URL, "key-0001")
rate_limit.on_throttled(limited, time.monotonic(), time.monotonic(), 60.0)
child = os.fork()
if child == 0:
    assert not rate_limit.any_limiter()
    http.get("key-0001", URL + "2")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert rate_limit.any_limiter()
rate_limit.forget_all()
http.get("key-0001", URL + "3")
print("done")
"""


def test_a_child_has_its_own_connections_and_limits(server: FakeService) -> None:
    """A child neither reads from its parent's connection nor waits for its parent's limits."""
    assert run(OWN) == "done\n"
    connections = {seen.path[-1]: seen.connection for seen in server.received}
    assert connections["1"] == connections["3"] != connections["2"]
