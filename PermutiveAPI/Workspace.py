"""Workspaces: a name, two ids, and the key to their cohorts, imports and segments."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ._Utils import batch
from ._Utils.credentials import default_workspace, load_workspaces, with_canonical_names
from ._Utils.json import JSONSerializable, forgetting_data
from ._Utils.lazy_names import LateModule, lazy_names
from ._Utils.redaction import REDACTED
from ._Utils.resources.lists import ResourceList, UniqueIndex
from .Cohort import Cohort, CohortList

if TYPE_CHECKING:
    import PermutiveAPI

    from . import Tables, snapshots
    from .Audience.Import import Import
else:
    PermutiveAPI, Tables, snapshots = map(
        LateModule, ("PermutiveAPI", "PermutiveAPI.Tables", "PermutiveAPI.snapshots")
    )
    __getattr__ = lazy_names(
        __name__,
        {"Import": "PermutiveAPI.Audience.Import", "Segment": "PermutiveAPI.Audience.Segment"},
    )

# Its Import and Segment are looked up at each call: they are imported late, and tests replace them here.
_this_module: Any = sys.modules[__name__]

Listed = TypeVar("Listed", "Cohort", "Import")


@dataclass
class Workspace(JSONSerializable[dict[str, Any]]):
    """A workspace and its key.

    It caches the lists that it fetches, one for each combination of arguments. ``force_refresh=True``
    fetches a list again. ``repr()`` and ``str()`` do not show the key; ``to_json()`` contains it.

    Parameters
    ----------
    name : str
        Its name.
    organisation_id : str
        The id of the organisation, which is the id of its top-level workspace.
    workspace_id : str
        Its own id.
    api_key : str
        Its private key.

    Examples
    --------
    >>> workspace = Workspace.from_env()
    >>> workspace.name, workspace.is_top_level
    ('Meridian Media Group', True)
    """

    name: str
    organisation_id: str
    workspace_id: str
    api_key: str = field(repr=False)

    _is_secret = True

    def __post_init__(self) -> None:
        """Start with empty caches."""
        self._cohorts: dict[bool, CohortList] = {}
        self._imports: dict[bool, PermutiveAPI.ImportList] = {}
        self._segments: dict[str, PermutiveAPI.SegmentList] = {}

    if not TYPE_CHECKING:  # For a type checker, the caches are always there.

        def __getattr__(self, name):
            """Make a cache that is missing. In a workspace that release 5.4.4 pickled, all have other names."""
            if name in ("_cohorts", "_imports", "_segments"):
                return vars(self).setdefault(name, {})
            return super().__getattribute__(name)  # It raises Python's own error.

    @property
    def is_top_level(self) -> bool:
        """Whether this is the organisation's top-level workspace."""
        return self.organisation_id == self.workspace_id

    def cohorts(self, include_details: bool = False, force_refresh: bool = False) -> CohortList:
        """List the cohorts, also those of child workspaces; see ``Cohort.list``.

        Parameters
        ----------
        include_details : bool
            Whether each cohort is fetched with its query.
        force_refresh : bool
            Whether the list is fetched again.

        Examples
        --------
        >>> len(Workspace.from_env().cohorts())
        42
        """
        if force_refresh or include_details not in self._cohorts:
            self._cohorts[include_details] = Cohort.list(
                include_child_workspaces=True, include_details=include_details, api_key=self.api_key
            )
        return self._cohorts[include_details]

    def imports(
        self, include_details: bool = False, force_refresh: bool = False
    ) -> PermutiveAPI.ImportList:
        """List the imports; see ``Import.list``. Arguments have the same meaning as for :meth:`cohorts`.

        Examples
        --------
        >>> [found.name for found in Workspace.from_env().imports()]
        ['Subscriber CRM', 'In-Market Shoppers']
        """
        if force_refresh or include_details not in self._imports:
            self._imports[include_details] = _this_module.Import.list(
                api_key=self.api_key, include_details=include_details
            )
        return self._imports[include_details]

    def segments(self, import_id: str, force_refresh: bool = False) -> PermutiveAPI.SegmentList:
        """List the segments of an import; see ``Segment.list``.

        Examples
        --------
        >>> workspace = Workspace.from_env()
        >>> len(workspace.segments(workspace.imports()[0].id))
        25
        """
        if force_refresh or import_id not in self._segments:
            self._segments[import_id] = _this_module.Segment.list(
                import_id=import_id, api_key=self.api_key
            )
        return self._segments[import_id]

    def references(
        self,
        *,
        check_segments: bool = False,
        max_workers: int | None = None,
        progress_callback: batch.ProgressCallback | None = None,
    ) -> Tables.References:
        """Read which cohorts name which cohorts, segments and imports in their queries.

        Lists come without queries. So this sends one request for each cohort that the key can read, and two
        for the lists. It does not use this object's caches.

        Parameters
        ----------
        check_segments : bool
            Whether to look up each segment that a query names with its import, with one more request each.
            Only then does ``broken()`` have segments that do not exist.
        max_workers, progress_callback : optional
            As for ``Cohort.batch_create``. Only the cohorts are counted.

        Examples
        --------
        >>> Workspace.from_env().references()
        <References: 42 cohorts, 0 references (0 broken), 3 cohorts unknown>
        """
        from .Tables.reference_reading import read_references

        return read_references(
            self.api_key, max_workers, progress_callback, check_segments=check_segments
        )

    def plan_copy(
        self,
        cohorts: Iterable[Cohort],
        *,
        to: Workspace,
        mapping: Mapping[int | str, int | str] | None = None,
    ) -> Tables.Plan:
        """Plan copies of cohorts of this workspace in another one. Nothing is written.

        The originals stay as they are. The copies have the same name, description, query, tags, state and
        type. If a query names a cohort that is also copied, the copy names the new cohort. Its code is not
        known yet, so the plan shows ``"new cohort: ..."``. Segments of imports keep their codes, so the
        other workspace must have the imports. In parts of a query that do not follow the grammar, only
        cohort codes are replaced.

        Apply the plan with the key of the other workspace. A cohort that the other workspace already has
        under the same name stays as it is. So the same plan, applied again, creates nothing.

        Parameters
        ----------
        cohorts : iterable of Cohort
            The cohorts. Cohorts without a query, such as listed ones, are fetched: one request each.
        to : Workspace
            The other workspace.
        mapping : mapping, optional
            The codes of cohorts in the other workspace, by the codes here. It is needed for every cohort
            that a query names and that is not copied, because its code may belong to another cohort there.

        Raises
        ------
        ValueError
            If a code is missing in `mapping` or does not exist, if cohorts name each other in a circle, if
            several have the same name, if one has no query, or if the other workspace has a cohort with
            the same name and other fields. The text lists them.

        Examples
        --------
        >>> group, brand = WorkspaceList.from_env()
        >>> plan = group.plan_copy([Cohort.get_by_code(12345)], to=brand)
        >>> plan
        <Plan: cohorts: 1 to create, 0 to update, 0 to delete, 0 unchanged>
        >>> report = plan.apply(api_key=brand.api_key)
        >>> report.counts
        {'created': 1}
        """
        from .Tables.copying import plan_copy

        return plan_copy(self, cohorts, to, mapping)

    def snapshot(
        self,
        folder: str | PathLike[str],
        *,
        max_workers: int | None = None,
        progress_callback: batch.ProgressCallback | None = None,
    ) -> snapshots.Saved:
        """Save the workspace as a folder of JSON files, made for git: one for each cohort and each import.

        Sizes and times are left out, so a second snapshot changes no file if nothing has changed. The file
        of an object that is gone is removed; files that no snapshot wrote stay. Beside the query of a
        cohort is a sentence that says what it means.

        The workspace's own cohorts are saved with their queries: one request each. Inherited cohorts are
        saved by name only, since they belong to another workspace. Everything is read before the first file
        is written, and each file is replaced in one step.

        ``PermutiveAPI.snapshots.Snapshot`` reads the folder, shows what has changed since, and restores it.

        Parameters
        ----------
        folder : str or Path
            The folder. Each workspace needs its own. It is made if it is missing.
        max_workers, progress_callback : optional
            As for ``Cohort.batch_create``.

        Returns
        -------
        Saved
            How many files were written, were unchanged, and were removed.

        Raises
        ------
        ValueError
            If the folder has a snapshot of another workspace, or has a foreign file where a file is to be
            written. Then nothing is written.
        PermutiveAPIError
            If something cannot be read. Then nothing is written.

        Examples
        --------
        >>> Workspace.from_env().snapshot("snapshot")
        Saved(written=30, unchanged=0, removed=0)
        """
        from .snapshots import Snapshot

        read = Snapshot.of(self, max_workers=max_workers, progress_callback=progress_callback)
        return read.write(folder)

    @classmethod
    def from_env(cls) -> Workspace:
        """Return the default workspace of the file that PERMUTIVE_APPLICATION_CREDENTIALS names.

        If the file has several workspaces, it is the top-level one.

        Raises
        ------
        ValueError
            If the variable is not set, the file is missing or broken, a field is missing, or the file
            has several workspaces and none of them is top-level.

        Examples
        --------
        >>> Workspace.from_env().name
        'Meridian Media Group'
        """
        return cls(**_plain(default_workspace()))

    @classmethod
    @forgetting_data
    def from_json(cls, data: Any) -> Workspace:
        """Make a workspace from its JSON form, with any spelling that credentials files use.

        Parameters
        ----------
        data : dict or str or Path
            JSON data, JSON text, or the path of a JSON file. The key, for instance, is a member
            "api_key", "apiKey" or "privateKey".

        Raises
        ------
        TypeError
            If `data` is of another kind, is not valid JSON, or lacks a field.

        Examples
        --------
        >>> data = {"name": "News", "organizationID": "o-1", "workspaceID": "w-1", "apiKey": "secret"}
        >>> Workspace.from_json(data)
        Workspace(name='News', organisation_id='o-1', workspace_id='w-1')
        """
        return super().from_json(data)

    @classmethod
    def _from_content(cls, content: Any) -> Workspace:
        if isinstance(content, Mapping):
            content = with_canonical_names(cast("Mapping[str, Any]", content))
        return super()._from_content(content)

    def _shown_json(self) -> dict[str, Any]:
        return {**self.to_json(), "api_key": REDACTED}


