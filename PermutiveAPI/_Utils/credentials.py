"""The workspace JSON that PERMUTIVE_APPLICATION_CREDENTIALS names, turned into keys.

No Permutive source describes such a file; the spellings accepted here are the ones in use. No
message of this module shows a key or quotes the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from . import settings
from .arguments import require_kind
from .redaction import redact_message

WorkspaceRecord = dict[str, str]

# Where the key travels when it is not in the query.
KEY_HEADER = "X-API-Key"


class KeyForHeader(str):
    """A key that travels in the header, whatever the settings of a process say."""


_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "name": ("name",),
    "organisation_id": (
        "organisation_id",
        "organization_id",
        "organisationID",
        "organizationID",
    ),
    "workspace_id": ("workspace_id", "workspaceID"),
    "api_key": ("api_key", "apiKey", "privateKey"),
}


def resolve_api_key(api_key: str | None) -> str:
    """Return `api_key`, or the default workspace's where it is None or empty.

    Parameters
    ----------
    api_key : str or None
        What the caller gave.

    Returns
    -------
    str
        A key that is not empty.

    Raises
    ------
    TypeError
        If `api_key` is no text.
    ValueError
        If nothing gives a key; the message says what to set.
    """
    if api_key is None or api_key == "":
        return default_workspace()["api_key"]
    require_kind("api_key", api_key, str)
    return api_key


def default_workspace() -> WorkspaceRecord:
    """Return the one workspace of the credentials file, or of several the top-level one.

    Raises
    ------
    ValueError
        As :func:`load_workspaces` does, or when none of several is top-level.
    """
    workspaces = load_workspaces()
    if len(workspaces) == 1:
        return workspaces[0]
    for workspace in workspaces:
        if workspace["organisation_id"] == workspace["workspace_id"]:
            return workspace
    raise ValueError(
        f"None of the workspaces in {_described_path()} is top-level (organisation_id equal to "
        "workspace_id), so none is the default: pass api_key."
    )


def load_workspaces() -> list[WorkspaceRecord]:
    """Read every workspace of the credentials file, under the field names of ``Workspace``.

    Raises
    ------
    ValueError
        If the variable is not set, the file is missing or broken, or a field is missing.
    """
    content = _read_json(_credentials_path())
    records = cast("list[Any]", content if isinstance(content, list) else [content])
    if not records:
        raise ValueError(f"{_described_path()} holds no workspace.")
    return [_checked(record, position) for position, record in enumerate(records)]


def with_canonical_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the accepted spellings of a workspace's fields to the names of ``Workspace``."""
    renamed = dict(record)
    for name, spellings in _SPELLINGS.items():
        for spelling in spellings:
            value = renamed.pop(spelling, None)
            if value is not None and not renamed.get(name):
                renamed[name] = value
    return renamed


def _credentials_path() -> Path:
    path = settings.text(settings.APPLICATION_CREDENTIALS)
    if path is None:
        raise ValueError(
            "No workspace is configured: pass api_key, or set "
            f"{settings.APPLICATION_CREDENTIALS} (in the environment or in .env) to the path of "
            "your workspace JSON."
        )
    return Path(os.path.expanduser(path))


def _described_path() -> str:
    # Whoever puts the JSON itself in the place of its path shall not see the key in an error.
    path = redact_message(str(_credentials_path()))
    return f"{settings.APPLICATION_CREDENTIALS} ({path})"


def _read_json(path: Path) -> Any:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = f"cannot be read: {error.strerror or type(error).__name__}"
    except (ValueError, RecursionError):
        problem = "is not valid JSON"
    else:
        return content
    # Raised out here: a decoding error in the chain would carry the whole file, key and all.
    raise ValueError(f"{_described_path()} {problem}.")


def _checked(record: Any, position: int) -> WorkspaceRecord:
    if not isinstance(record, dict):
        raise ValueError(
            f"{_described_path()}: workspace {position} must be a JSON object, "
            f"got {type(record).__name__}."
        )
    workspace = with_canonical_names(cast("dict[str, Any]", record))
    for name, spellings in _SPELLINGS.items():
        value = workspace.get(name)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(
                f"{_described_path()}: workspace {position} lacks the field {name!r} "
                f"(a text; accepted as {', '.join(spellings)})."
            )
    return {name: cast(str, workspace[name]).strip() for name in _SPELLINGS}
