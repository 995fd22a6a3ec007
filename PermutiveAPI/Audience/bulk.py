"""Bulk operations on a collection: up to 5,000 in one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from .._Utils.arguments import listed, require_filled, require_kind
from .._Utils.errors import PermutiveAPIError
from .._Utils.list import chunk_list
from .._Utils.resources.base import Resource, built_from

Returned = TypeVar("Returned")
Item = TypeVar("Item", bound=Resource)
BulkOperation = dict[str, Any]
BulkFailures = list[tuple[list[BulkOperation], Exception]]

# The service accepts no more in one request.
_MOST_OPERATIONS = 5000


def creation(data: dict[str, Any]) -> BulkOperation:
    """Return the operation that creates an object."""
    return {"operation": "Create", "data": data}


def change(code: Any, data: dict[str, Any]) -> BulkOperation:
    """Return the operation that changes the object with a code."""
    return {"operation": "Update", "code": code, "data": data}


def deletion(code: Any) -> BulkOperation:
    """Return the operation that deletes the object with a code."""
    return {"operation": "Delete", "code": code}


def operations(
    name: str,
    items: Iterable[Item],
    kind: type[Item],
    operation_of: Callable[[Item], BulkOperation],
) -> Iterator[BulkOperation]:
    """Make an operation from each item of an argument. An error names the argument."""
    built = built_from(name, items, kind, operation_of)
    return (operation for _, operation in built)


def codes(name: str, items: Iterable[Any], kind: type) -> Iterator[Any]:
    """Return the codes of an argument's items, which are objects or codes."""
    for position, item in enumerate(listed(name, items)):
        if not isinstance(item, kind):
            require_kind(f"{name}[{position}]", item, str)
        yield item.code if isinstance(item, kind) else item


def check_import(import_id: str, **items: Iterable[Any]) -> None:
    """Raise ValueError if an item of an argument belongs to another import."""
    for name, given in items.items():
        for position, item in enumerate(given):
            if item.import_id != import_id:
                raise ValueError(f"{name}[{position}] belongs to the import {item.import_id!r}.")


def check_codes(**codes: Sequence[Any]) -> None:
    """Raise unless every operation has a code, and each code occurs once.

    The codes come under the names of the caller's arguments.

    Raises
    ------
    ValueError
        If a code is missing or occurs twice.
    TypeError
        If a code is not a text.
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
    operations: list[BulkOperation], send: Callable[[list[BulkOperation]], Returned]
) -> tuple[list[Returned], BulkFailures]:
    """Send operations in requests of at most 5,000, one after the other, and return the results in order.

    The failures are the operations of each request that failed, and the error.
    """
    results: list[Returned] = []
    failures = BulkFailures()
    for part in chunk_list(operations, _MOST_OPERATIONS):
        try:
            results.append(send(part))
        except PermutiveAPIError as error:
            failures.append((part, error))
    return results, failures
