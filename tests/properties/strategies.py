"""Values of the annotated types, for every model."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Dict

from hypothesis import strategies as st

from PermutiveAPI import (
    Alias,
    Cohort,
    CohortList,
    ContextSegment,
    Event,
    Identity,
    Import,
    ImportList,
    KnownAlias,
    Segment,
    Segmentation,
    SegmentList,
    Source,
    TrackedEvent,
    Workspace,
    WorkspaceList,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values: "st.SearchStrategy[Any]" = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(texts, json_values, max_size=3)
offsets = st.integers(-24 * 3600 + 1, 24 * 3600 - 1).map(
    lambda seconds: timezone(timedelta(seconds=seconds))
)
# Without the first and last days of the calendar, where times in different zones cannot be compared, and
# without folds, which ISO 8601 cannot express.
moments = st.datetimes(
    min_value=datetime(1, 1, 3),
    max_value=datetime(9999, 12, 29),
    timezones=st.just(timezone.utc) | offsets,
).map(lambda moment: moment.replace(fold=0))


def optional(strategy: "st.SearchStrategy[Any]") -> "st.SearchStrategy[Any]":
    """Return None or a value."""
    return st.none() | strategy


def lists_of(strategy: "st.SearchStrategy[Any]") -> "st.SearchStrategy[Any]":
    """Return short lists of values, none of them None."""
    return st.lists(strategy, max_size=2)


aliases = st.builds(Alias, texts, texts, st.integers())
identities = st.builds(Identity, texts, lists_of(aliases))
events = st.builds(Event, texts, texts, objects, optional(texts), optional(texts))
segmentations = st.builds(
    Segmentation,
    lists_of(events),
    optional(texts),
    st.booleans(),
    st.booleans(),
    optional(aliases),
    optional(lists_of(aliases)),
)
known_aliases = st.builds(KnownAlias, texts, texts, texts)
tracked_events = st.builds(
    TrackedEvent,
    texts,
    optional(texts),
    objects,
    optional(lists_of(aliases)),
    optional(texts),
    optional(texts),
    optional(lists_of(st.integers())),
    optional(lists_of(texts)),
)
pages = st.builds(ContextSegment, texts, objects)
cohorts = st.builds(
    Cohort,
    texts,
    optional(texts),
    optional(st.integers() | texts),
    optional(objects),
    optional(lists_of(texts)),
    optional(texts),
    optional(texts),
    optional(texts),
    optional(texts),
    optional(st.integers()),
    optional(moments),
    optional(moments),
    optional(texts),
    optional(texts),
    optional(texts),
)
segments = st.builds(
    Segment,
    optional(texts),
    texts,
    texts,
    optional(texts),
    optional(texts),
    optional(numbers),
    optional(lists_of(texts)),
    optional(moments),
    optional(moments),
    optional(objects),
)
some_json = st.booleans() | st.integers() | numbers | texts | objects
sources = st.builds(
    Source,
    texts,
    objects,
    texts,
    optional(texts),
    optional(st.lists(some_json, max_size=2)),
    optional(objects),
    optional(objects),
    optional(texts),
    optional(st.lists(some_json, max_size=2)),
    optional(texts),
    optional(texts),
    optional(texts | st.integers()),
)
imports = st.builds(
    Import,
    texts,
    texts,
    texts,
    texts,
    lists_of(texts),
    sources,
    optional(texts),
    optional(objects),
    optional(lists_of(segments).map(SegmentList)),
    optional(moments),
    optional(moments),
)
workspaces = st.builds(Workspace, texts, texts, texts, texts)

MODELS: Dict[str, "st.SearchStrategy[Any]"] = {
    "Alias": aliases,
    "Identity": identities,
    "Event": events,
    "KnownAlias": known_aliases,
    "TrackedEvent": tracked_events,
    "ContextSegment": pages,
    "Cohort": cohorts,
    "Segment": segments,
    "Source": sources,
    "Import": imports,
    "Workspace": workspaces,
    "CohortList": lists_of(cohorts).map(CohortList),
    "SegmentList": lists_of(segments).map(SegmentList),
    "ImportList": st.lists(imports, max_size=1).map(ImportList),
    "WorkspaceList": lists_of(workspaces).map(WorkspaceList),
}
