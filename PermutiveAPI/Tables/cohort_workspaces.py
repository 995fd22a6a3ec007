"""Check that a key belongs to the workspace that a plan of cohorts was made for."""

from __future__ import annotations

from collections.abc import Sequence

from ..Cohort import Cohort
from .cohort_reading import Seen
from .phrases import NAME_WORKSPACE, PASS_KEY
from .plan import Plan


def require_workspace(plan: Plan) -> None:
    """Raise ValueError if a plan creates cohorts, and does not say where: the key saw no cohorts, and was unknown."""
    target = plan.target
    if plan.creates and target.workspace_id is None and not target.workspace_ids:
        raise ValueError(
            "The plan creates cohorts, but the workspace is not known, because it has no cohorts yet. "
            f"{NAME_WORKSPACE()}."
        )


def check_workspace(plan: Plan, seen: Seen) -> None:
    """Raise ValueError if a key does not belong to the workspace that a plan was made for.

    If the workspace of the key is not known, the key must see cohorts of the same workspaces as the key
    that made the plan. But a workspace may have got its first cohort, or lost its last one, in between.
    """
    require_workspace(plan)
    if not _is_same(plan, seen):
        target = plan.target
        ids = target.workspace_id or " or ".join(target.workspace_ids)
        raise ValueError(
            f"The plan was made for another workspace: {ids}. {PASS_KEY()}. If it has no cohorts yet, "
            "it must be in the file that PERMUTIVE_APPLICATION_CREDENTIALS names."
        )


def check_owners(plan: Plan, seen: Seen, cohorts: Sequence[Cohort]) -> None:
    """Raise ValueError if a plan updates or deletes inherited cohorts.

    If the key's workspace is not known, they are known to be inherited only if there are two owners: at
    most one of them is the key's workspace.
    """
    own_id = seen.own_id or plan.target.workspace_id
    # Cohorts that are fetched may lack their workspace, listed ones have it.
    ids = {each.id for each in cohorts}
    listed = [each for each in seen.cohorts if each.id in ids]
    owners = {each.workspace_id for each in listed}
    foreign = [each for each in listed if each.workspace_id not in (None, own_id)]
    if foreign and (own_id is not None or len(owners) > 1):
        names = ", ".join(
            f"{each.name!r} of the workspace {each.workspace_id}" for each in foreign[:20]
        )
        raise ValueError(
            "Nothing was written: the plan changes cohorts that may be inherited, and can be changed only "
            f"in their own workspace: {names}"
        )


def places_for_new(plan: Plan, seen: Seen) -> set[str]:
    """Return where a plan may create cohorts, if that must be seen from the answer to the first creation.

    A workspace without cohorts sees the same ones as the workspace above it. So what a key sees does not
    always tell whose it is.

    Returns
    -------
    set of str
        Ids of workspaces. It is empty if the key's workspace is known.
    """
    if seen.own_id is not None:
        return set()
    wanted = plan.target.workspace_id
    return {*plan.target.workspace_ids} if wanted is None else {wanted}


def _is_same(plan: Plan, seen: Seen) -> bool:
    wanted, ids = plan.target.workspace_id, seen.workspace_ids
    if wanted is not None and seen.own_id is not None:
        return wanted == seen.own_id
    if wanted is not None and ids and wanted not in ids:
        return False
    planned = {*plan.target.workspace_ids}
    if plan.creates and planned and seen.own_id is not None and seen.own_id not in planned:
        return False
    return ids - planned <= _may_be_new(plan) and planned - ids <= _may_be_gone(plan, seen)


def _may_be_new(plan: Plan) -> set[str]:
    """Return the workspaces that may have been without cohorts when the plan was made."""
    wanted = plan.target.workspace_id
    return set() if wanted is None else {wanted}


def _may_be_gone(plan: Plan, seen: Seen) -> set[str]:
    """Return the planned workspaces that the key need not see. The set is empty if a cohort might be created in a wrong one."""
    if plan.creates and plan.target.workspace_id is None:
        return set()
    if plan.deletes:
        return {*plan.target.workspace_ids}
    return {each.workspace_id for each in seen.below if each.workspace_id}
