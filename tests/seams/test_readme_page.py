"""The code blocks of the project page of 5.4.4 run unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest
import requests_mock as requests_mock_package

from tests.support.calls import COHORT, IMPORT, SEGMENT
from tests.support.fakes import COHORTS, IDENTIFY, IMPORTS, KEY, SEGMENTATION

HEAD = """
from PermutiveAPI import (
    Alias,
    Cohort,
    Identity,
    Import,
    Segment,
    Source,
    Workspace,
)
"""

WORKSPACE = """
workspace = Workspace(
    name="Main",
    organisation_id="your-org-id",
    workspace_id="your-workspace-id",
    api_key="your-api-key",
)
all_cohorts = workspace.cohorts()
print(f"Found {len(all_cohorts)} cohorts.")
all_imports = workspace.imports()
print(f"Found {len(all_imports)} imports.")
segments_in_import = workspace.segments(import_id="your-import-id")
print(f"Found {len(segments_in_import)} segments.")
"""

COHORT_BLOCK = """
all_cohorts = Cohort.list(api_key="your_api_key")
print(f"Found {len(all_cohorts)} cohorts.")
cohort_id = "your-cohort-id"
cohort = Cohort.get_by_id(id=cohort_id, api_key="your_api_key")
print(f"Retrieved cohort: {cohort.name}")
new_cohort = Cohort(
    name="High-Value Customers",
    query={"type": "segment", "id": "segment-id-for-high-value-customers"}
)
new_cohort.create(api_key="your_api_key")
print(f"Created cohort with ID: {new_cohort.id}")
"""

SEGMENT_BLOCK = """
import_id = "your-import-id"
segments = Segment.list(api_key="your_api_key", import_id=import_id)
print(f"Found {len(segments)} segments in import {import_id}.")
segment_id = "your-segment-id"
segment = Segment.get_by_id(import_id=import_id, segment_id=segment_id, api_key="your_api_key")
print(f"Retrieved segment: {segment.name}")
"""

IMPORT_BLOCK = """
all_imports = Import.list(api_key="your_api_key")
for imp in all_imports:
    print(f"Import ID: {imp.id}, Code: {imp.code}, Source Type: {imp.source.type}")
import_id = "your-import-id"
import_instance = Import.get_by_id(id=import_id, api_key="your_api_key")
print(f"Retrieved import: {import_instance.id}, Source Type: {import_instance.source.type}")
"""

USER_BLOCK = """
alias = Alias(id="user@example.com", tag="email", priority=1)
identity = Identity(user_id="internal-user-id-123", aliases=[alias])
try:
    identity.identify(api_key="your-api-key")
    print("Successfully identified user.")
except Exception as e:
    print(f"Error identifying user: {e}")
"""

SEGMENTATION_BLOCK = """
from PermutiveAPI import Event, Segmentation

event = Event(
    name="SlotViewable",
    time="2025-07-01T15:39:11.594Z",
    properties={"campaign_id": "3747123491"},
)
request = Segmentation(user_id="user-123", events=[event])
response = request.send(api_key="your-api-key")
print(response["segments"])
request = Segmentation(
    user_id="user-123",
    events=[event],
    activations=True,
    synchronous_validation=True,
)
response = request.send(
    api_key="your-api-key",
    activations=True,
    synchronous_validation=True,
)
"""

TABLE_BLOCK = """
from PermutiveAPI import Cohort, CohortList

cohorts = CohortList(
    [
        Cohort(name="C1", id="1", code="c1", tags=["t1"]),
        Cohort(name="C2", id="2", description="second cohort"),
    ]
)
df = cohorts.to_pd_dataframe()
print(df[["id", "name"]])
"""

PROGRESS = """
from PermutiveAPI import Cohort
from PermutiveAPI._Utils.http import Progress

def on_progress(progress: Progress) -> None:
    \"\"\"Render a concise progress snapshot.\"\"\"
    avg = progress.average_per_thousand_seconds
    avg_display = f"{avg:.2f}s" if avg is not None else "n/a"
    print(
        f"{progress.completed}/{progress.total} completed; "
        f"errors: {progress.errors}, avg/1k: {avg_display}"
    )
"""

BATCH_BLOCK = PROGRESS + """
cohorts = [
    Cohort(name="VIP Customers", query={"type": "users"}),
    Cohort(name="Returning Visitors", query={"type": "visitors"}),
]
responses, failures = Cohort.batch_create(
    cohorts,
    api_key="your-api-key",
    max_workers=4,  # recommended starting point for concurrent writes
    progress_callback=on_progress,
)
if failures:
    print(f"Encountered {len(failures)} failures.")
"""

SEGMENT_BATCH_BLOCK = PROGRESS + """
from PermutiveAPI import Segment

segments = [
    Segment(
        import_id="import-123",
        name="Frequent Flyers",
        query={"type": "users", "filter": {"country": "US"}},
    ),
    Segment(
        import_id="import-123",
        name="Dormant Subscribers",
        query={"type": "users", "filter": {"status": "inactive"}},
    ),
]
segment_responses, segment_failures = Segment.batch_create(
    segments,
    api_key="your-api-key",
    max_workers=4,
    progress_callback=on_progress,
)
if segment_failures:
    print(f"Encountered {len(segment_failures)} failures during segment creation.")
"""

SEGMENTATION_BATCH_BLOCK = PROGRESS + """
from PermutiveAPI import Event, Segmentation

