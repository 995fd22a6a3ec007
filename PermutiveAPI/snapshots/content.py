"""The content of files: cohorts and imports as JSON data, without sizes and times, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from ..Audience.Import import Import
from ..Audience.Segment import Segment
from ..Cohort import Cohort
from ..Query import Query, QueryError
from ..Tables.json_kinds import is_filled_text, is_list_of_texts, is_number, is_text

# The member that marks a file of a snapshot, and its value. Files of another format are refused.
MARK = "snapshot"
FORMAT = 1
# The query in words. It is for people, and not read.
_SENTENCE = "sentence"


class _Kind(NamedTuple):
    """What a member must be: a check, and its name in errors."""

    is_valid: Callable[[Any], bool]
    description: str
    is_required: bool = False


def _is_code(value: Any) -> bool:
    return is_filled_text(value) or (isinstance(value, int) and not isinstance(value, bool))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_object, cast("list[Any]", value)))


_TEXT = _Kind(is_text, "a text")
_FILLED = _Kind(is_filled_text, "a text that is not empty", is_required=True)
_CODE = _Kind(_is_code, "a number or a text that is not empty", is_required=True)
_NUMBER = _Kind(is_number, "a number")
_OBJECT = _Kind(_is_object, "an object")
_TEXTS = _Kind(is_list_of_texts, "a list of texts")
_OBJECTS = _Kind(_is_list_of_objects, "a list of objects")

_COHORT = {
    "id": _FILLED,
    "code": _CODE,
    "name": _FILLED,
    "description": _TEXT,
    "query": _OBJECT,
    "tags": _TEXTS,
    "state": _TEXT,
    "segment_type": _TEXT,
    "subject_entity_level": _TEXT,
    "workspace_id": _TEXT,
}
_INHERITED = {"id": _FILLED, "code": _CODE, "name": _FILLED, "workspace_id": _TEXT}
_IMPORT = {
    "id": _FILLED,
    "code": _FILLED,
    "name": _FILLED,
    "relation": _TEXT,
    "identifiers": _TEXTS,
    "description": _TEXT,
    "inheritance": _OBJECT,
    "source": _OBJECT,
}
_SOURCE = {"id": _TEXT, "type": _TEXT}
_SEGMENT = {
    "code": _FILLED,
    "id": _TEXT,
    "name": _FILLED,
    "description": _TEXT,
    "cpm": _NUMBER,
    "categories": _TEXTS,
}


# --- Writing -------------------------------------------------------------------------------------


def cohort_data(cohort: Cohort) -> dict[str, Any]:
    """Return what a file says of a cohort, with its query in words."""
    data = _filled(_COHORT, cohort.to_json())
    sentence = _sentence(data.get("query"))
    return {**data, **({_SENTENCE: sentence} if sentence else {})}


def inherited_data(cohort: Cohort) -> dict[str, Any]:
    """Return what a file says of a cohort of a workspace above."""
    return _filled(_INHERITED, cohort.to_json())


def import_data(found: Import) -> dict[str, Any]:
    """Return what a file says of an import, with its segments by code."""
    segments = sorted(found.segments or (), key=lambda each: each.code or "")
    return {**import_facts(found), "segments": [*map(_segment_data, segments)]}


def _segment_data(segment: Segment) -> dict[str, Any]:
    return _filled(_SEGMENT, {**vars(segment), "cpm": float(segment.cpm or 0.0)})


def import_facts(found: Import) -> dict[str, Any]:
    """Return what a file says of an import, without its segments.

    Only the id and the type of its source are in it. The rest changes by itself, or says who may read
    the source.
    """
    source = _filled(_SOURCE, vars(found.source))
    return _filled(_IMPORT, {**vars(found), "source": source})


def _filled(kinds: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are not empty. Texts in lists are sorted, since the service may reorder them."""
    found = {name: values.get(name) for name in kinds}
    return {
        name: sorted(cast("list[str]", value)) if is_list_of_texts(value) else value
        for name, value in found.items()
        if value or name == "code"
    }


def _sentence(query: Any) -> str | None:
    """Return a query in words; None if there is no query, or it does not follow the known grammar."""
    try:
        return Query.from_json(query).describe() if query else None
    except QueryError:
        return None


# --- Reading -------------------------------------------------------------------------------------

_NO_TIMES = {"created_at": None, "last_updated_at": None, "live_audience_size": None}
_NO_SEGMENT_TIMES = {"created_at": None, "updated_at": None}


def read_cohort(data: Mapping[str, Any]) -> Cohort:
    """Make a cohort from the content of a file; ValueError says which member is wrong."""
    return Cohort.from_json({**_checked(data, _COHORT, _SENTENCE), **_NO_TIMES})


def read_inherited(data: Mapping[str, Any]) -> Cohort:
    """Make a cohort of a workspace above from the content of a file."""
    return Cohort.from_json({**_checked(data, _INHERITED), **_NO_TIMES})


def read_import(data: Mapping[str, Any]) -> Import:
    """Make an import with its segments from the content of a file."""
    members = _checked(data, {**_IMPORT, "segments": _OBJECTS})
    source: dict[str, Any] = {
        "id": "",
        "type": "",
        **_checked(members.get("source", {}), _SOURCE),
        "state": {},
    }
    segments = [*_read_segments(members.get("segments", []), members["id"])]
    given: dict[str, Any] = {"relation": "", "identifiers": [], **members}
    return Import.from_json({**given, **_NO_SEGMENT_TIMES, "source": source, "segments": segments})


def _read_segments(segments: Iterable[Mapping[str, Any]], import_id: str) -> Iterable[Segment]:
    codes = set[str]()
    for place, data in enumerate(segments):
        try:
            members = _checked(data, _SEGMENT)
        except ValueError as error:
            raise ValueError(f"segments[{place}]: {error}") from None
        if members["code"] in codes:
            raise ValueError(f"segments[{place}]: another segment has the code {members['code']!r}")
        codes.add(members["code"])
        yield Segment.from_json({**members, **_NO_SEGMENT_TIMES, "import_id": import_id})


def _checked(data: Mapping[str, Any], kinds: Mapping[str, _Kind], *ignored: str) -> dict[str, Any]:
    """Return the members of an object, without the mark and the ignored ones; ValueError if one is wrong.

    A misspelt member would count as an empty one. So unknown members are refused.
    """
    for name in data.keys() - kinds.keys() - {MARK, *ignored}:
        raise ValueError(f"it has an unknown member {name!r}")
    found = {name: data[name] for name in kinds if data.get(name) is not None}
    for name, kind in kinds.items():
        if name not in found and kind.is_required:
            raise ValueError(f"it has no {name!r}")
        if name in found and not kind.is_valid(found[name]):
            raise ValueError(f"{name!r} must be {kind.description}, got {found[name]!r:.80}")
    return found
