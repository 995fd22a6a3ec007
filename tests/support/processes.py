"""Pools and clusters of processes that start fast. If possible, they are forked from one that has imported the package."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Generator
from unittest.mock import patch

if TYPE_CHECKING:
    import distributed


@cache
def process_context() -> BaseContext:
    """Return the context that starts processes, without the settings of the test that needs it first."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["PermutiveAPI._Utils.batch.runner", "distributed"])
    with patch.dict(os.environ):
        for name in list(os.environ):
            if name.startswith("PERMUTIVE_") or name.lower().endswith("_proxy"):
                del os.environ[name]
        forkserver.ensure_running()
    return context


def process_pool(processes: int) -> ProcessPoolExecutor:
    """Make a pool of processes. Ctrl-C interrupts them, even if the tests run in the background of a shell."""
    return ProcessPoolExecutor(
        processes,
        mp_context=process_context(),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.default_int_handler),
    )


@contextmanager
def dask_client(processes: int, threads: int) -> Generator[distributed.Client, None, None]:
    """Run a Dask cluster of processes, each with this number of threads. It repeats no call."""
    import dask.config  # Slow to import, so not when tests are collected.
    import distributed

    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.worker.multiprocessing-method": process_context().get_start_method(),
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=processes, threads_per_worker=threads, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