events = [
    Event(
        name="SlotViewable",
        time="2025-07-01T15:39:11.594Z",
        properties={"campaign_id": "3747123491"},
        session_id="f19199e4-1654-4869-b740-703fd5bafb6f",
        view_id="d30ccfc5-c621-4ac4-a282-9a30ac864c8a",
    )
]
requests = [
    Segmentation(user_id="user-1", events=events),
    Segmentation(user_id="user-2", events=events),
]
segmentation_responses, segmentation_failures = Segmentation.batch_send(
    requests,
    api_key="your-api-key",
    max_workers=4,
    progress_callback=on_progress,
)
if segmentation_failures:
    print(f"Encountered {len(segmentation_failures)} failures during segmentation.")
"""

ERRORS_BLOCK = """
from PermutiveAPI import (
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
)

try:
    # make an API call via the high-level classes
    Cohort.list(api_key="your_api_key")
except PermutiveBadRequestError as e:
    # e.status, e.url, and e.response are available for debugging
    print(e.status, e.url, e)
except PermutiveAPIError as e:
    print("Unhandled API error:", e)
"""

BLOCKS: Dict[str, Any] = {
    "workspace": (WORKSPACE, ["Found 1 cohorts.", "Found 1 imports.", "Found 1 segments."]),
    "cohort": (
        COHORT_BLOCK,
        ["Found 1 cohorts.", "Retrieved cohort: Readers", "Created cohort with ID: c-"],
    ),
    "segment": (SEGMENT_BLOCK, ["Found 1 segments in", "Retrieved segment: Buyers"]),
    "import": (IMPORT_BLOCK, ["Import ID: i-1, Code: markets, Source Type: live_ramp_3p"]),
    "user": (USER_BLOCK, ["Successfully identified user."]),
    "segmentation": (SEGMENTATION_BLOCK, ["Segment Name"]),
    "table": (TABLE_BLOCK, ["C1", "C2"]),
    "batch": (BATCH_BLOCK, ["1/2 completed; errors: 0", "2/2 completed; errors: 0"]),
    "segment batch": (SEGMENT_BATCH_BLOCK, ["2/2 completed; errors: 0"]),
    "segmentation batch": (SEGMENTATION_BATCH_BLOCK, ["2/2 completed; errors: 0"]),
    "errors": (ERRORS_BLOCK, []),
}


def _service() -> requests_mock_package.Mocker:
    service = requests_mock_package.Mocker()
    service.get(COHORTS, json=[COHORT])
    service.post(COHORTS, json=COHORT, status_code=201)
    service.get(f"{COHORTS}your-cohort-id", json=COHORT)
    service.get(IMPORTS, json={"items": [IMPORT]})
    service.get(f"{IMPORTS}/your-import-id", json=IMPORT)
    for id in ("your-import-id", "import-123"):
        segments = f"{IMPORTS}/{id}/segments"
        service.get(segments, json={"elements": [SEGMENT]})
        service.post(segments, json=SEGMENT)
        service.get(f"{segments}/your-segment-id", json=SEGMENT)
    service.post(IDENTIFY, json={"user_id": "u"})
    answer = {"segments": [{"id": "segment-id", "name": "Segment Name"}]}
    service.post(SEGMENTATION, json=answer)
    return service


@pytest.mark.parametrize("name", BLOCKS)
def test_block(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A code block of the page runs unchanged and prints what it promises."""
    code, lines = BLOCKS[name]
    with _service():
        exec(HEAD + code, {})
    printed = capsys.readouterr().out
    assert [line for line in lines if line not in printed] == []
    assert "Encountered" not in printed and "Error" not in printed


def test_bad_request_block(capsys: pytest.CaptureFixture[str]) -> None:
    """The page's error handling prints the status and URL of a 400, without the key."""
    with requests_mock_package.Mocker() as service:
        service.get(COHORTS, status_code=400, json={"error": {"cause": "no"}})
        exec(HEAD + ERRORS_BLOCK, {})
    printed = capsys.readouterr().out
    assert printed.startswith(f"400 {COHORTS}?k=[REDACTED] 400 Bad Request: no")
    assert "your_api_key" not in printed


@pytest.mark.parametrize(
    "name, value",
    [
        ("PERMUTIVE_BATCH_MAX_WORKERS", "0"),
        ("PERMUTIVE_BATCH_MAX_WORKERS", "many"),
        ("PERMUTIVE_BATCH_MAX_WORKERS", "2.5"),
        ("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0"),
        ("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "inf"),
        ("PERMUTIVE_RETRY_MAX_RETRIES", "-1"),
        ("PERMUTIVE_RETRY_BACKOFF_FACTOR", "0.5"),
        ("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "nan"),
        ("PERMUTIVE_TIMEOUT_SECONDS", "soon"),
        ("PERMUTIVE_API_BASE_URL", "not a url"),
    ],
)
def test_invalid_settings(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invalid setting is a ValueError that names the variable, before anything is sent."""
    from PermutiveAPI import Cohort
    from PermutiveAPI._Utils import http

    monkeypatch.setenv(name, value)
    with requests_mock_package.Mocker() as service:
        with pytest.raises(ValueError, match=name):
            if "_BATCH_" in name:
                request = http.BatchRequest("GET", COHORTS)
                http.process_batch([request], api_key=KEY, max_workers=None)
            else:
                Cohort.list(KEY)
    assert service.call_count == 0


@pytest.mark.parametrize("spelling", ["apiKey", "api_key", "privateKey"])
def test_credentials_of_the_page(
    spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call without a key uses the key of the file that .env names."""
    from PermutiveAPI import Cohort

    record = {"name": "Main", "organizationID": "o", "workspaceID": "o", spelling: KEY}
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / ".env").write_text(
        f'PERMUTIVE_APPLICATION_CREDENTIALS="{path.as_posix()}"\n', encoding="utf-8"
    )
    with _service() as service:
        Cohort.list()
        assert service.last_request.qs["k"] == [KEY]
