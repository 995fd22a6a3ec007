"""The public surface: a sorted list, and every import path of the contract."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import inspect
import subprocess
import sys
from typing import Any, Dict, Iterable, List

import pytest

import PermutiveAPI
from tests.support.rows import for_each

OF_5_4_4 = [
    "Alias",
    "Cohort",
    "CohortList",
    "Event",
    "Identity",
    "Import",
    "ImportList",
    "PermutiveAPIError",
    "PermutiveAuthenticationError",
    "PermutiveBadRequestError",
    "PermutiveRateLimitError",
    "PermutiveResourceNotFoundError",
    "PermutiveServerError",
    "Segment",
    "SegmentList",
    "Segmentation",
    "Source",
    "Workspace",
    "WorkspaceList",
]
NEW = [
    "AttemptRecord",
    "BatchRequest",
    "BatchResult",
    "ContextSegment",
    "KnownAlias",
    "PermutiveConflictError",
    "PermutiveConnectionError",
    "PermutiveCredentialsError",
    "PermutiveInvalidRequestError",
    "PermutiveInvalidResponseError",
    "PermutiveTimeoutError",
    "Progress",
    "RetryConfig",
    "TrackedEvent",
    "__version__",
    "options",
    "progress_bar",
    "stream_batch",
]

PATHS = {
    "PermutiveAPI": OF_5_4_4 + NEW,
    "PermutiveAPI.Cohort": ["Cohort", "CohortList", "_API_ENDPOINT", "_API_PAYLOAD"],
    "PermutiveAPI.Workspace": ["Workspace", "WorkspaceList"],
    "PermutiveAPI.Segmentation": ["Event", "Segmentation", "http", "_API_ENDPOINT", "_API_PAYLOAD"],
    "PermutiveAPI.Audience": ["_API_ENDPOINT", "_API_VERSION"],
    "PermutiveAPI.Audience.Import": ["Import", "ImportList"],
    "PermutiveAPI.Audience.Segment": ["Segment", "SegmentList", "_API_PAYLOAD"],
    "PermutiveAPI.Audience.Source": ["Source"],
    "PermutiveAPI.Identify": ["_API_ENDPOINT", "_API_VERSION"],
    "PermutiveAPI.Identify.Identity": ["Identity", "http", "_API_PAYLOAD"],
    "PermutiveAPI.Identify.Alias": ["Alias"],
    "PermutiveAPI.Tables": [
        "Owned",
        "Plan",
        "PlanOutdatedError",
        "Plans",
        "References",
        "Report",
        "Reports",
        "identities_from_table",
    ],
    "PermutiveAPI.snapshots": ["Saved", "Snapshot"],
    "PermutiveAPI.answers": [
        "ContextAnswer",
        "SegmentationAnswer",
        "SegmentationState",
        "StatelessAnswer",
        "TrackedEventAnswer",
    ],
    "PermutiveAPI.rehearsal": ["Changes", "Rehearsal"],
    "PermutiveAPI._Utils.http": [
        "get",
        "post",
        "patch",
        "delete",
        "request",
        "DEFAULT_HEADERS",
        "_with_retry",
        "RetryConfig",
        "MAX_RETRIES",
        "BACKOFF_FACTOR",
        "INITIAL_DELAY",
        "PermutiveAPIError",
        "PermutiveAuthenticationError",
        "PermutiveBadRequestError",
        "PermutiveConflictError",
        "PermutiveConnectionError",
        "PermutiveRateLimitError",
        "PermutiveResourceNotFoundError",
        "PermutiveServerError",
        "PermutiveTimeoutError",
        "raise_for_status",
        "_extract_error_message",
        "redact_message",
        "redact_url",
        "_redact_sensitive_data",
        "BatchRequest",
        "Progress",
        "process_batch",
        "to_payload",
        "ThreadPoolExecutor",
        "time",
        "requests",
    ],
    "PermutiveAPI._Utils.json": [
        "JSONSerializable",
        "json_default",
        "customJSONEncoder",
        "to_payload",
        "load_json_list",
    ],
    "PermutiveAPI._Utils.list": ["chunk_list", "convert_list", "compare_list", "merge_list"],
    "PermutiveAPI._Utils.file": ["check_filepath", "split_filepath"],
}


def test_all_is_sorted_and_complete() -> None:
    """__all__ is sorted, and holds exactly the public names, each once."""
    assert PermutiveAPI.__all__ == sorted(OF_5_4_4 + NEW)


def test_star_import_gives_what_all_says() -> None:
    """`import *` gives every name of __all__, and no other public name."""
    names: "dict[str, Any]" = {}
    exec("from PermutiveAPI import *", names)
    assert set(PermutiveAPI.__all__) == set(names) - {"__builtins__"}
    modules = ["Query", "Tables", "answers", "rehearsal", "sandbox", "snapshots", "testing"]
    for name in modules:  # Only what is imported is shown.
        importlib.import_module(f"PermutiveAPI.{name}")
    assert dir(PermutiveAPI) == sorted([*PermutiveAPI.__all__, *modules])


def test_what_is_imported_late_is_there_from_the_start() -> None:
    """After `import PermutiveAPI` alone, dots lead to every module and class, also to those not imported yet."""
    code = """
