"""A call that has a valid key, as the operations see it.

Assumption: how deeply a body may be nested.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, cast

from starlette.responses import Response

from .behaviour import Behaviour
from .envelope import Malformed
from .shapes import JSONObject, Shape
from .state import State, Workspace

# Much deeper JSON can be read, but not be written again.
_MOST_LEVELS = 200


@dataclass(frozen=True)
class ApiCall:
    """What a client sent, with the workspace of its key and the service's state."""

    state: State
    behaviour: Behaviour
    workspace: Workspace
    path: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes

    def body(self, shape: Shape) -> JSONObject:
        """Return the fields of the JSON body. Raise Malformed if it has another shape."""
        if not self.content:
            raise Malformed("body", "The body is empty.", code=1003)
        try:
            return shape(decoded(self.content))
        except ValueError as error:
            raise Malformed("body", str(error), code=1002) from None

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a query parameter that is true or false."""
        value = self.query.get(name)
        if value not in ("true", "false", None):
            raise Malformed(f"query parameter {name}")
        return default if value is None else value == "true"

    def path_uuid(self, name: str) -> str:
        """Return a path parameter that must be a UUID."""
        if not is_uuid(self.path[name]):
            raise Malformed(f"path parameter {name}")
        return self.path[name].lower()


Handler: TypeAlias = Callable[[ApiCall], Response]


def is_uuid(value: str) -> bool:
    """Tell whether ``value`` is a UUID in its usual, dashed form."""
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def decoded(content: bytes) -> Any:
    """Return JSON as a value that can be written again. Raise ValueError if it cannot."""
    try:
        value = json.loads(content, parse_constant=_refuse_constant, parse_float=_finite_number)
    except RecursionError as error:
        raise ValueError(str(error)) from None
    if _has_more_levels(value, _MOST_LEVELS):
        raise ValueError(f"it is nested more than {_MOST_LEVELS} levels deep")
    if b"\\u" in content:
        # A lone surrogate could be read, but not be written into a response.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite_number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text:.20} is too large")
    return number


def _has_more_levels(value: Any, most: int) -> bool:
    level = [value]
    while level and most:
        level = [inner for outer in level for inner in _items(outer)]
        most -= 1
    return bool(level)


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()
