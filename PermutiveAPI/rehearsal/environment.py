"""What a job finds in its environment during a rehearsal: the copy, its keys, and a folder for journals."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .._Utils import settings
from .._Utils.options import options
from ..sandbox.environment import variables
from ..Workspace import WorkspaceList


@contextmanager
def of_copy(
    base_url: str, workspaces: WorkspaceList, new_keys: Mapping[str, str]
) -> Generator[None, None, None]:
    """Let calls without a key, credentials, and journals belong to a copy, in child processes, too.

    PERMUTIVE_API_BASE_URL must name the copy already. `workspaces` have the copy's keys; `new_keys` has them by
    the live ones. A default key that is not among these stays, and is refused.
    """
    with ExitStack() as stack:
        # A process of the job may still be writing into it when the block ends.
        temporary = TemporaryDirectory(prefix="permutive-rehearsal-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        credentials, journals = folder / "workspaces.json", folder / "journals"
        workspaces.to_json_file(credentials)
        journals.mkdir()
        values = {
            settings.APPLICATION_CREDENTIALS: str(credentials),
            settings.JOURNAL_FOLDER: str(journals),
        }
        key = new_keys.get(settings.text(settings.API_KEY) or "")
        if key is not None:
            values[settings.API_KEY] = key
        stack.enter_context(variables(values))
        stack.enter_context(options(**_options_of_copy(base_url, new_keys)))
        yield


def _options_of_copy(base_url: str, new_keys: Mapping[str, str]) -> dict[str, Any]:
    """Return options for the block. Those of a block around it would win over the environment."""
    key = new_keys.get(settings.options.get().api_key or "")
    return {"base_url": base_url} if key is None else {"base_url": base_url, "api_key": key}
