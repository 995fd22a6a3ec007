"""The caller's executors: where they run calls, how many at a time, and how they pickle."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .protocols import AnyExecutor
from .remote import Send

# Threads in each process, if max_workers is left out.
DEFAULT_THREADS = 8


def travels(executor: AnyExecutor) -> bool | None:
    """Tell whether an executor runs calls in other processes; None if only a call can tell.

    Pools of processes and clusters of Dask do, pools of threads do not.
    """
    # A derived class with a submit() of its own may do anything.
    if getattr(type(executor), "submit", None) is ThreadPoolExecutor.submit:
        return False
    if is_process_pool(executor) or type(executor).__module__.startswith("distributed."):
        return True
    return None


def require_picklable(send: Send, executor: AnyExecutor) -> None:
    """Raise TypeError if `send` cannot be pickled for another process."""
    try:
        dumps_for(executor)(send)
    except Exception:
        name = getattr(send, "__qualname__", type(send).__qualname__)
    else:
        return
    raise TypeError(
        f"http.request is replaced by {name}, which cannot be pickled, so other processes cannot "
        "call it. Replace it by a function of a module, or use an executor of threads."
    )


def dumps_for(executor: AnyExecutor) -> Callable[[Any], bytes]:
    """Return the pickling function of an executor: clusters use cloudpickle, which can do more."""
    import pickle  # Rarely needed, and slow to import.

    cloudpickle = None if is_process_pool(executor) else sys.modules.get("cloudpickle")
    return pickle.dumps if cloudpickle is None else cloudpickle.dumps


def is_process_pool(executor: AnyExecutor) -> bool:
    """Tell whether an executor is a ProcessPoolExecutor."""
    # It is imported if one was made. Importing it here would take time.
    module = sys.modules.get("concurrent.futures.process")
    return module is not None and isinstance(executor, module.ProcessPoolExecutor)


def processes_of(executor: Any) -> int:
    """Return how many shards an executor can work on at a time."""
    number: Any = getattr(executor, "_max_workers", None)
    if number is None:
        try:
            number = len(executor._client.nthreads())  # Dask's: one shard for each of its workers.
        except Exception:
            number = None
    return number if isinstance(number, int) and number > 0 else os.cpu_count() or 1
