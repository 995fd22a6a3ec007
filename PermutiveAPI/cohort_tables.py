"""Cohorts and tables: the methods of Cohort and CohortList that read tables and make plans.

The code that does the work is imported only when a method is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ._Utils.credentials import DEFAULT_API_KEY
from ._Utils.lazy_names import LateModule
from ._Utils.resources.base import Resource
from ._Utils.resources.lists import TabularList

if TYPE_CHECKING:
    from . import Tables
    from ._Utils.resources import tables
else:
    Tables = LateModule("PermutiveAPI.Tables")
    tables = LateModule("PermutiveAPI._Utils.resources.tables")

T = TypeVar("T", bound=Resource)
L = TypeVar("L", bound="CohortListTables[Any]")


class HasWorkspaceId(Protocol):
    """An object with the id of a workspace, such as a ``Workspace``."""

    @property
    def workspace_id(self) -> str:
        """The id."""
        ...


class CohortTables:
    """The methods of ``Cohort`` that make plans."""

    @staticmethod
    def plan(
        table: tables.Table,
        *,
        clear_empty: bool = False,
        workspace_id: str | None = None,
        api_key: str = DEFAULT_API_KEY,
    ) -> Tables.Plan:
        """Plan how cohorts become equal to the rows of a table. Nothing is written.

        The cohort of a row is found by its id, or by its code. If both are empty, it is found by its
        name. If no cohort has the name, the row creates one. The columns name, description, query, tags
        and state are compared. A new cohort may also have a segment_type. A column that is missing is not
        touched, and other columns are ignored. Those that are not fields of a cohort are named in
        ``plan.ignored``. So the plan of an exported table is empty.

        The cohorts are listed, and each cohort that may change is fetched: one request each.

        Parameters
        ----------
        table : pandas or polars DataFrame, pyarrow Table, str or Path, iterable of mappings
            The table, as for ``CohortList.from_table``. It may also be a list of cohorts. Their members
            that are None count as empty cells.
        clear_empty : bool
            Whether an empty cell clears the description or the tags. Otherwise it changes nothing. Names,
            queries and states cannot be cleared.
        workspace_id : str, optional
            The id of the key's workspace. If the credentials file does not have the key, it is needed if the
            key also sees inherited cohorts, or if the plan creates the first cohorts that the key sees.
        api_key : str, optional
            The key.

        Returns
        -------
        Plan
            ``print(plan)`` shows every change, ``plan.apply()`` makes them.

        Raises
        ------
        ValueError
            If the table has no rows, or has bad rows. The error lists them; row 1 is the first one below
            the header. A row is bad if no cohort has its id or code, if several cohorts have its name, if
            another row has the same cohort, if a new cohort has no query, or if it would change an
            inherited cohort, a lookalike cohort or a segment_type.

        Examples
        --------
        >>> table = [
        ...     {"code": 12345, "name": None, "query": None, "tags": "sport, football"},
        ...     {"code": None, "name": "Runners", "query": {"in_segment": 12348}, "tags": "sport"},
        ... ]
        >>> plan = Cohort.plan(table)
        >>> print(plan)
        cohorts: 1 to create, 1 to update, 0 to delete, 0 unchanged
        + Runners
            name: "Runners"
            query: {"in_segment": 12348}
            tags: ["sport"]
        ~ Football Fans (68d8bf84-f570-44a9-abbb-d9f78d4361c0)
            tags: ["sport", "editorial"] -> ["sport", "football"]
        >>> plan.apply().counts
        {'created': 1, 'updated': 1}
        """
        from .Tables.cohorts import plan_cohorts

        return plan_cohorts(
            table, clear_empty=clear_empty, workspace_id=workspace_id, api_key=api_key
        )

    @staticmethod
    def plan_from_segments(
        import_id: str,
        *,
        name: str = "Segment: {name}",
        tags: Sequence[str] | None = None,
        workspace_id: str | None = None,
        api_key: str = DEFAULT_API_KEY,
    ) -> Tables.Plan:
        """Plan one cohort for each segment of an import. Nothing is written.

        The relation of the import decides on the clause of the query: "2nd" gives
        ``in_second_party_segment``, "3rd" gives ``in_third_party_segment``. Both name the codes of the
        import and of the segment.

        Cohorts are found by their names. So after the plan was applied, the same call creates cohorts only
        for new segments. If a segment is gone, its cohort stays.

        Parameters
        ----------
        import_id : str
            The id of the import.
        name : str
            The names of the cohorts. ``{name}`` and ``{code}`` stand for the name and the code of the
            segment, ``{import_name}`` for the name of the import.
        tags : sequence of str, optional
            The tags of the cohorts. Without it, existing tags stay.
        workspace_id, api_key : str, optional
            As for :meth:`plan`.

        Raises
        ------
        ValueError
            If the import has no segments or another relation, if two segments would get the same cohort
            name, or as for :meth:`plan`.

        Examples
        --------
        >>> plan = Cohort.plan_from_segments(Import.list()[1].id, tags=["in-market"])
        >>> plan
        <Plan: cohorts: 60 to create, 0 to update, 0 to delete, 0 unchanged>
        >>> plan.changes[0].wanted["query"]
        {'in_third_party_segment': {'segment': '700100', 'provider': 'inmarket'}}
        """
        from .Tables.cohorts import plan_from_segments

        return plan_from_segments(
            import_id, name=name, tags=tags, workspace_id=workspace_id, api_key=api_key
        )


class CohortListTables(TabularList[T]):
    """The methods of ``CohortList`` that read tables and make plans."""

    @classmethod
    def from_table(cls: type[L], table: tables.Table) -> L:
        """Make a list of cohorts from a table, one from each row.

        Parameters
        ----------
        table : pandas or polars DataFrame, pyarrow Table, str or Path, iterable of mappings
            The table, as for ``SegmentList.from_table``. The column `name` must have a cell in each row.
            A query is a dictionary, its JSON text, or a query of ``PermutiveAPI.Query``. A code that looks
            like a whole number becomes one.

        Raises
        ------
        ValueError, TypeError
            As ``SegmentList.from_table`` does.

        Examples
        --------
        >>> rows = [{"name": "Runners", "query": '{"in_segment": 12345}', "tags": "sport, outdoor"}]
        >>> cohorts = CohortList.from_table(rows)
        >>> cohorts[0].query, cohorts[0].tags
        ({'in_segment': 12345}, ['sport', 'outdoor'])
        """
        return cls(tables.models_from_table(cls._item_type, table, required=("name",)))

    def plan_to(
        self: L, new: L, *, clear_empty: bool = False, workspace_id: str | None = None
    ) -> Tables.Plan:
        """Plan how the cohorts of this list become those of another one, for instance of a backup.

        Nothing is sent. Cohorts are found by id, or by code, or by name. The plan deletes cohorts that are
        only in this list, and creates those that are only in the other one, with new ids and codes.
        Cohorts that are in neither list stay.

        Parameters
        ----------
        new : CohortList
            The cohorts as they should be.
        clear_empty : bool
            Whether a description or tags that are None clear the field. Otherwise, members that are None
            change nothing.
        workspace_id : str, optional
            The id of the workspace in which cohorts are created. It is needed if this list also has
            cohorts of workspaces below, and the credentials file does not have the key.

        Raises
        ------
        ValueError
            If `new` is empty, if a cohort that would change has no query, or as for ``Cohort.plan``.

        Examples
        --------
        >>> backup = Cohort.list(include_details=True)
        >>> Cohort.get_by_code(12345).disable()
        >>> now = Cohort.list(include_details=True)
        >>> plan = now.plan_to(backup)
        >>> print(plan)
        cohorts: 0 to create, 1 to update, 0 to delete, 27 unchanged
        ~ Football Fans (68d8bf84-f570-44a9-abbb-d9f78d4361c0)
            state: "Disabled" -> "Enabled"
        >>> plan.apply().counts
        {'updated': 1, 'unchanged': 27}
        """
        from .Tables.cohorts import plan_between

        return plan_between(self, new, clear_empty=clear_empty, workspace_id=workspace_id)
