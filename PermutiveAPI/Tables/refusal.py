"""PlanRefusedError: a plan was not carried out, to protect what is there."""

from __future__ import annotations


class PlanRefusedError(ValueError):
    """A plan was refused before anything was written.

    It has too many changes, deletes what queries name, or is outdated (:class:`PlanOutdatedError`).

    Examples
    --------
    >>> from PermutiveAPI.Tables import Owned, PlanRefusedError
    >>> import_id = Import.list()[0].id
    >>> plan = Segment.plan(import_id, [{"code": "a", "name": "A"}], mode="mirror", owned=Owned.everything)
    >>> try:
    ...     report = plan.apply()
    ... except PlanRefusedError as error:
    ...     print(error)
    too many deletes: 25 of 25, 100 % is over 80 %; pass max_delete_share=
    """
