"""Many operations on a collection in one request, and several such requests where one is too small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .._Utils.arguments import require_filled, require_kind
from .._Utils.list import chunk_list

Answer = TypeVar("Answer")
BulkOperation = dict[str, Any]
BulkFailures = list[tuple[list[BulkOperation], Exception]]

# The service takes no more in one request.
_MOST_OPERATIONS = 5000


def creation(data: dict[str, Any]) -> BulkOperation:
    """Return the operation that creates something."""
    return {"operation": "Create", "data": data}


def change(code: Any, data: dict[str, Any]) -> BulkOperation:
    """Return the operation that changes what a code names."""
    return {"operation": "Update", "code": code, "data": data}


def deletion(code: Any) -> BulkOperation:
    """Return the operation that deletes what a code names."""
    return {"operation": "Delete", "code": code}


def check_codes(**codes: Sequence[Any]) -> None:
    """Raise unless every operation has a code of its own.

    Parameters
    ----------
    **codes : list of str
        The codes of the operations that an argument asks for.

    Raises
    ------
    ValueError
        If a code is missing or given twice.
    TypeError
        If it is no text.
    """
    seen: dict[str, str] = {}
    for name, given in codes.items():
        for position, code in enumerate(given):
            place = f"{name}[{position}]"
            require_filled(f"the code of {place}", code)
            require_kind(f"the code of {place}", code, str)
            if code in seen:
                raise ValueError(
                    f"code {code!r} is given twice, in {seen[code]} and {place}; the service promises "
                    f"no order of operations."
                )
            seen[code] = place


def send_in_parts(
    operations: list[BulkOperation], send: Callable[[list[BulkOperation]], Answer]
) -> tuple[list[Answer], BulkFailures]:
    """Send operations, as many in a request as the service takes, one request after the other.

    Parameters
    ----------
    operations : list of dict
        All of them.
    send : callable
        Sends some of them, and returns what was answered.

    Returns
    -------
    answers : list
        What was answered to the requests that succeeded, in order.
    failures : list of (list of dict, Exception)
        The operations of those that failed, and why.
    """
    answers: list[Answer] = []
    failures = BulkFailures()
    for part in chunk_list(operations, _MOST_OPERATIONS):
        try:
            answers.append(send(part))
        except Exception as error:
            failures.append((part, error))
    return answers, failures
