"""The decoded answers of the service, key by key: names for annotations in users' own code.

>>> from PermutiveAPI.answers import SegmentationAnswer
>>> def codes(answer: SegmentationAnswer) -> set[int]:
...     return {int(code) for code in answer["cohorts"]}

The calls return plain dictionaries, as the service wrote them; nothing is checked or left out. A key that may be
absent is read with ``get``. Permutive documents every key but ``segments`` of :class:`SegmentationAnswer`.
"""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = [
    "Classifications",
    "ClassifiedCategory",
    "ClassifiedKeyword",
    "ContextAnswer",
    "ContextualData",
    "NamedCohort",
    "SegmentationAnswer",
    "SegmentationState",
    "StatelessAnswer",
    "TrackedEventAnswer",
]


class NamedCohort(TypedDict):
    """A cohort by its id and its name."""

    id: str
    name: str


class _SegmentationAlways(TypedDict):
    user_id: str
    cohorts: list[str]


class SegmentationAnswer(_SegmentationAlways, total=False):
    """The answer to ``Segmentation.send``: the cohorts that a user falls into.

    Attributes
    ----------
    user_id : str
        The user.
    cohorts : list of str
        The codes of the cohorts.
    activations : dict of list of str
        Where it was asked for, the codes of the activated cohorts by platform, for instance "gam".
    segments : list of NamedCohort
        The same cohorts by id and name. Permutive does not document this key, and it may be absent;
        the sandbox answers it.
    """

    activations: dict[str, list[str]]
    segments: list[NamedCohort]


class SegmentationState(TypedDict):
    """What is known of a user, to be sent back as it came; only `cohorts` is meant to be read.

    Attributes
    ----------
    internal_state, external_state : dict
        The service's own.
    cohorts : list of str
        The codes of the cohorts that the user falls into.
    """

    internal_state: dict[str, Any]
    external_state: dict[str, Any]
    cohorts: list[str]


class StatelessAnswer(TypedDict):
    """The answer to ``Segmentation.send_stateless``."""

    user_id: str
    state: SegmentationState


class _TrackedEventAlways(TypedDict):
    user_id: str
    time: str


class TrackedEventAnswer(_TrackedEventAlways, total=False):
    """The answer to ``TrackedEvent.track``: the user and the time, and the whole event where it was enriched."""

    name: str
    properties: dict[str, Any]
    view_id: str
    session_id: str
    segments: list[int]
    cohorts: list[str]


class ClassifiedCategory(TypedDict):
    """A category that a page belongs to."""

    value: str
    confidence: float
    taxonomy: str
    provider: str


class ClassifiedKeyword(TypedDict):
    """A keyword of a page."""

    value: str
    confidence: float


class Classifications(TypedDict):
    """The categories and keywords of a page."""

    categories: list[ClassifiedCategory]
    keywords: list[ClassifiedKeyword]


class ContextualData(TypedDict):
    """What the service found out about a page."""

    classifications: Classifications


class ContextAnswer(TypedDict):
    """The answer to ``ContextSegment.send``: the cohorts that fit a page.

    Attributes
    ----------
    cohorts : list of str
        The codes of the cohorts.
    activations : dict of list of str
        The codes by platform, for instance "target_dfp".
    contextual_data : ContextualData
        What the service found out about the page.
    """

    cohorts: list[str]
    activations: dict[str, list[str]]
    contextual_data: ContextualData