import PermutiveAPI
places = {
    "Source": PermutiveAPI.Audience.Source,
    "Segment": PermutiveAPI.Audience.Segment,
    "Import": PermutiveAPI.Audience.Import,
    "Identity": PermutiveAPI.Identify.Identity,
    "Alias": PermutiveAPI.Identify.Alias,
    "ContextSegment": PermutiveAPI.Context,
    "TrackedEvent": PermutiveAPI.Tracking,
}
for name, module in places.items():
    assert getattr(module, name) is getattr(PermutiveAPI, name), name
assert PermutiveAPI.answers.ContextAnswer
import PermutiveAPI.Cohort, PermutiveAPI.Segmentation, PermutiveAPI.Workspace
for name in ("Cohort", "Segmentation", "Workspace"):
    assert isinstance(getattr(PermutiveAPI, name), type), name
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "code",
    [
        # Stand-ins take the names of a module from dir().
        """
from unittest.mock import create_autospec
from PermutiveAPI._Utils import http
stand_in = create_autospec(http)
assert [name for name in http.__all__ if not hasattr(stand_in, name)] == []
""",
        # In the package, `import *` and tab completion know the modules.
        """
import PermutiveAPI
from PermutiveAPI.Audience import *
from PermutiveAPI.Identify import *
assert (Import.Import, Segment.Segment, Source.Source, Alias.Alias, Identity.Identity)
assert {"Import", "Segment", "Source"} <= set(dir(PermutiveAPI.Audience))
assert {"Alias", "Identity"} <= set(dir(PermutiveAPI.Identify))
""",
        # Frameworks read the types of arguments and results.
        """
from typing import get_type_hints
from PermutiveAPI import *
from PermutiveAPI._Utils import http
helpers = [stream_batch, http.process_batch, http.request, Cohort.list, Cohort.batch_create, Segment.batch_delete]
helpers += [Import.batch_get_by_id, Identity.batch_identify, Identity.stream_identify, Segmentation.send]
helpers += [Segmentation.send_stateless, Segmentation.stream_send, ContextSegment.send, TrackedEvent.track]
for helper in helpers:
    assert get_type_hints(helper)["return"], helper
""",
        # Objects that earlier releases have pickled name the modules of that time.
        """
import pickle
found = [
    pickle.loads(b"cPermutiveAPI._Utils." + place + b"\\n.")
    for place in (b"batch.types\\nProgress", b"batch.types\\nBatchResult", b"retry.policy\\nRetryConfig")
]
from PermutiveAPI import BatchResult, Progress, RetryConfig
assert found == [Progress, BatchResult, RetryConfig]
""",
    ],
    ids=["autospec", "star", "hints", "pickles"],
)
def test_other_tools_see_every_name(code: str) -> None:
    """In a new process, where nothing else was imported, tools find what they look for."""
    subprocess.run([sys.executable, "-c", code], check=True)


