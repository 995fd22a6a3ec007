"""What a JSON body must look like, as declarations that read it.

A reader takes a decoded value and returns it, or raises a ValueError that says what is
expected. A Shape is a reader of objects, so shapes nest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

JSONObject: TypeAlias = dict[str, Any]
Reader: TypeAlias = Callable[[Any], Any]


def string(value: Any) -> str:
    """Read any string."""
    if not isinstance(value, str):
        raise ValueError("a string is expected")
    return value


def text(value: Any) -> str:
    """Read a string that is not blank."""
    if not string(value).strip():
        raise ValueError("a string that is not blank is expected")
    return value


def number(value: Any) -> float:
    """Read a number; true and false are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a number is expected")
    return value


def whole(value: Any) -> int:
    """Read a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a whole number is expected")
    return value


def boolean(value: Any) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def mapping(value: Any) -> JSONObject:
    """Read any object."""
    if not isinstance(value, dict):
        raise ValueError("an object is expected")
    return cast(JSONObject, value)


def mapping_to(reader: Reader) -> Reader:
    """Return a reader of objects whose values ``reader`` reads."""

    def read(value: Any) -> JSONObject:
        return {name: reader(each) for name, each in mapping(value).items()}

    return read


def one_of(*allowed: str) -> Reader:
    """Return a reader that accepts only these words."""

    def read(value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)} is expected")
        return value

    return read


def many(reader: Reader, least: int = 0) -> Reader:
    """Return a reader of lists of at least so many items, which ``reader`` reads."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError("a list is expected")
        if len(cast("list[Any]", value)) < least:
            raise ValueError(f"a list of at least {least} is expected")
        return [reader(item) for item in cast("list[Any]", value)]

    return read


@dataclass(frozen=True)
class Shape:
    """A reader of objects: known fields are kept, unknown ones ignored, as the live service does.

    A strict one refuses unknown fields, and null where it does not clear a field.

    Attributes
    ----------
    required : Mapping[str, Reader]
        Fields that must be there.
    optional : Mapping[str, Reader]
        Fields that may be there.
    clearable : frozenset[str]
        Optional fields in which null means "clear it". Elsewhere null counts as an
        absent field (an assumption), unless the shape is strict.
    strict : bool
        Whether unknown fields are mistakes.
    """

    required: Mapping[str, Reader] = field(default_factory=dict[str, Reader])
    optional: Mapping[str, Reader] = field(default_factory=dict[str, Reader])
    clearable: frozenset[str] = frozenset()
    strict: bool = False

    @property
    def fields(self) -> Mapping[str, Reader]:
        """The readers of all known fields."""
        return {**self.required, **self.optional}

    def __call__(self, value: Any) -> JSONObject:
        """Return the known fields of ``value``."""
        given = mapping(value)
        if self.strict:
            self._refuse_mistakes(given)
        found: JSONObject = {}
        for name, reader in self.fields.items():
            if given.get(name) is not None:
                try:
                    found[name] = reader(given[name])
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
            elif name in self.required:
                raise ValueError(f"{name}: the field is required")
            elif name in given and name in self.clearable:
                found[name] = None
        return found

    def _refuse_mistakes(self, given: JSONObject) -> None:
        known = self.fields
        for name, value in given.items():
            if name not in known:
                raise ValueError(f"{name}: the field is unknown")
            if value is None and name not in self.clearable:
                raise ValueError(f"{name}: null is not allowed")
