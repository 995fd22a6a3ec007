"""Sentences about what plans between snapshots cannot do: seen as history, or as what is to come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..Audience.Import import Import
from ..Cohort import Cohort


@dataclass(frozen=True)
class Wording:
    """The forms of the sentences.

    Attributes
    ----------
    only_old, only_new : str
        About an object that only the old or the new snapshot has.
    changed : str
        About an object whose fields differ.
    recoded : str
        About a cohort that has another code.
    created : str, optional
        About a cohort that the plan creates. None: nothing is said.
    """

    only_old: str
    only_new: str
    changed: str
    recoded: str
    created: str | None = None


SINCE = Wording(
    only_old="{thing} is gone",
    only_new="{thing} is new",
    changed="{thing} has changed: {fields}",
    recoded="{thing} now has the code {new} instead of {old}",
)
BACK = Wording(
    only_old="{thing} is new, and stays",
    only_new="{thing} cannot come back",
    changed="{thing} cannot be changed back: {fields}",
    recoded="{thing} keeps the code {old}; the code {new} cannot come back",
    created="{thing} comes back with another code; the code {code} cannot come back",
)


@dataclass(frozen=True)
class Notes:
    """Collects the sentences.

    Attributes
    ----------
    words : Wording
        Their forms.
    texts : list of str
        The sentences so far.
    """

    words: Wording
    texts: list[str] = field(default_factory=list[str])

    def unmatched(self, old: Iterable[str], new: Iterable[str]) -> None:
        """Name the things that only one of the snapshots has."""
        for thing in old:
            self.add(self.words.only_old.format(thing=thing))
        for thing in new:
            self.add(self.words.only_new.format(thing=thing))

    def changed(self, thing: str, fields: Sequence[str]) -> None:
        """Say which fields of a thing differ, if there are any."""
        if fields:
            self.add(self.words.changed.format(thing=thing, fields=", ".join(fields)))

    def recoded(self, old: Cohort, new: Cohort) -> None:
        """Say that a cohort has another code, if it has."""
        if str(old.code) != str(new.code):
            text = self.words.recoded.format(thing=named(new), old=old.code, new=new.code)
            self.add(text)

    def created(self, new: Cohort) -> None:
        """Say what creating a cohort again does not bring back."""
        if self.words.created is not None:
            self.add(self.words.created.format(thing=named(new), code=new.code))

    def add(self, text: str) -> None:
        """Add a sentence."""
        self.texts.append(f"{text[0].upper()}{text[1:]}.")


def named(cohort: Cohort) -> str:
    """Name a cohort."""
    return f"the cohort {cohort.name!r}"


def named_lookalike(cohort: Cohort) -> str:
    """Name a cohort without a query."""
    return f"the lookalike cohort {cohort.name!r} ({cohort.code})"


def named_inherited(cohort: Cohort) -> str:
    """Name a cohort of a workspace above."""
    return f"the inherited cohort {cohort.name!r} ({cohort.code})"


def named_import(found: Import) -> str:
    """Name an import, and count its segments."""
    count = len(found.segments or ())
    segments = "1 segment" if count == 1 else f"{count:,} segments"
    return f"the import {found.name!r} with {segments}"
