"""Answers read into values: the JSON body, or an error that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import PermutiveInvalidResponseError
from ..gc_pause import collector_paused

Value = TypeVar("Value")


def read_answer(
    read: Callable[[Any], Value], response: Any, without_answer: str = "Response is None"
) -> Value:
    """Turn the JSON body of an answer into a value.

    Parameters
    ----------
    read : callable
        Called with the decoded body.
    response : requests.Response or stand-in or None
        The answer.
    without_answer : str
        What to say when there is none.

    Returns
    -------
    object
        What `read` returned.

    Raises
    ------
    ValueError
        If there is no answer.
    PermutiveInvalidResponseError
        If the body is not the JSON that is documented; also a ValueError.
    """
    if response is None:
        raise ValueError(without_answer)
    try:
        with collector_paused():
            data = response.json()
            if isinstance(data, str):  # Models would read JSON inside the text.
                raise TypeError("expected an object or an array, got a text")
            return read(data)
    except PermutiveInvalidResponseError as error:
        message = error.message
    except (ValueError, TypeError, RecursionError) as error:
        message = f"The service reported success, but its answer cannot be read: {error}"
    raise PermutiveInvalidResponseError(message, response=response)


def read_object(response: Any) -> Any:
    """Return the JSON object of an answer as it is, its keys unchecked; see :func:`read_answer`."""
    return read_answer(_an_object, response)


def _an_object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError(f"expected an object, got {type(data).__name__}")
    return data  # pyright: ignore[reportUnknownVariableType] -- JSON data
