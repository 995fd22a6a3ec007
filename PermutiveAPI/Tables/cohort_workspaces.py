"""Check that a key belongs to the workspace that a plan of cohorts was made for."""

from __future__ import annotations

from .cohort_reading import Seen
from .plan import Plan


def check_workspace(plan: Plan, seen: Seen) -> None:
    """Raise ValueError if a key does not belong to the workspace that a plan was made for.

    If the workspace of the key is not known, the key must see cohorts of the same workspaces as the key
    that made the plan. But a workspace may have got its first cohort, or lost its last one, in between.
    """
    if not _is_same(plan, seen):
        target = plan.target
        ids = target.workspace_id or " or ".join(target.workspace_ids) or "one without cohorts"
        raise ValueError(
            f"The plan was made for another workspace: {ids}. Pass its api_key. If it has no cohorts yet, "
            "it must be in the file that PERMUTIVE_APPLICATION_CREDENTIALS names."
        )


def _is_same(plan: Plan, seen: Seen) -> bool:
    wanted, ids = plan.target.workspace_id, seen.workspace_ids
    if wanted is not None and seen.own_id is not None:
        return wanted == seen.own_id
    if wanted is not None and ids and wanted not in ids:
        return False
    planned = {*plan.target.workspace_ids}
    return ids - planned <= _may_be_new(plan, seen) and planned - ids <= _may_be_gone(plan, seen)


def _may_be_new(plan: Plan, seen: Seen) -> set[str]:
    """Return the workspaces that may have been without cohorts when the plan was made."""
    if plan.target.workspace_id is not None:
        return {plan.target.workspace_id}
    names = {change.name for change in plan.creates}
    others = {each.workspace_id for each in seen.cohorts if each.name not in names}
    return seen.workspace_ids - others


def _may_be_gone(plan: Plan, seen: Seen) -> set[str]:
    """Return the planned workspaces that the key need not see. The set is empty if a cohort might be created in a wrong one."""
    if plan.creates and plan.target.workspace_id is None:
        return set()
    if plan.deletes:
        return {*plan.target.workspace_ids}
    return {each.workspace_id for each in seen.below if each.workspace_id}
