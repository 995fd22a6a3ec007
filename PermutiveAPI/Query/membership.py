"""Clauses about segments: who entered or left one, and who is in one.

Segments and cohorts are named by their codes. Source: the fuller cohort grammar of clients that use the live
service; Permutive has not confirmed it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .clauses import Timed, optional_members, read_optional, tail_of
from .numbers import Window
from .query import Clause
from .reading import Part, QueryError


def has_entered(segment: str | int) -> Transition:
    """Say that a user has entered a segment, named by its code; ``~`` for "has not entered"."""
    return Transition("entered", Part(segment, "segment").name())


def has_exited(segment: str | int) -> Transition:
    """Say that a user has left a segment, named by its code; ``~`` for "has not left"."""
    return Transition("exited", Part(segment, "segment").name())


@dataclass(frozen=True, eq=False)
class Transition(Timed):
    """Whether a user entered or left a segment; see :func:`has_entered` and :func:`has_exited`."""

    way: str
    segment: str | int
    during: Window | None = None
    negative: bool = False

    members = ("has_entered", "has_not_entered", "has_exited", "has_not_exited")

    def negated(self) -> Transition:
        """Return the opposite."""
        return replace(self, negative=not self.negative)

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        name = f"has_not_{self.way}" if self.negative else f"has_{self.way}"
        return {name: {"segment": self.segment, **optional_members(None, self.during)}}

    def words(self) -> str:
        """Say it."""
        way = {"entered": "entered", "exited": "left"}[self.way]
        has = "have not" if self.negative else "have"
        return f"{has} {way} segment {self.segment}{tail_of(None, self.during)}"

    @classmethod
    def read(cls, part: Part) -> Transition:
        """Read one from JSON data."""
        member, inner = part.only_member(cls.members)
        members = inner.members(["segment"], ["during"])
        return cls(
            member.rpartition("_")[2],
            members["segment"].name(),
            negative="_not_" in member,
            **read_optional(members),
        )


def in_segment(segment: str | int) -> InSegment:
    """Say that a user is in a segment or cohort, named by its code. It has no negative form."""
    return InSegment(Part(segment, "segment").name())


def in_second_party_segment(provider: str, segment: str) -> Membership:
    """Say that a user is in a segment of a second party: the codes of the import and of the segment."""
    return Membership(
        "second_party",
        (
            ("provider", Part(provider, "provider").text()),
            ("segment", Part(segment, "segment").text()),
        ),
    )


def in_third_party_segment(
    segment: str | int, provider: str | None = None
) -> Membership:
    """Say that a user is in a segment of a third party, maybe of this provider's."""
    fields = [("segment", Part(segment, "segment").name())]
    if provider is not None:
        fields.append(("provider", Part(provider, "provider").text()))
    return Membership("third_party", tuple(fields))


def in_connections_import_segment(
    provider: str | None = None,
    *,
    field_name: str | None = None,
    value: str | None = None,
) -> Membership:
    """Say that a user is in a segment of a connection: a provider's, or by a field and its value."""
    if provider is not None and field_name is None and value is None:
        return Membership(
            "connections_import", (("provider", Part(provider, "provider").text()),)
        )
    if provider is not None or field_name is None or value is None:
        raise QueryError("Give a provider, or a field_name and its value.")
    pairs = (("field_name", field_name), ("value", value))
    fields = tuple((name, Part(text, name).string()) for name, text in pairs)
    return Membership("connections_import", fields)


@dataclass(frozen=True, eq=False)
class InSegment(Clause):
    """Whether a user is in a segment or cohort; see :func:`in_segment`."""

    segment: str | int

    members = ("in_segment",)

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        return {"in_segment": self.segment}

    def words(self) -> str:
        """Say it."""
        return f"are in segment {self.segment}"

    @classmethod
    def read(cls, part: Part) -> InSegment:
        """Read one from JSON data."""
        return cls(part.only_member(cls.members)[1].name())


@dataclass(frozen=True, eq=False)
class Membership(Clause):
    """Whether a user is in a segment of somebody else's; see :func:`in_third_party_segment`.

    Parameters
    ----------
    party : str
        Whose: "second_party", "third_party" or "connections_import".
    fields : tuple of (str, str or int)
        Which one, as the grammar names it.
    """

    party: str
    fields: tuple[tuple[str, str | int], ...]
    negative: bool = False

    members = tuple(
        f"{prefix}in_{party}_segment"
        for party in ("second_party", "third_party", "connections_import")
        for prefix in ("", "not_")
    )

    def negated(self) -> Membership:
        """Return the opposite."""
        return replace(self, negative=not self.negative)

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        prefix = "not_" if self.negative else ""
        return {f"{prefix}in_{self.party}_segment": dict(self.fields)}

    def words(self) -> str:
        """Say it."""
        which = " and ".join(f"{name} {value}" for name, value in self.fields)
        are = "are not" if self.negative else "are"
        return f"{are} in a {self.party.replace('_', ' ')} segment with {which}"

    @classmethod
    def read(cls, part: Part) -> Membership:
        """Read one from JSON data."""
        member, inner = part.only_member(cls.members)
        negative = member.startswith("not_")
        party = member.removeprefix("not_")[len("in_") : -len("_segment")]
        made = _READERS[party](inner)
        return made.negated() if negative else made


def _read_second_party(part: Part) -> Membership:
    members = part.members(["provider", "segment"])
    return in_second_party_segment(
        members["provider"].text(), members["segment"].text()
    )


def _read_third_party(part: Part) -> Membership:
    members = part.members(["segment"], ["provider"])
    provider = members["provider"].text() if "provider" in members else None
    return in_third_party_segment(members["segment"].name(), provider)


def _read_connections_import(part: Part) -> Membership:
    if "provider" in part.names:
        members = part.members(["provider"])
        return in_connections_import_segment(members["provider"].text())
    members = part.members(["field_name", "value"])
    name, value = members["field_name"].string(), members["value"].string()
    return in_connections_import_segment(field_name=name, value=value)


_READERS = {
    "second_party": _read_second_party,
    "third_party": _read_third_party,
    "connections_import": _read_connections_import,
}
