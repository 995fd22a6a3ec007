"""A sandbox that starts as a copy of another service.

The data are workspaces, cohorts and imports with their segments. There are no users and events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .rows import named
from .server import Sandbox
from .shapes import JSONObject, Shape, many, mapping, string, text, whole
from .state import Codes, State, StoredImport, Workspace


def _code(value: Any) -> int:
    """Read the code of a cohort, which may be a text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else whole(value)


_COHORT = Shape(required={"id": text, "code": _code, "name": text, "workspace_id": text})
_SEGMENT = Shape(required={"id": text, "code": text, "name": text})
_IMPORT = Shape(
    required={
        "facts": mapping,
        "workspace_id": text,
        "seen_by": many(string),
        "segments": many(mapping),
    }
)


class CopiedSandbox(Sandbox):
    """A sandbox that starts as a copy of another service.

    Parameters
    ----------
    data : dict
        Members "workspaces": fields of :class:`~.state.Workspace`; "cohorts": as the service shows
        them, lookalike ones without a query; "imports": objects of "facts", the import as its own
        workspace sees it, "workspace_id", "seen_by", the ids of the workspaces that see it, and
        "segments"; "next_code": the code of the next new cohort.
    unknown_key : str
        What the response to an unknown key says.

    Raises
    ------
    ValueError
        If a member is missing or wrong. The text names it.
    """

    def __init__(self, data: Mapping[str, Any], *, unknown_key: str) -> None:
        self._data = data
        self._unknown_key = unknown_key
        super().__init__(control=False)  # It needs no key, and the data is real.

    def _first_state(self) -> State:
        workspaces = (
            replace(Workspace(**each), above=frozenset(each["above"]))
            for each in self._data["workspaces"]
        )
        cohorts = [
            {"state": "Enabled", **each}
            for each in _checked("cohorts", self._data["cohorts"], _COHORT)
        ]
        imports = map(_stored, _checked("imports", self._data["imports"], _IMPORT))
        return State(
            workspaces=tuple(workspaces),
            codes=Codes(self._data["next_code"]),
            cohorts={each["id"].lower(): each for each in cohorts},
            imports={each.facts["id"].lower(): each for each in imports},
            unknown_key=self._unknown_key,
        )

    def credentials(self) -> list[dict[str, str]]:
        """Return the content of a credentials file: the workspaces that have a key."""
        return [each for each in super().credentials() if each["api_key"]]

    def cohorts(self) -> list[JSONObject]:
        """Return the cohorts as they are now, with their queries."""
        with self._state.lock:
            return [dict(each) for each in self._state.cohorts.values()]

    def segments(self) -> dict[str, list[JSONObject]]:
        """Return the segments of each import as they are now, by the import's id."""
        with self._state.lock:
            return {each.facts["id"]: each.shelf.all() for each in self._state.imports.values()}

    @property
    def carried_out(self) -> Counter[str]:
        """How many times each operation was carried out, by its method and path."""
        return self._state.carried_out.copy()

    @property
    def unknown_keys(self) -> int:
        """How many requests had an unknown key."""
        return self._state.unknown_keys


def _checked(name: str, items: Iterable[Any], shape: Shape) -> Iterator[JSONObject]:
    """Yield the items with all their members. Raise ValueError that names an item of another shape."""
    for number, item in enumerate(items):
        with named(f"{name}[{number}]"):
            found = {**item, **shape(item)}
        yield found


def _stored(data: JSONObject) -> StoredImport:
    found = StoredImport(data["facts"], data["workspace_id"], seen_by=frozenset(data["seen_by"]))
    name = f"segments of the import {found.facts['id']}"
    for segment in _checked(name, data["segments"], _SEGMENT):
        found.shelf.add(segment)
    return found
