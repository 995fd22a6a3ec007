"""Clauses about segments: who entered or left one, and who is in one.

Segments and cohorts are named by their codes. Source: the cohort grammar of clients that use the live
service; Permutive has not confirmed all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .clauses import Timed, optional_members, read_optional, tail_of
from .numbers import Window
from .query import Clause, reads
from .reading import Node, QueryError
from .writing import literal, refined


def has_entered(segment: str | int) -> Transition:
    """Require that a user has entered the segment with this code; ``~`` makes "has not entered".

    >>> print(~has_entered(12345).in_the_last(days=7))
    Users who have not entered segment 12345 in the last 7 days
    """
    return Transition("entered", Node(segment, "segment").name())


def has_exited(segment: str | int) -> Transition:
    """Require that a user has left the segment with this code; ``~`` makes "has not left".

    >>> print(has_exited(12345))
    Users who have left segment 12345
    """
    return Transition("exited", Node(segment, "segment").name())


@dataclass(frozen=True, eq=False, repr=False)
class Transition(Timed):
    """Whether a user entered or left a segment; see :func:`has_entered` and :func:`has_exited`."""

    way: str
    segment: str | int
    during: Window | None = None
    negative: bool = False

    def __invert__(self) -> Transition:
        """Return the opposite."""
        return replace(self, negative=not self.negative)

    def to_json(self) -> dict[str, Any]:
        """Return the clause in the form of the grammar."""
        name = f"has_not_{self.way}" if self.negative else f"has_{self.way}"
        return {name: {"segment": self.segment, **optional_members(None, self.during)}}

    def _to_phrase(self) -> str:
        way = {"entered": "entered", "exited": "left"}[self.way]
        has = "have not" if self.negative else "have"
        return f"{has} {way} segment {self.segment}{tail_of(None, self.during)}"

    def __repr__(self) -> str:
        """Show the code that makes the clause."""
        sign = "~" if self.negative else ""
        start = f"{sign}has_{self.way}({literal(self.segment)})"
        return refined(start, None, self.during)


_TRANSITIONS = ("has_entered", "has_not_entered", "has_exited", "has_not_exited")


@reads(*_TRANSITIONS)
def read_transition(node: Node) -> Transition:
    """Read this clause from JSON data."""
    member, inner = node.only_member(_TRANSITIONS)
    members = inner.members(["segment"], ["during"])
    return Transition(
        member.rpartition("_")[2],
        members["segment"].name(),
        negative="_not_" in member,
        **read_optional(members),
    )


def in_segment(segment: str | int) -> InSegment:
    """Require that a user is in the segment or cohort with this code. This clause has no negative form.

    >>> print(in_segment(12345))
    Users who are in segment 12345
    """
    return InSegment(Node(segment, "segment").name())


def in_second_party_segment(provider: str, segment: str) -> Membership:
    """Require that a user is in a segment of a second party.

    Parameters
    ----------
    provider : str
        The code of the import.
    segment : str
        The code of the segment.

    Examples
    --------
    >>> print(in_second_party_segment("subscribercrm", "DigitalNorth"))
    Users who are in a second party segment with provider subscribercrm and segment DigitalNorth
    """
    return Membership(
        "second_party",
        (
            ("provider", Node(provider, "provider").text()),
            ("segment", Node(segment, "segment").text()),
        ),
    )


def in_third_party_segment(segment: str | int, *, provider: str | None = None) -> Membership:
    """Require that a user is in a segment of a third party.

    Parameters
    ----------
    segment : str or int
        The code of the segment.
    provider : str, optional
        The code of the import that the segment belongs to.

    Examples
    --------
    >>> print(~in_third_party_segment(700100, provider="inmarket"))
    Users who are not in a third party segment with segment 700100 and provider inmarket
    """
    fields = [("segment", Node(segment, "segment").name())]
    if provider is not None:
        fields.append(("provider", Node(provider, "provider").text()))
    return Membership("third_party", tuple(fields))


def in_connections_import_segment(
    provider: str | None = None, *, field_name: str | None = None, value: str | None = None
) -> Membership:
    """Require that a user is in a segment of a connection. Give a provider, or a field and its value.

    Permutive publishes the names of these members, but not what they mean.

    Examples
    --------
    >>> print(in_connections_import_segment(field_name="plan", value="premium"))
    Users who are in a connections import segment with field_name plan and value premium
    """
    if provider is not None and field_name is None and value is None:
        return Membership("connections_import", (("provider", Node(provider, "provider").text()),))
    if provider is not None or field_name is None or value is None:
        raise QueryError(
            "in_connections_import_segment() takes a provider, or a field_name and its value."
        )
    pairs = (("field_name", field_name), ("value", value))
    fields = tuple((name, Node(text, name).string()) for name, text in pairs)
    return Membership("connections_import", fields)


@dataclass(frozen=True, eq=False, repr=False)
class InSegment(Clause):
    """Whether a user is in a segment or cohort; see :func:`in_segment`."""

    segment: str | int

    def to_json(self) -> dict[str, Any]:
        """Return the clause in the form of the grammar."""
        return {"in_segment": self.segment}

    def _to_phrase(self) -> str:
        return f"are in segment {self.segment}"

    def __repr__(self) -> str:
        """Show the code that makes the clause."""
        return f"in_segment({literal(self.segment)})"


@reads("in_segment")
def read_in_segment(node: Node) -> InSegment:
    """Read this clause from JSON data."""
    _, segment = node.only_member(["in_segment"])
    return InSegment(segment.name())


@dataclass(frozen=True, eq=False, repr=False)
class Membership(Clause):
    """Whether a user is in a segment of another party; see :func:`in_third_party_segment`.

    Parameters
    ----------
    party : str
        The other party: "second_party", "third_party" or "connections_import".
    fields : tuple of (str, str or int)
        The members that name the segment, as in the grammar.
    """

    party: str
    fields: tuple[tuple[str, str | int], ...]
    negative: bool = False

    def __invert__(self) -> Membership:
        """Return the opposite."""
        return replace(self, negative=not self.negative)

    def to_json(self) -> dict[str, Any]:
        """Return the clause in the form of the grammar."""
        prefix = "not_" if self.negative else ""
        return {f"{prefix}in_{self.party}_segment": dict(self.fields)}

    def _to_phrase(self) -> str:
        which = " and ".join(f"{name} {value}" for name, value in self.fields)
        are = "are not" if self.negative else "are"
        return f"{are} in a {self.party.replace('_', ' ')} segment with {which}"

    def __repr__(self) -> str:
        """Show the code that makes the clause."""
        sign = "~" if self.negative else ""
        values = (f"{name}={literal(value)}" for name, value in self.fields)
        return f"{sign}in_{self.party}_segment({', '.join(values)})"


def _read_second_party(node: Node) -> Membership:
    members = node.members(["provider", "segment"])
    return in_second_party_segment(members["provider"].text(), members["segment"].text())


def _read_third_party(node: Node) -> Membership:
    members = node.members(["segment"], ["provider"])
    provider = members["provider"].text() if "provider" in members else None
    return in_third_party_segment(members["segment"].name(), provider=provider)


def _read_connections_import(node: Node) -> Membership:
    if "provider" in node.names:
        members = node.members(["provider"])
        return in_connections_import_segment(members["provider"].text())
    members = node.members(["field_name", "value"])
    name, value = members["field_name"].string(), members["value"].string()
    return in_connections_import_segment(field_name=name, value=value)


_MEMBERSHIPS = {
    "in_second_party_segment": _read_second_party,
    "in_third_party_segment": _read_third_party,
    "in_connections_import_segment": _read_connections_import,
}


@reads(*_MEMBERSHIPS, *(f"not_{member}" for member in _MEMBERSHIPS))
def read_membership(node: Node) -> Membership:
    """Read this clause from JSON data."""
    member, inner = node.only_member(node.names)
    positive = member.removeprefix("not_")
    membership = _MEMBERSHIPS[positive](inner)
    return membership if member == positive else ~membership
