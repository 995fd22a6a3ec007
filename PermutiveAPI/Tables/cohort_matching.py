"""Find the cohort of each row of a table. Nothing here sends a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._Utils.resources.tables import Row
from ..Cohort import Cohort
from .rows import BadRows


@dataclass(frozen=True)
class Match:
    """A row with its number, from 1, and its cohort; None if the cohort is to be created."""

    number: int
    row: Row
    cohort: Cohort | None

    @property
    def name(self) -> str:
        """The cohort's present name; for a cohort that is to be created, its new one."""
        return self.row["name"] if self.cohort is None else self.cohort.name


class Directory:
    """Cohorts by id, by code and by name. Those of the workspaces below are found by id or code only."""

    def __init__(self, cohorts: Iterable[Cohort], below: Iterable[Cohort] = ()) -> None:
        own = [*cohorts]
        everything = [*below, *own]
        self._known = {
            "id": {str(each.id): each for each in everything},
            "code": {str(each.code): each for each in everything},
        }
        self._by_name: dict[str, list[Cohort]] = {}
        for each in own:
            self._by_name.setdefault(each.name, []).append(each)

    def knows(self, row: Row) -> bool:
        """Tell whether cohorts have the id and the code of a row. An empty one does not matter."""
        return all(value in self._known[name] for name, value in _keys_in(row).items())

    def with_known_keys(self, row: Row) -> Row:
        """Return a row without its id and its code if no cohort has them."""
        unknown = {name for name, value in _keys_in(row).items() if value not in self._known[name]}
        return {**row, **dict.fromkeys(unknown)}

    def meant_by(self, row: Row) -> Cohort | None:
        """Return the cohort of a row. It is found by its id, else by its code, else by its name.

        Returns
        -------
        Cohort or None
            None if the row has only a name, and no cohort has it.

        Raises
        ------
        ValueError
            If no cohort has the given id or code, if the two belong to different cohorts, if several
            cohorts have the name, or if the row has no id, no code and no name.
        """
        keys = _keys_in(row)
        if not keys:
            return self._named(row.get("name"))
        found = [self._identified(name, value) for name, value in keys.items()]
        if found[0] is not found[-1]:
            raise ValueError(
                f"the id belongs to {found[0].name!r}, but the code to {found[-1].name!r}"
            )
        return found[0]

    def _identified(self, name: str, value: str) -> Cohort:
        if value not in self._known[name]:
            raise ValueError(f"no cohort has the {name} {value}; leave it empty to create a cohort")
        return self._known[name][value]

    def _named(self, name: str | None) -> Cohort | None:
        if not (name or "").strip():
            raise ValueError("it has no id, no code and no name")
        named = self._by_name.get(name or "", [])
        if len(named) > 1:
            candidates = ", ".join(f"{each.id} (code {each.code})" for each in named)
            raise ValueError(
                f"{len(named)} cohorts have the name {name!r}; give the id or the code: {candidates}"
            )
        return named[0] if named else None


def _keys_in(row: Row) -> dict[str, str]:
    return {name: str(row[name]) for name in ("id", "code") if row.get(name) is not None}


def matched(rows: Iterable[Row], directory: Directory, bad: BadRows) -> list[Match]:
    """Return the rows with their cohorts.

    A row whose cohort is not found or not clear is left out, and added to the bad rows. If two rows have the
    same cohort, the second one is added, too.
    """
    matches: list[Match] = []
    first_rows: dict[tuple[str, Any], int] = {}
    for number, row in enumerate(rows, start=1):
        try:
            match = Match(number, row, directory.meant_by(row))
        except ValueError as error:
            bad.add(number, error)
            continue
        key = ("name", row["name"]) if match.cohort is None else ("id", match.cohort.id)
        first = first_rows.setdefault(key, number)
        if first != number:
            bad.add(number, f"the cohort {match.name!r} is also in row {first}")
        matches.append(match)
    return matches
