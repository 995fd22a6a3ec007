"""The garbage collector's rest by itself; that lists take one stands in resources/test_lists.py."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from typing import Iterator

import pytest

from PermutiveAPI._Utils.gc_pause import collector_paused


@pytest.fixture(autouse=True)
def collector_on() -> Iterator[None]:
    """Begin with the collector on, and find it on."""
    gc.enable()
    yield
    assert gc.isenabled()


def test_off_inside_on_after() -> None:
    """It rests inside, also inside a second time, and runs after."""
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


FORK = """
import gc, os
from PermutiveAPI._Utils.gc_pause import collector_paused

with collector_paused():
    child = os.fork()
    if child == 0:
        os._exit(0 if gc.isenabled() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not gc.isenabled()
assert gc.isenabled()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_collects() -> None:
    """A process that is forked in the meantime has nobody who would turn it on."""
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=20)
