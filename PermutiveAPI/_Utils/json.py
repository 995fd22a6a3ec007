"""JSONSerializable, the mixin of every model, and JSON helpers for user code.

codec/encoding.py writes values, codec/decoding.py reads them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from .codec.decoding import MAPPINGS, build, convert_value
from .codec.encoding import SelfEncoding, encoded, encoded_object, to_payload
from .gc_pause import gc_paused, items_in
from .redaction import HiddenText

__all__ = ["JSONSerializable", "customJSONEncoder", "json_default", "load_json_list", "to_payload"]

T = TypeVar("T")
J = TypeVar("J", bound="JSONSerializable[Any]")
F = TypeVar("F", bound=Callable[..., Any])


class JSONSerializable(SelfEncoding, Generic[T]):
    """Mixin that reads and writes a class as JSON.

    The type argument is the return type of ``to_json``. ``from_json(x.to_json()) == x`` is true for
    every model of this library, if its values have the annotated types.
    """

    _is_secret = False  # Whether the JSON form holds a key.

    def to_json(self) -> T:
        """Return the object as JSON data.

        A field is left out if it is None, [] or {} and ``from_json`` gives it the same value again.
        Names with a leading underscore are left out.

        Raises
        ------
        ValueError
            For NaN, infinities and NaT; the message names the place.
        TypeError
            If the object has no attributes.

        Examples
        --------
        >>> Alias("ada@example.com", "email", 0).to_json()
        {'id': 'ada@example.com', 'tag': 'email', 'priority': 0}
        """
        return cast(T, encoded_object(self))

    @classmethod
    def from_json(cls: type[J], data: Any) -> J:
        """Make an object from its JSON form.

        Parameters
        ----------
        data : dict or str or Path
            JSON data, JSON text, or the path of a JSON file. Unknown members are ignored.

        Raises
        ------
        TypeError
            If `data` is of another kind, is not valid JSON, or lacks a required member.

        Examples
        --------
        >>> Alias.from_json('{"id": "ada@example.com", "tag": "email", "priority": 0}').tag
        'email'
        """
        if issubclass(cls, list):
            return cls(load_json_list(data, cls.__name__))
        return cls._from_content(content_of(data))

    @classmethod
    def _from_content(cls: type[J], content: Any) -> J:
        """Make an object from JSON data that was read. A text is an error, although it may hold JSON."""
        if not isinstance(content, MAPPINGS):
            raise TypeError(
                "`from_json()` expected a dict, JSON string, or Path, but got "
                f"{type(content).__name__}"
            )
        if issubclass(cls, dict):
            return cls(content)
        return build(cls, content)

    def to_json_file(self, filepath: str | Path) -> None:
        """Write the JSON form to a file. Missing parent folders are made.

        The file of a workspace holds its key. So only the owner of the file may read it (mode 0600, if
        the system has modes); the mode of an existing file is changed first.

        Parameters
        ----------
        filepath : str or Path
            The path of the file. An existing file is overwritten.

        Examples
        --------
        >>> Cohort.list().to_json_file("exports/cohorts.json")
        >>> len(CohortList.from_json_file("exports/cohorts.json"))
        28
        """
        from .file import check_filepath, write_private_text

        text = HiddenText(json.dumps(self.to_json(), indent=4))
        check_filepath(filepath)
        if self._is_secret:
            write_private_text(filepath, text)
        else:
            Path(filepath).write_text(text, encoding="utf-8")

    @classmethod
    def from_json_file(cls: type[J], filepath: str | Path) -> J:
        """Make an object from a JSON file; see :meth:`from_json`.

        Examples
        --------
        >>> Alias("ada@example.com", "email", 0).to_json_file("alias.json")
        >>> Alias.from_json_file("alias.json").id
        'ada@example.com'
        """
        return cls.from_json(Path(filepath))

    @staticmethod
    def serialize_value(value: Any) -> Any:
        """Return any value as JSON data; see ``encoding.encoded``.

        Examples
        --------
        >>> from uuid import UUID
        >>> Cohort.serialize_value([UUID(int=0), ("a", "b")])
        ['00000000-0000-0000-0000-000000000000', ['a', 'b']]
        """
        return encoded(value)

    @staticmethod
    def unserialize_value(value: Any, annotation: Any, module: Any = None) -> Any:
        """Return a value of JSON data as its annotation says; see ``decoding.convert_value``.

        Examples
        --------
        >>> from datetime import datetime
        >>> Cohort.unserialize_value("2025-07-01", datetime).isoformat()
        '2025-07-01T00:00:00+00:00'
        """
        return convert_value(value, annotation, module)

    def __str__(self) -> str:
        """Show the JSON form, indented and without keys."""
        return json.dumps(self._shown_json(), indent=4)

    def _shown_json(self) -> Any:
        """Return the JSON form without keys."""
        return self.to_json()


def forgetting_data(from_json: F) -> F:
    """Make a ``from_json`` whose errors have no frame with a key, since tracebacks may show local variables."""

    @wraps(from_json)
    def reading(cls: Any, data: Any) -> Any:
        try:
            return from_json(cls, data)
        except TypeError as error:
            if not cls._is_secret:
                raise
            problem = str(error)
        data = None  # Not deleted: tools such as cgitb show every argument of a frame.
        raise TypeError(problem)

    return cast(F, reading)


class customJSONEncoder(json.JSONEncoder):
    """An encoder for ``json.dumps(..., cls=customJSONEncoder)`` that writes models and their values.

    Examples
    --------
    >>> json.dumps(Alias("ada@example.com", "email", 0), cls=customJSONEncoder)
    '{"id": "ada@example.com", "tag": "email", "priority": 0}'
    """

    def default(self, o: Any) -> Any:
        """Return JSON data for a value that ``json`` cannot write."""
        return json_default(o)

    def iterencode(self, o: Any, _one_shot: bool = False) -> Iterator[str]:
        """Write the value. Raise ValueError for NaN and infinities."""
        if getattr(self.default, "__func__", None) is customJSONEncoder.default:
            o = encoded(o, keep_none=True)
        else:  # A subclass or the argument `default` writes some values differently.
            self.allow_nan = False
        return super().iterencode(o, _one_shot)


def json_default(value: Any) -> Any:
    """Return JSON data for a value. Use it as ``json.dumps(..., default=json_default)``.

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
        The name of the list's class, for error texts.
    item_name : str, optional
        The name of the items' class, for error texts.

    Raises
    ------
    TypeError
        If `data` is of another kind, or does not hold a list.

    Examples
    --------
    >>> load_json_list('[{"name": "Runners"}]', "CohortList", "Cohort")
    [{'name': 'Runners'}]
    """
    if isinstance(data, dict):
        item = item_name or "the item's class"
        raise TypeError(
            f"Cannot create a {list_name} from a dictionary. "
            f"Use from_json() of {item} for a single object."
        )
    if isinstance(data, (str, Path)):
        content = _parsed(data)
        if not isinstance(content, list):
            raise TypeError(f"JSON content from {type(data).__name__} did not decode to a list.")
        return cast("list[Any]", content)
    if not isinstance(data, list):
        raise TypeError(
            "`from_json()` expected a list of dicts, JSON string, or Path, but got "
            f"{type(data).__name__}"
        )
    return cast("list[Any]", data)


def content_of(data: Any) -> Any:
    """Return what a JSON text or a JSON file holds; return anything else unchanged."""
    if isinstance(data, MAPPINGS):  # The usual case, which is found faster.
        return data
    return _parsed(data) if isinstance(data, (str, Path)) else data


def _parsed(source: str | Path) -> Any:
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
    # Raised here, outside the handler: a decoding error holds the whole text, perhaps with a key.
    raise TypeError(f"Failed to parse JSON from input: {problem}")
