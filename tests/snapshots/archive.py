"""A workspace of the sandbox and the folder of its snapshot: what a test changes, and what the files say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Dict, List, Optional

from PermutiveAPI import Workspace
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.sandbox.recording import RecordedRequest
from PermutiveAPI.snapshots import Saved, Snapshot
from PermutiveAPI.Tables import Plans, Reports
from tests.support.small_workspaces import leave_few_cohorts
from tests.tables.club import Club
from tests.tables.market import Market

FANS = "cohorts/12345 football-fans.json"
SUBSCRIBERS = "imports/subscribercrm subscriber-crm.json"


class Archive:
    """A workspace, with the calls that a test makes."""

    def __init__(self, sandbox: Sandbox, folder: Path, first: Optional[Path] = None) -> None:
        sandbox.page_size = 1_000
        leave_few_cohorts(sandbox)
        self._first = first
        self.sandbox = sandbox
        self.folder = folder
        self.club = Club(sandbox)
        self.workspace: Workspace = self.club.group
        self.market = Market(sandbox, self.workspace.imports()[0].id)
        sandbox.clear_requests()

    def credentials(self) -> str:
        """Write a credentials file, which tells the workspace of a key, and return its path."""
        path = self.folder.parent / "workspaces.json"
        path.write_text(json.dumps(self.sandbox.credentials()))
        path.chmod(0o600)
        return str(path)

    def begin(self) -> None:
        """Copy the snapshot of a new sandbox into the folder, which takes no requests."""
        assert self._first is not None
        shutil.copytree(self._first, self.folder)

    def save(self) -> Saved:
        """Save a snapshot."""
        return self.workspace.snapshot(self.folder)

    def now(self) -> Snapshot:
        """Read the workspace from the service."""
        return Snapshot.of(self.workspace)

    def saved(self) -> Snapshot:
        """Read the snapshot from the folder."""
        return Snapshot.read(self.folder)

    def drift(self) -> Plans:
        """Return what has changed since the snapshot."""
        return self.saved().plans_to(self.now())

    def restoring(self) -> Plans:
        """Return what restores the snapshot."""
        return self.saved().restoring(self.now())

    def restore(self, **options: Any) -> Reports:
        """Restore the snapshot."""
        return self.restoring().apply(api_key=self.workspace.api_key, **options)

    def there(self) -> List[Dict[str, Dict[str, Any]]]:
        """Return the cohorts by name and the segments by code, with texts in lists sorted."""
        return [
            {key: {**each, name: sorted(each[name] or [])} for key, each in objects.items()}
            for name, objects in (("tags", self.club.there()), ("categories", self.market.there()))
        ]

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.folder / name

    def files(self) -> Dict[str, bytes]:
        """Return the content of every file, also of foreign ones, by its name below the folder."""
        paths = [each for each in self.folder.rglob("*") if each.is_file()]
        return {each.relative_to(self.folder).as_posix(): each.read_bytes() for each in paths}

    def read(self, name: str) -> Dict[str, Any]:
        """Return the data in a file."""
        found: Dict[str, Any] = json.loads(self.path(name).read_text(encoding="utf-8"))
        return found

    def edit(self, file: str, **members: Any) -> None:
        """Change members of a file, as a person does."""
        self.path(file).write_text(json.dumps({**self.read(file), **members}), encoding="utf-8")

    def writes(self) -> List[RecordedRequest]:
        """Return the requests that were meant to change something."""
        return [each for each in self.sandbox.requests if each.method != "GET"]
