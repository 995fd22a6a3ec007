"""The plans of the segments between two snapshots, one for each import, and what they cannot do."""

from __future__ import annotations

from ..Audience.Import import Import
from ..Tables.changes import same
from ..Tables.plan import Plan
from ..Tables.segments import plan_exact
from .content import import_facts
from .folder import Content
from .matching import matched_imports
from .wording import Notes, named_import


def plans_of_segments(old: Content, new: Content, notes: Notes) -> list[Plan]:
    """Plan how the segments of one snapshot become those of another one.

    The notes get what the plans cannot do: imports can only be read.
    """
    matching = matched_imports(old.imports, new.imports)
    notes.unmatched(map(named_import, matching.old), map(named_import, matching.new))
    for before, after in matching.pairs:
        notes.changed(f"the import {before.name!r}", _differences(before, after))
    return [
        plan_exact(before.id, before.segments or (), after.segments or ())
        for before, after in matching.pairs
    ]


def _differences(old: Import, new: Import) -> list[str]:
    before, after = import_facts(old), import_facts(new)
    names = dict.fromkeys([*before, *after])
    return [name for name in names if not same(before.get(name), after.get(name))]
