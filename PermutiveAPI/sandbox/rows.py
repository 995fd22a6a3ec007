"""Rows of data that users give to a sandbox: what their fields must be, and where they are wrong.

A field that the sandbox does not know is kept, unless it has nearly the name of a known one: then it is
taken for a mistake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NamedTuple

from .call import decoded, is_uuid
from .conditions import moment
from .shapes import JSONObject, Shape, boolean, many, mapping, one_of, string, text, whole
from .taxonomy import DETAILS, code

_LEAST_LIKENESS = 0.8


def _anything(value: Any) -> Any:
    """Leave the rows to ``rows_of``, which tells where they are wrong."""
    return value


def _uuid(value: Any) -> str:
    if not is_uuid(text(value)):
        raise ValueError("a UUID is expected")
    return value.lower()


def _cohort_code(value: Any) -> int:
    # Cohort.to_json() shows it as a text.
    digits = isinstance(value, str) and re.fullmatch("[0-9]{1,18}", value)
    number = int(value) if digits else whole(value)
    if number < 1:
        raise ValueError("a number above 0 is expected")
    return number


def _time(value: Any) -> str:
    try:
        moment(text(value))
    except ValueError:
        raise ValueError("a time is expected") from None
    return value


DATA = Shape(
    optional={
        "cohorts": many(_anything),
        "imports": many(_anything),
        "segments": many(_anything),
        "empty": boolean,
    },
    strict=True,
)
COHORT = Shape(
    required={"name": text},
    optional={
        "id": _uuid,
        "code": _cohort_code,
        "query": mapping,
        "description": string,
        "tags": many(string),
        "state": one_of("Enabled", "Disabled"),
        "segment_type": one_of("real_time", "offline"),
        "subject_entity_level": string,
        "live_audience_size": whole,
        "workspace_id": text,
        "created_at": _time,
        "last_updated_at": _time,
    },
)
IMPORT = Shape(
    required={"name": text},
    optional={
        "id": _uuid,
        "code": text,
        "relation": text,
        "identifiers": many(string),
        "source": mapping,
        "description": string,
        "segments": many(_anything),
        "workspace_id": text,
        "created_at": _time,
        "updated_at": _time,
    },
)
SEGMENT = Shape(
    required={"name": text},
    optional={
        "id": _uuid,
        "code": code,
        "import_id": _uuid,
        "import_code": text,
        **DETAILS,
        "created_at": _time,
        "updated_at": _time,
    },
)
# They belong to a response or to its reader, not to the object.
_NOT_KEPT = ("request_id", "error", "inheritance")


class Row(NamedTuple):
    """What is given of one object, and its place in the data."""

    place: str
    fields: JSONObject


@contextmanager
def named(place: str) -> Generator[None, None, None]:
    """Put the place in front of what is wrong there."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def rows_of(place: str, rows: Iterable[Any], shape: Shape) -> list[Row]:
    """Read a list of rows. Raise a ValueError that names the row and the field."""
    read: list[Row] = []
    for number, row in enumerate(rows):
        with named(f"{place}[{number}]"):
            read.append(Row(f"{place}[{number}]", _fields(row, shape)))
    return read


def _fields(row: Any, shape: Shape) -> JSONObject:
    given = {
        name: value
        for name, value in _plain(mapping(row)).items()
        if value is not None and name not in _NOT_KEPT
    }
    known = shape.fields
    for name in (each for each in given if each not in known):
        near = get_close_matches(name, known, n=1, cutoff=_LEAST_LIKENESS)
        if near:
            raise ValueError(f"{name}: the field is unknown; perhaps {near[0]} is meant")
    return {**given, **shape(given)}


def _plain(row: JSONObject) -> JSONObject:
    """Return a copy that is JSON and nothing else."""
    try:
        return _json(row)
    except ValueError:
        for name, value in row.items():
            with named(name):
                _json(value)
        raise


def _json(value: Any) -> Any:
    try:
        return decoded(json.dumps(value).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(str(error)) from None
