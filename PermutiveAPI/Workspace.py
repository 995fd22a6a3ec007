"""Workspaces: the doorway to cohorts, imports and segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from ._Utils.credentials import default_workspace, load_workspaces, with_canonical_names
from ._Utils.json import JSONSerializable, parsed
from ._Utils.redaction import REDACTED
from ._Utils.resources.lists import ResourceList, UniqueIndex
from .Audience.Import import Import, ImportList
from .Audience.Segment import Segment, SegmentList
from .Cohort import Cohort, CohortList

Listed = TypeVar("Listed", Cohort, Import)


@dataclass
class Workspace(JSONSerializable[dict[str, Any]]):
    """A workspace and its key.

    What it lists is remembered, per argument, until ``force_refresh`` asks anew. The key is shown
    neither by ``repr()`` nor by ``str()``; ``to_json()`` has it.

    Parameters
    ----------
    name : str
        Its name.
    organisation_id : str
        The organisation's id; that of the top-level workspace.
    workspace_id : str
        Its own id.
    api_key : str
        Its private key.
    """

    name: str
    organisation_id: str
    workspace_id: str
    api_key: str = field(repr=False)

    _is_secret = True

    def __post_init__(self) -> None:
        """Start with nothing remembered."""
        self._cohorts: dict[bool, CohortList] = {}
        self._imports: dict[bool, ImportList] = {}
        self._segments: dict[str, SegmentList] = {}

    @property
    def is_top_level(self) -> bool:
        """Whether this is the organisation's own workspace, above all others."""
        return self.organisation_id == self.workspace_id

    def cohorts(self, include_details: bool = False, force_refresh: bool = False) -> CohortList:
        """List the cohorts, those of child workspaces too; see ``Cohort.list``."""
        if force_refresh or include_details not in self._cohorts:
            self._cohorts[include_details] = Cohort.list(
                include_child_workspaces=True, include_details=include_details, api_key=self.api_key
            )
        return self._cohorts[include_details]

    def imports(self, include_details: bool = False, force_refresh: bool = False) -> ImportList:
        """List the imports; see ``Import.list``."""
        if force_refresh or include_details not in self._imports:
            self._imports[include_details] = Import.list(
                api_key=self.api_key, include_details=include_details
            )
        return self._imports[include_details]

    def segments(self, import_id: str, force_refresh: bool = False) -> SegmentList:
        """List the segments of an import; see ``Segment.list``."""
        if force_refresh or import_id not in self._segments:
            self._segments[import_id] = Segment.list(import_id=import_id, api_key=self.api_key)
        return self._segments[import_id]

    @classmethod
    def from_env(cls) -> Workspace:
        """Return the default workspace of the file that PERMUTIVE_APPLICATION_CREDENTIALS names.

        Of several workspaces it is the top-level one.

        Raises
        ------
        ValueError
            If the variable is not set, the file is missing or broken, a field is missing, or none
            of several workspaces is top-level.
        """
        return cls(**_plain(default_workspace()))

    @classmethod
    def from_json(cls, data: Any) -> Workspace:
        """Make a workspace from its JSON form, in any of the spellings of credentials files.

        Parameters
        ----------
        data : dict or str or Path
            JSON data, JSON text, or the path of a JSON file.

        Raises
        ------
        TypeError
            If `data` is of another kind, is not valid JSON, or lacks a field.
        """
        content = parsed(data) if isinstance(data, (str, Path)) else data
        if isinstance(content, Mapping):
            content = with_canonical_names(cast("Mapping[str, Any]", content))
        return super().from_json(content)

    def _shown_json(self) -> dict[str, Any]:
        return {**self.to_json(), "api_key": REDACTED}


class WorkspaceList(ResourceList[Workspace]):
    """A list of workspaces, with dictionaries to look them up."""

    _item_type = Workspace
    _is_secret = True

    id_dictionary: UniqueIndex[Workspace] = UniqueIndex("workspace_id")
    name_dictionary: UniqueIndex[Workspace] = UniqueIndex("name")
    _id_dictionary_cache: dict[str, Workspace]
    _name_dictionary_cache: dict[str, Workspace]

    @property
    def master_workspace(self) -> Workspace:
        """The top-level workspace.

        Raises
        ------
        ValueError
            If there is none.
        """
        for workspace in self:
            if workspace.is_top_level:
                return workspace
        raise ValueError("No top-level workspace found")

    def cohorts(
        self, include_details: bool = False, force_refresh: bool = False
    ) -> list[tuple[Workspace, Cohort]]:
        """List every cohort once, with the workspace that it belongs to.

        Each workspace lists its own cohorts, those of its child workspaces and those that it inherits,
        so that a loop over workspaces meets many of them several times.

        Parameters
        ----------
        include_details, force_refresh : bool
            As for :meth:`Workspace.cohorts`.

        Returns
        -------
        list of (Workspace, Cohort)
            In the order of the workspaces. A cohort of a workspace that is not in this list comes with
            the first workspace that lists it.

        Raises
        ------
        PermutiveAPIError
            If a workspace's cohorts cannot be listed.
        """

        def listed(workspace: Workspace) -> CohortList:
            return workspace.cohorts(include_details, force_refresh)

        return self._each_once(listed, lambda cohort: cohort.workspace_id)

    def imports(
        self, include_details: bool = False, force_refresh: bool = False
    ) -> list[tuple[Workspace, Import]]:
        """List every import once, with the workspace that it belongs to; see :meth:`cohorts`."""

        def listed(workspace: Workspace) -> ImportList:
            return workspace.imports(include_details, force_refresh)

        return self._each_once(listed, lambda found: (found.inheritance or {}).get("workspace_id"))

    def _each_once(
        self,
        list_of: Callable[[Workspace], Iterable[Listed]],
        owner_id: Callable[[Listed], str | None],
    ) -> list[tuple[Workspace, Listed]]:
        found: dict[Any, tuple[Workspace, Listed]] = {}
        for workspace in self:
            for each in list_of(workspace):
                owner = self.id_dictionary.get(owner_id(each) or workspace.workspace_id)
                key = each.id or object()  # Without an id, none is the same as another.
                # What the owner's own key has listed is the better source.
                if key not in found or owner is workspace:
                    found[key] = (owner or workspace, each)
        return [*found.values()]

    @classmethod
    def from_env(cls) -> WorkspaceList:
        """Return every workspace of the file that PERMUTIVE_APPLICATION_CREDENTIALS names.

        Raises
        ------
        ValueError
            As for :meth:`Workspace.from_env`.
        """
        records: list[dict[str, str]] = load_workspaces()
        return cls([Workspace(**_plain(record)) for record in records])


def _plain(record: Mapping[str, str]) -> dict[str, str]:
    """Return a workspace's fields as plain texts; that of the key hides itself until then."""
    return {name: str(value) for name, value in record.items()}
