"""JSONSerializable, the mixin of every model, and the helpers that user code imports from here.

How values are written stands in encoding.py, how they are read in decoding.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from .decoding import build, convert_value
from .encoding import SelfEncoding, encoded, encoded_object, to_payload
from .file import check_filepath, write_private_text
from .gc_pause import gc_paused, items_in

__all__ = ["JSONSerializable", "customJSONEncoder", "json_default", "load_json_list", "to_payload"]

T = TypeVar("T")
J = TypeVar("J", bound="JSONSerializable[Any]")


class JSONSerializable(SelfEncoding, Generic[T]):
    """Gives a class its JSON form.

    The type argument is what ``to_json`` returns. ``from_json(x.to_json()) == x`` holds for every
    model of this library with values of the annotated types.
    """

    _is_secret = False  # Whether the JSON form holds a key.

    def to_json(self) -> T:
        """Return the object as JSON data.

        A dataclass leaves out a field only when it is None, [] or {} and reading it back without
        the field gives that same value. Names with a leading underscore are left out.

        Raises
        ------
        ValueError
            For NaN, infinities and NaT; the message says where they stand.
        TypeError
            If the object has no attributes.
        """
        return cast(T, encoded_object(self))

    @classmethod
    def from_json(cls: type[J], data: Any) -> J:
        """Make an object from its JSON form.

        Parameters
        ----------
        data : dict or str or Path
            JSON data, JSON text, or the path of a JSON file. Members that the class does not know
            are ignored.

        Raises
        ------
        TypeError
            If `data` is of another kind, is not valid JSON, or lacks a required member.
        """
        content = parsed(data) if isinstance(data, (str, Path)) else data
        if issubclass(cls, list):
            return cls(load_json_list(content, cls.__name__))
        if not isinstance(content, (dict, Mapping)):  # dict alone is found faster.
            raise TypeError(
                "`from_json()` expected a dict, JSON string, or Path, but got "
                f"{type(content).__name__}"
            )
        if issubclass(cls, dict):
            return cls(content)
        return build(cls, cast("Mapping[str, Any]", content))

    def to_json_file(self, filepath: str | Path) -> None:
        """Write the JSON form to a file, making its missing parent folders.

        A workspace's file holds its key, so its owner alone may read it (mode 0600, where the system
        has modes); an existing file is narrowed first.
        """
        text = json.dumps(self.to_json(), indent=4)
        check_filepath(filepath)
        if self._is_secret:
            write_private_text(filepath, text)
        else:
            Path(filepath).write_text(text, encoding="utf-8")

    @classmethod
    def from_json_file(cls: type[J], filepath: str | Path) -> J:
        """Make an object from a JSON file; see :meth:`from_json`."""
        return cls.from_json(Path(filepath))

    @staticmethod
    def serialize_value(value: Any) -> Any:
        """Write any value as JSON data; see ``encoding.encoded``."""
        return encoded(value)

    @staticmethod
    def unserialize_value(value: Any, annotation: Any, module: Any = None) -> Any:
        """Read one value as its annotation says; see ``decoding.convert_value``."""
        return convert_value(value, annotation, module)

    def __str__(self) -> str:
        """Show the JSON form, indented and without keys."""
        return json.dumps(self._shown_json(), indent=4)

    def _shown_json(self) -> Any:
        """Return the JSON form as people may see it."""
        return self.to_json()


class customJSONEncoder(json.JSONEncoder):
    """An encoder for ``json.dumps(..., cls=customJSONEncoder)`` that writes what the models can."""

    def default(self, o: Any) -> Any:
        """Return JSON data for a value that json does not know."""
        return json_default(o)

    def iterencode(self, o: Any, _one_shot: bool = False) -> Iterator[str]:
        """Write the value, refusing NaN and infinities with ValueError."""
        if getattr(self.default, "__func__", None) is customJSONEncoder.default:
            o = encoded(o, keep_none=True)
        else:  # A subclass or the argument `default` says how some values are written.
            self.allow_nan = False
        return super().iterencode(o, _one_shot)


def json_default(value: Any) -> Any:
    """Return JSON data for a value, as the argument ``default`` of ``json.dumps``.

    Examples
    --------
    >>> json.dumps({"tags": {"a"}}, default=json_default)
    '{"tags": ["a"]}'
    """
    return encoded(value, keep_none=True)


def load_json_list(data: Any, list_name: str, item_name: str | None = None) -> list[Any]:
    """Return the items of a list, a JSON text or a JSON file.

    Parameters
    ----------
    data : list or str or Path
        JSON data, JSON text, or the path of a JSON file.
    list_name : str
        The class that is being made, for error texts.
    item_name : str, optional
        The class of its items, for error texts.

    Raises
    ------
    TypeError
        If `data` is of another kind, or does not hold a list.
    """
    if isinstance(data, dict):
        item = item_name or "the item's class"
        raise TypeError(
            f"Cannot create a {list_name} from a dictionary. "
            f"Use from_json() of {item} for a single object."
        )
    if isinstance(data, (str, Path)):
        content = parsed(data)
        if not isinstance(content, list):
            raise TypeError(f"JSON content from {type(data).__name__} did not decode to a list.")
        return cast("list[Any]", content)
    if not isinstance(data, list):
        raise TypeError(
            "`from_json()` expected a list of dicts, JSON string, or Path, but got "
            f"{type(data).__name__}"
        )
    return cast("list[Any]", data)


def parsed(source: str | Path) -> Any:
    """Read JSON text or a JSON file.

    Raises
    ------
    TypeError
        If it is not valid JSON.
    OSError
        If the file cannot be read.
    """
    text = source
    try:
        if isinstance(source, Path):
            text = source.read_text(encoding="utf-8-sig")
        text = cast(str, text)
        with gc_paused(items_in(text)):
            return json.loads(text)
    except ValueError as error:
        problem = str(error)
    # Raised out here: a decoding error in the chain would carry the whole text, perhaps a key.
    raise TypeError(f"Failed to parse JSON from input: {problem}")