class WorkspaceList(ResourceList[Workspace]):
    """A list of workspaces, with look-up dictionaries by id and name.

    Examples
    --------
    >>> workspaces = WorkspaceList.from_env()
    >>> workspaces.master_workspace.name
    'Meridian Media Group'
    >>> list(workspaces.name_dictionary)
    ['Meridian Media Group', 'Meridian Regional News']
    """

    _item_type = Workspace
    _columns = ("name", "workspace_id", "organisation_id", "is_top_level")
    _searched = ("name", "workspace_id", "organisation_id")
    _is_secret = True

    id_dictionary: UniqueIndex[Workspace] = UniqueIndex("workspace_id")
    name_dictionary: UniqueIndex[Workspace] = UniqueIndex("name")
    _id_dictionary_cache: dict[str, Workspace]
    _name_dictionary_cache: dict[str, Workspace]

    @property
    def master_workspace(self) -> Workspace:
        """The top-level workspace; ValueError if the list has no such workspace."""
        for workspace in self:
            if workspace.is_top_level:
                return workspace
        raise ValueError("No top-level workspace found")

    def cohorts(
        self, include_details: bool = False, force_refresh: bool = False
    ) -> list[tuple[Workspace, Cohort]]:
        """List every cohort once, with the workspace that it belongs to.

        Each workspace lists its own cohorts, those of its child workspaces and those that it inherits.
        So a loop over workspaces would find many cohorts several times.

        Parameters
        ----------
        include_details, force_refresh : bool
            The same as for :meth:`Workspace.cohorts`.

        Returns
        -------
        list of (Workspace, Cohort)
            The pairs in the order of the workspaces. If the workspace of a cohort is not in this list,
            the first workspace that lists the cohort takes its place.

        Examples
        --------
        >>> pairs = WorkspaceList.from_env().cohorts()
        >>> workspace, cohort = pairs[-1]
        >>> workspace.name, cohort.name
        ('Meridian Regional News', 'Subscribers Lookalike')
        """

        def listed(workspace: Workspace) -> CohortList:
            return workspace.cohorts(include_details, force_refresh)

        return self._each_once(listed, lambda cohort: cohort.workspace_id)

    def imports(
        self, include_details: bool = False, force_refresh: bool = False
    ) -> list[tuple[Workspace, PermutiveAPI.Import]]:
        """List every import once, with the workspace that it belongs to; see :meth:`cohorts`.

        Examples
        --------
        >>> [found.code for workspace, found in WorkspaceList.from_env().imports()]
        ['subscribercrm', 'inmarket']
        """

        def listed(workspace: Workspace) -> PermutiveAPI.ImportList:
            return workspace.imports(include_details, force_refresh)

        return self._each_once(listed, lambda found: (found.inheritance or {}).get("workspace_id"))

    @classmethod
    def from_env(cls) -> WorkspaceList:
        """Return every workspace of the file that PERMUTIVE_APPLICATION_CREDENTIALS names.

        Raises
        ------
        ValueError
            If the variable is not set, the file is missing or broken, or a field is missing.

        Examples
        --------
        >>> [workspace.name for workspace in WorkspaceList.from_env()]
        ['Meridian Media Group', 'Meridian Regional News']
        """
        records: list[dict[str, str]] = load_workspaces()
        return cls([Workspace(**_plain(record)) for record in records])

    def _each_once(
        self,
        list_of: Callable[[Workspace], Iterable[Listed]],
        owner_id: Callable[[Listed], str | None],
    ) -> list[tuple[Workspace, Listed]]:
        found: dict[Any, tuple[Workspace, Listed]] = {}
        for workspace in self:
            for each in list_of(workspace):
                owner = self.id_dictionary.get(owner_id(each) or workspace.workspace_id)
                key = each.id or object()  # Objects without an id are all different.
                # The owner's own list is the better source.
                if key not in found or owner is workspace:
                    found[key] = (owner or workspace, each)
        return [*found.values()]


def _plain(record: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a workspace as plain texts: those of a record hide themselves in ``repr()``."""
    return {name: str(value) for name, value in record.items()}
