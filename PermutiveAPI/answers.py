"""The decoded bodies of the service's responses: types for annotations in users' own code.

>>> from PermutiveAPI.answers import SegmentationAnswer
>>> def codes(answer: SegmentationAnswer) -> set[int]:
...     return {int(code) for code in answer["cohorts"]}

The calls return plain dictionaries, exactly as the service wrote them. Nothing is checked or left out. Read a key that
may be absent with ``get``. Permutive documents every key except ``segments`` of :class:`SegmentationAnswer`.
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
    """The id and the name of a cohort."""

    id: str
    name: str


class _SegmentationAlways(TypedDict):
    user_id: str
    cohorts: list[str]


class SegmentationAnswer(_SegmentationAlways, total=False):
    """The response to ``Segmentation.send``: the cohorts that a user belongs to.

    Attributes
    ----------
    user_id : str
        The user's id.
    cohorts : list of str
        The codes of the cohorts.
    activations : dict of list of str
        Only on request: the codes of the activated cohorts by platform, for instance "gam".
    segments : list of NamedCohort
        The same cohorts with id and name. Permutive does not document this key, and it may be absent.
        The sandbox returns it.

    Examples
    --------
    >>> response: SegmentationAnswer = Segmentation([], user_id="user-1").send()
    >>> response["cohorts"][0], response.get("activations")
    ('12346', None)
    >>> response.get("segments", [])[0]["name"]
    'Premier League Followers'
    """

    activations: dict[str, list[str]]
    segments: list[NamedCohort]


class SegmentationState(TypedDict):
    """What the service knows about a user. Send it back unchanged, and read only `cohorts`.

    Attributes
    ----------
    internal_state, external_state : dict
        Data of the service.
    cohorts : list of str
        The codes of the cohorts that the user belongs to.
    """

    internal_state: dict[str, Any]
    external_state: dict[str, Any]
    cohorts: list[str]


class StatelessAnswer(TypedDict):
    """The response to ``Segmentation.send_stateless``.

    Examples
    --------
    >>> response: StatelessAnswer = Segmentation([], user_id="user-1").send_stateless()
    >>> response["state"]["cohorts"][0]
    '12346'
    """

    user_id: str
    state: SegmentationState


class _TrackedEventAlways(TypedDict):
    user_id: str
    time: str


class TrackedEventAnswer(_TrackedEventAlways, total=False):
    """The response to ``TrackedEvent.track``: the user and the time, and the whole event if it was enriched.

    Examples
    --------
    >>> response: TrackedEventAnswer = TrackedEvent("Pageview", user_id="user-1").track()
    >>> response["user_id"], response.get("name")
    ('user-1', 'Pageview')
    """

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
    """What the service knows about a page."""

    classifications: Classifications


class ContextAnswer(TypedDict):
    """The response to ``ContextSegment.send``: the cohorts that fit a page.

    Attributes
    ----------
    cohorts : list of str
        The codes of the cohorts.
    activations : dict of list of str
        The codes by platform, for instance "target_dfp".
    contextual_data : ContextualData
        What the service knows about the page.

    Examples
    --------
    >>> response: ContextAnswer = ContextSegment("https://example.com/sport/").send()
    >>> response["cohorts"][0]
    '12345'
    >>> response["contextual_data"]["classifications"]["categories"][0]["value"]
    'sport'
    """

    cohorts: list[str]
    activations: dict[str, list[str]]
    contextual_data: ContextualData
