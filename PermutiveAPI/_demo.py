"""A day's work against a sandbox, with the library's public names only: ``permutive demo``."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from PermutiveAPI import Alias, Cohort, Event, Identity, Import, Progress, Segmentation, Workspace
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.sandbox.environment import variables

_COHORTS = 200
_REQUESTS_PER_SECOND = 150
_SHOWN_EVERY = 40


def run_demo() -> int:
    """Do the day's work, and print a line about each task.

    Returns
    -------
    int
        The exit status: 0 if everything was done and nothing was lost.
    """
    began = monotonic()
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(page_size=20))
        folder = stack.enter_context(TemporaryDirectory())
        stack.enter_context(_configuration(Path(folder), sandbox))
        print(f"A local Permutive service runs at {sandbox.base_url}.")
        workspace = Workspace.from_env()
        print(f"Workspace {workspace.name!r}, read from a credentials file.")
        _list_cohorts(workspace)
        lost = _create_cohorts(sandbox)
        _list_segments(sandbox)
        _identify_and_segment(sandbox)
    print(f"Done in {monotonic() - began:.1f} s.")
    return 1 if lost else 0


def _list_cohorts(workspace: Workspace) -> None:
    cohorts = workspace.cohorts()
    workspaces = len(cohorts.workspace_dictionary)
    print(f"{len(cohorts)} cohorts in {workspaces} workspaces, for instance as a table:")
    columns = ["code", "name", "state", "live_audience_size"]
    print(cohorts.to_pd_dataframe().head(5).to_string(columns=columns))


def _create_cohorts(sandbox: Sandbox) -> int:
    """Create many cohorts despite a rate limit and faults; return how many were lost."""
    sandbox.rate_limit_per_second = _REQUESTS_PER_SECOND
    sandbox.fail_next(status=503, times=3, method="POST", path="/cohorts-api/")
    cohorts = [
        Cohort(
            name=f"Readers of section {number}",
            query={
                "event": "Pageview",
                "frequency": {"greater_than_or_equal_to": 1},
                "where": {
                    "property": "properties.client.url",
                    "condition": {"contains": f"/section-{number}/"},
                },
            },
            tags=["demo"],
        )
        for number in range(_COHORTS)
    ]
    sent_before = len(sandbox.requests)
    print(
        f"Creating {_COHORTS} cohorts, while the service takes {_REQUESTS_PER_SECOND} requests a "
        "second and fails 3 times:"
    )
    responses, failures = Cohort.batch_create(
        cohorts, max_workers=8, progress_callback=_show_progress
    )
    repeated = len(sandbox.requests) - sent_before - len(cohorts)
    print(
        f"{len(responses)} cohorts created and {len(failures)} lost; {repeated} requests were "
        "repeated."
    )
    sandbox.rate_limit_per_second = None
    return len(failures)


def _show_progress(progress: Progress) -> None:
    if progress.completed % _SHOWN_EVERY == 0:
        print(
            f"  {progress.completed}/{progress.total} completed; errors: {progress.errors}, "
            f"avg/1k: {progress.average_per_thousand_seconds or 0:.2f}s"
        )


def _list_segments(sandbox: Sandbox) -> None:
    sandbox.clear_requests()
    imports = Import.list(include_details=True)
    found = max(imports, key=lambda each: len(each.segments or ()))
    pages = sum(found.id in request.path for request in sandbox.requests)
    print(
        f"{len(imports)} imports; {found.name!r} holds {len(found.segments or ())} segments, "
        f"read in {pages} pages."
    )


def _identify_and_segment(sandbox: Sandbox) -> None:
    user = "internal-user-id-123"
    aliases = [
        Alias(id="user@example.com", tag="email", priority=0),
        Alias(id="crm-4711", tag="crm", priority=1),
    ]
    Identity(user_id=user, aliases=aliases).identify()
    print(f"User {user!r} identified by {len(sandbox.aliases)} aliases.")
    event = Event(
        name="Pageview",
        time="2025-07-01T15:39:11.594Z",
        properties={"client": {"url": "https://example.com/section-7/"}},
    )
    response = Segmentation(user_id=user, events=[event]).send(activations=True)
    print(
        f"The segmentation of their pageview names {len(response['cohorts'])} cohorts, "
        f"and the activations for {', '.join(response.get('activations', {}))}."
    )


def _configuration(folder: Path, sandbox: Sandbox) -> AbstractContextManager[None]:
    """Write a credentials file, and set the environment during the demo."""
    credentials = folder / "workspace.json"
    credentials.write_text(json.dumps(sandbox.credentials()), encoding="utf-8")
    return variables(
        {
            "PERMUTIVE_APPLICATION_CREDENTIALS": str(credentials),
            "PERMUTIVE_RETRY_MAX_RETRIES": "10",
            "PERMUTIVE_RETRY_BACKOFF_FACTOR": "1.5",
            "PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS": "0.1",
        }
    )
