"""Where a key comes from: the caller, PERMUTIVE_API_KEY, or the workspace JSON.

No Permutive source describes a file of workspaces; the spellings accepted here are the ones in use.
No message of this module shows a key or quotes the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from . import settings
from .errors import PermutiveCredentialsError
from .redaction import REDACTED, HiddenText, redact_message

WorkspaceRecord = dict[str, str]

# The header that holds the key if the query does not.
KEY_HEADER = "X-API-Key"


class HidingKey(dict[str, Any]):
    """Parameters or headers that hold the key, and do not show it."""

    def __repr__(self) -> str:
        """Show everything but the key."""
        shown = {name: REDACTED if _is_key(name) else self[name] for name in self}
        return repr(shown)


def _is_key(name: str) -> bool:
    return name == "k" or name.lower() == KEY_HEADER.lower()


def with_key(arguments: Mapping[str, Any], api_key: str, in_header: bool) -> dict[str, Any]:
    """Return the arguments of ``requests.get`` and its like with the key in `params`, or in `headers`.

    If the caller set the header X-API-Key, that value is sent instead.
    """
    params, headers = HidingKey(arguments["params"]), HidingKey(arguments["headers"])
    if not in_header:
        params["k"] = api_key
    else:
        given = [name for name in headers if name.lower() == KEY_HEADER.lower()]
        if not any(map(headers.get, given)):
            for name in given:
                del headers[name]  # It is None or empty.
            headers[KEY_HEADER] = api_key
    return {**arguments, "params": params, "headers": headers}


_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "name": ("name",),
    "organisation_id": ("organisation_id", "organization_id", "organisationID", "organizationID"),
    "workspace_id": ("workspace_id", "workspaceID"),
    "api_key": ("api_key", "apiKey", "privateKey"),
}


class _LeftOut(str):
    """The default of the argument `api_key`. It differs from an empty text that a caller gives."""

    def __repr__(self) -> str:
        return "the default workspace's key"

    def __reduce__(self) -> str:
        return "DEFAULT_API_KEY"  # Pickled by name, so that a copy is the same object.


DEFAULT_API_KEY: str = _LeftOut()


def checked_api_key(api_key: str) -> str:
    """Return the key that a caller gave, as a text that hides itself.

    Raises
    ------
    PermutiveCredentialsError
        If it is None, empty or blank, which never stands for the default key, or cannot be sent as
        it is.
    TypeError
        If it is of another kind.
    """
    kind: type = type(api_key)  # Callers without a type checker may give anything.
    if issubclass(kind, (str, type(None))) and not (api_key and api_key.strip()):
        raise PermutiveCredentialsError(
            "api_key must not be empty or None. Check where it comes from, for instance whether its "
            "variable is set. In calls of the models, leave api_key out to use the default key; it "
            f"is read from {settings.API_KEY} or {settings.APPLICATION_CREDENTIALS}."
        )
    if not issubclass(kind, str):
        raise TypeError(f"api_key must be of type str, got {kind.__name__}.")
    if not api_key.isprintable():
        raise PermutiveCredentialsError(
            "api_key holds a line break or another character that cannot be printed, perhaps from "
            "the end of a file. Call strip() on it."
        )
    return HiddenText(str.__str__(api_key))  # str() of a member of an Enum is its name.


def resolve_api_key(api_key: str) -> str:
    """Return the key that a caller gave; the default key if it was left out.

    The default is that of ``options()``, or else PERMUTIVE_API_KEY, or else the key of
    :func:`default_workspace`.

    Raises
    ------
    PermutiveCredentialsError
        As :func:`checked_api_key` does, or if nothing gives a key; the message says what to set.
    TypeError
        If `api_key` is of another kind.
    """
    if api_key is not DEFAULT_API_KEY:
        return checked_api_key(api_key)
    given = settings.options.get().api_key
    if given is not None:
        return given
    names = (settings.API_KEY, settings.APPLICATION_CREDENTIALS)
    if not any(settings.texts(*names)):
        raise PermutiveCredentialsError(
            f"No key is configured: set {names[0]} to a key, or {names[1]} to the path of your "
            "workspace JSON (in the environment or in .env). In Python, you can also pass api_key."
        )
    return checked_api_key(settings.text(names[0]) or default_workspace()["api_key"])


def default_workspace() -> WorkspaceRecord:
    """Return the only workspace of the credentials file, or the top-level one of several.

    Raises
    ------
    PermutiveCredentialsError
        As :func:`load_workspaces` does, or if there are several and none is top-level.
    """
    workspaces = load_workspaces()
    if len(workspaces) == 1:
        return workspaces[0]
    for workspace in workspaces:
        if workspace["organisation_id"] == workspace["workspace_id"]:
            return workspace
    raise PermutiveCredentialsError(
        f"No workspace in {_described_path()} is top-level (organisation_id equal to workspace_id), so "
        "there is no default: set PERMUTIVE_API_KEY to the key of one. In Python, you can also pass api_key, "
        "or take one of WorkspaceList.from_env()."
    )


def load_workspaces() -> list[WorkspaceRecord]:
    """Read every workspace of the credentials file, under the field names of ``Workspace``.

    Raises
    ------
    PermutiveCredentialsError
        If the variable is not set, the file is missing or broken, or a field is missing.
    """
    content = _read_json(_credentials_path())
    records = cast("list[Any]", content if isinstance(content, list) else [content])
    if not records:
        raise PermutiveCredentialsError(f"{_described_path()} holds no workspace.")
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
    if path is not None and path[0] in "{[":
        path = None  # It is the JSON itself, and no variable of a frame may show the key in it.
        raise PermutiveCredentialsError(
            f"{settings.APPLICATION_CREDENTIALS} must be the path of a JSON file, not JSON itself."
        )
    if path is None:
        raise PermutiveCredentialsError(
            f"No workspace is configured: set {settings.APPLICATION_CREDENTIALS} to the path of "
            "your workspace JSON (in the environment or in .env)."
        )
    return Path(os.path.expanduser(path))


def _described_path() -> str:
    # If somebody sets the variable to the JSON itself, no error may show the key in it.
    path = redact_message(str(_credentials_path()))
    return f"{settings.APPLICATION_CREDENTIALS} ({path})"


def _read_json(path: Path) -> Any:
    try:
        # json finds out the encoding of bytes. A file from Windows may be in UTF-16.
        content: Any = _hidden(json.loads(path.read_bytes()))
    except OSError as error:
        problem = f"cannot be read: {error.strerror or type(error).__name__}"
    except (ValueError, RecursionError):
        problem = "is not valid JSON"
    else:
        return content
    # Raised outside the handler, since a chained decoding error contains the whole file, with the key.
    raise PermutiveCredentialsError(f"{_described_path()} {problem}.")


def _hidden(content: Any) -> Any:
    """Hide all texts of a file, since tracebacks may show the variables of a frame: any of them may be a key."""
    if isinstance(content, dict):
        record = cast("dict[str, Any]", content)
        return {name: _hidden(value) for name, value in record.items()}
    if isinstance(content, list):
        return [_hidden(each) for each in cast("list[Any]", content)]
    return HiddenText(content) if isinstance(content, str) else content


def _checked(record: Any, position: int) -> WorkspaceRecord:
    if not isinstance(record, dict):
        raise PermutiveCredentialsError(
            f"{_described_path()}: workspace {position} must be a JSON object, "
            f"got {type(record).__name__}."
        )
    workspace = with_canonical_names(cast("dict[str, Any]", record))
    for name, spellings in _SPELLINGS.items():
        value = workspace.get(name)
        if not isinstance(value, str) or not value.strip():
            raise PermutiveCredentialsError(
                f"{_described_path()}: workspace {position} lacks the field {name!r} "
                f"(a text; accepted as {', '.join(spellings)})."
            )
    return _hidden({name: cast(str, workspace[name]).strip() for name in _SPELLINGS})
