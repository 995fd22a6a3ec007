"""Cohorts and tables: the methods of Cohort and CohortList that read tables and make plans.

What does the work is imported only when one of them is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ._Utils.credentials import DEFAULT_API_KEY
from ._Utils.resources.base import Resource
from ._Utils.resources.lists import TabularList

if TYPE_CHECKING:
    from ._Utils.resources.tables import Table
    from .Tables import Plan

T = TypeVar("T", bound=Resource)
L = TypeVar("L", bound="CohortListTables[Any]")


class CohortTables:
    """The plans of ``Cohort``."""

    @staticmethod
    def plan(
        table: Table,
        *,
        clear_empty: bool = False,
        workspace_id: str | None = None,
        api_key: str = DEFAULT_API_KEY,
    ) -> Plan:
        """Plan how cohorts become equal to the rows of a table. Nothing is written.

        A row means a cohort by its id, else by its code. If both are empty, it means the cohort with its
        name; if no cohort has the name, it creates one. The columns description, query, tags and state
        are compared, and name for a row with an id or a code. A new cohort may have a segment_type, too.
        A column that is missing is not touched; other columns are ignored. So an exported table gives an
        empty plan.

        The cohorts are listed, and those that may change are fetched: one request each.

        Parameters
        ----------
        table : pandas or polars DataFrame, pyarrow Table, str or Path, iterable of mappings
            The table, as for ``CohortList.from_table``. Of a list of cohorts, the members that are not
            None count.
        clear_empty : bool
            Whether an empty cell clears the description or the tags. Otherwise it changes nothing. Names,
            queries and states cannot be cleared.
        workspace_id : str, optional
            The id of the key's workspace. It is needed if the key also sees inherited cohorts, and
            is not that of a workspace in the credentials file.
        api_key : str, optional
            The key.

        Returns
        -------
        Plan
            ``print(plan)`` shows every change, ``plan.apply()`` makes them.

        Raises
        ------
        ValueError
            If the table has no rows, or bad rows; the error lists them. Row 1 is the first one below
            the header. Bad are: an id or a code that no cohort has, a name of several cohorts, two rows
            for one cohort, a new cohort without a query, and a change of an inherited or a lookalike
            cohort, or of a segment_type.

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
    ) -> Plan:
        """Plan one cohort for each segment of an import. Nothing is written.

        The relation of the import decides on the clause that selects the users of a segment. "2nd":
        ``in_second_party_segment``, with the codes of the import and of the segment. "3rd":
        ``in_third_party_segment``, with the same codes. The plan shows the queries.

        Cohorts are found by their names. So the same call plans nothing when its plan has been applied,
        and new segments get their cohorts. A cohort whose segment is gone stays.

        Parameters
        ----------
        import_id : str
            The id of the import.
        name : str
            The names of the cohorts. ``{name}`` and ``{code}`` stand for those of the segment,
            ``{import_name}`` for that of the import.
        tags : sequence of str, optional
            The tags of the cohorts. If it is left out, existing tags stay.
        workspace_id, api_key : str, optional
            As for :meth:`plan`.

        Raises
        ------
        ValueError
            If the import has no segments or another relation, two segments would give the same name,
            or as for :meth:`plan`.

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
    """The table and the plan of ``CohortList``."""

    @classmethod
    def from_table(cls: type[L], table: Table) -> L:
        """Make a list of cohorts from a table, one from each row.

        Parameters
        ----------
        table : pandas or polars DataFrame, pyarrow Table, str or Path, iterable of mappings
            The table, as for ``SegmentList.from_table``. The column `name` must have a cell in each row.
            A query is a dictionary, its JSON text, or a query of ``PermutiveAPI.Query``. A code that looks
            like a whole number is one.

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
        from ._Utils.resources.tables import models_from_table

        return cls(models_from_table(cls._item_type, table, required=("name",)))

    def plan_to(
        self: L, new: L, *, clear_empty: bool = False, workspace_id: str | None = None
    ) -> Plan:
        """Plan how the cohorts of this list become those of another one, for instance of a backup.

        Nothing is read from the service and nothing is written. Cohorts are found by id, else by code,
        else by name. Those that are only in this list are deleted, those that are only in the other one
        created, with new ids and codes. Cohorts that are in neither stay.

        Parameters
        ----------
        new : CohortList
            The cohorts as they shall be. Members that are None change nothing.
        clear_empty : bool
            Whether a description that is None, and tags that are None, clear the field.
        workspace_id : str, optional
            The id of the workspace in which cohorts are created. It is needed if this list also has
            cohorts of workspaces below, and the key is not that of a workspace in the credentials file.

        Raises
        ------
        ValueError
            If `new` is empty, a cohort of this list that changes has no query, or as for ``Cohort.plan``.

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
