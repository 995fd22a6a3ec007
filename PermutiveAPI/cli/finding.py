"""Find the cohorts and imports that a person names by id, code or name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from PermutiveAPI import Cohort, Import
from PermutiveAPI._Utils.credentials import DEFAULT_API_KEY
from PermutiveAPI._Utils.resources.display import first_lines

Found = TypeVar("Found", Cohort, Import)


def cohorts_named(names: Iterable[str], *, api_key: str = DEFAULT_API_KEY) -> list[Cohort]:
    """Return the cohorts with these ids, codes or exact names, in this order, each once.

    They come from a list, so they have no queries. The workspaces below are searched only for what the
    key's own workspace does not have. ValueError lists the names that stand for no cohort, or for several.
    """
    wanted = [*dict.fromkeys(names)]
    known = _by_every_name(Cohort.list(api_key))
    if not all(name in known for name in wanted):
        below = _by_every_name(Cohort.list(api_key, include_child_workspaces=True))
        known = {**below, **known}
    return _meant(wanted, known, "cohort")


def import_named(name: str, *, api_key: str = DEFAULT_API_KEY) -> Import:
    """Return the import with this id, code or exact name; ValueError if none is meant, or several."""
    return _meant([name], _by_every_name(Import.list(api_key)), "import")[0]


def _by_every_name(items: Iterable[Found]) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {}
    for item in items:
        for name in {item.id, item.name, None if item.code is None else str(item.code)} - {None}:
            found.setdefault(str(name), []).append(item)
    return found


def _meant(names: Sequence[str], known: Mapping[str, list[Found]], kind: str) -> list[Found]:
    """Return the item of each name, each item once."""
    problems: list[str] = []
    found: dict[str | None, Found] = {}
    for name in names:
        items = known.get(name, [])
        if len(items) == 1:
            found.setdefault(items[0].id, items[0])
        elif items:
            candidates = ", ".join(f"{each.id} (code {each.code})" for each in items)
            problems.append(f"{len(items)} {kind}s are called {name!r}; give the id: {candidates}")
        else:
            problems.append(f"no {kind} has the id, code or name {name!r}")
    if len(problems) == 1:
        raise ValueError(f"{problems[0]}.")
    if problems:
        heading = f"{len(problems):,} names do not stand for one {kind} each:"
        raise ValueError("\n".join([heading, *first_lines(problems)]))
    return [*found.values()]
