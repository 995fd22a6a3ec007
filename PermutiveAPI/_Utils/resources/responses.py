"""Read responses: return the value of the JSON body, or raise an error that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import PermutiveInvalidResponseError, is_response
from ..gc_pause import gc_paused, items_in

Value = TypeVar("Value")


def read_response(
    read: Callable[[Any], Value], response: Any, without_response: str = "Response is None"
) -> Value:
    """Return what `read` makes of the JSON body of a response.

    Raises
    ------
    ValueError
        If `response` is None; `without_response` is the text.
    PermutiveInvalidResponseError
        If the body is not the JSON that Permutive documents. It is also a ValueError.
    """
    if response is None:
        raise ValueError(without_response)
    try:
        with gc_paused(_items_in(response)):
            data = response.json()
            if isinstance(data, str):  # Models would read JSON inside the text.
                raise TypeError("expected an object or an array, got a text")
            return read(data)
    except PermutiveInvalidResponseError as error:
        message = error.message
    except (ValueError, TypeError, RecursionError) as error:
        message = f"The service reported success, but its response cannot be read: {error}"
    raise PermutiveInvalidResponseError(message, response=response)


def read_object(response: Any) -> Any:
    """Return the JSON object of a response unchanged and unchecked; see :func:`read_response`."""
    return read_response(_an_object, response)


def _items_in(response: Any) -> int:
    """Estimate how many items a response holds, without reading it. Stand-ins count as short."""
    if not is_response(response):
        return 0
    body: Any = response.__dict__.get("_content")
    return items_in(body) if isinstance(body, bytes) else 0


def _an_object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError(f"expected an object, got {type(data).__name__}")
    return data  # pyright: ignore[reportUnknownVariableType] -- JSON data