@for_each("module", list(PATHS))
def test_import_paths(module: str) -> None:
    """Every name can be imported from its documented module."""
    found = importlib.import_module(module)
    assert [name for name in PATHS[module] if not hasattr(found, name)] == []


ENDPOINTS = {
    "Cohort": "https://api.permutive.app/cohorts-api/v2/cohorts/",
    "Audience": "https://api.permutive.app/audience-api/v1/imports",
    "Identify": "https://api.permutive.com/v2.0/identify",
    "Segmentation": "https://api.permutive.app/ccs/v1/segmentation",
}
VERSIONS = {"Cohort": "v2", "Audience": "v1", "Identify": "v2.0", "Segmentation": "v1"}
PAYLOADS = {
    "Cohort": ["id", "name", "query", "description", "tags"],
    "Audience.Segment": ["name", "code", "description", "cpm", "categories", "query"],
    "Identify.Identity": ["user_id", "aliases"],
    "Segmentation": ["events", "user_id"],
}


def test_endpoints_versions_and_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The constants are the documented ones, whatever PERMUTIVE_API_BASE_URL says."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "http://127.0.0.1:1")

    def constants(name: str, modules: Iterable[str]) -> Dict[str, Any]:
        return {
            module: getattr(importlib.import_module(f"PermutiveAPI.{module}"), name)
            for module in modules
        }

    assert constants("_API_ENDPOINT", ENDPOINTS) == ENDPOINTS
    assert constants("_API_VERSION", VERSIONS) == VERSIONS
    assert constants("_API_PAYLOAD", PAYLOADS) == PAYLOADS


@for_each("module", list(PATHS))
def test_one_class_everywhere(module: str) -> None:
    """A public class is the same object at the top level and in every module that has it."""
    for name in PATHS[module]:
        if name in PermutiveAPI.__all__:
            assert getattr(importlib.import_module(module), name) is getattr(PermutiveAPI, name)


def test_dotted_path_of_identity_is_the_module() -> None:
    """PermutiveAPI.Identify.Identity.http names the module's http: the class is not re-exported."""
    from PermutiveAPI._Utils import http

    package = importlib.import_module("PermutiveAPI.Identify")
    assert inspect.ismodule(package.Identity)
    # Type checkers take Identity for the class.
    assert PermutiveAPI.Identify.Identity.http is http  # type: ignore[attr-defined]


@for_each("package", ["PermutiveAPI.Audience", "PermutiveAPI.Identify"])
def test_packages_hold_the_endpoint_and_its_version_alone(package: str) -> None:
    """The two packages of resources define the endpoint, its version and nothing else."""
    found = {
        name
        for name, value in vars(importlib.import_module(package)).items()
        if not name.startswith("__") and not inspect.ismodule(value)
    }
    assert found == {"_API_ENDPOINT", "_API_VERSION"}


def test_default_headers() -> None:
    """The default headers are the two documented ones."""
    from PermutiveAPI._Utils import http

    assert http.DEFAULT_HEADERS == {
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


def test_typing_marker_ships() -> None:
    """py.typed stands in the package."""
    assert importlib.resources.files("PermutiveAPI").joinpath("py.typed").is_file()


def test_metadata() -> None:
    """The metadata contain the name of the package, its version, and the Python version that it needs."""
    metadata = importlib.metadata.metadata("PermutiveAPI")
    assert metadata["Name"] == "PermutiveAPI"
    assert metadata["Version"] == PermutiveAPI.__version__
    assert metadata["Requires-Python"] == ">=3.10"
    required: List[str] = importlib.metadata.requires("PermutiveAPI") or []
    plain = {each.split(">")[0] for each in required if "extra ==" not in each}
    assert plain == {"requests", "urllib3", "pandas", "python-dotenv"}
