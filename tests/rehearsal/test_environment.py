"""What a job finds during a rehearsal: the copy, its keys, journals of its own; in other processes, too."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, List

import pytest

from PermutiveAPI import (
    Alias,
    Cohort,
    Identity,
    PermutiveAuthenticationError,
    Workspace,
    WorkspaceList,
    options,
)
from PermutiveAPI.rehearsal import Rehearsal
from tests.rehearsal.live import QUERY, Live
from tests.support.platforms import needs_fork

CREDENTIALS = "PERMUTIVE_APPLICATION_CREDENTIALS"


@pytest.fixture
def configured(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credentials file of the live service."""
    path = tmp_path / "live.json"
    path.write_text(json.dumps(live.sandbox.credentials()))
    monkeypatch.setenv(CREDENTIALS, str(path))
    return path


def identities(count: int = 5) -> List[Identity]:
    """Return people to identify."""
    return [Identity(f"user-{number}", [Alias(f"{number}", "crm", 0)]) for number in range(count)]


# --- Keys ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("configured")
def test_a_job_without_a_key(live: Live) -> None:
    """The default key and the credentials file are those of the copy; afterwards, the live ones again."""
    before = dict(os.environ)
    with Rehearsal(WorkspaceList.from_env()) as rehearsal:
        Cohort("New", query=QUERY).create()
        assert WorkspaceList.from_env() == rehearsal.workspaces
        assert Workspace.from_env().name == live.group.name
        path = Path(os.environ[CREDENTIALS])
        assert json.loads(path.read_text()) == rehearsal.credentials()
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert dict(os.environ) == before and not path.parent.exists()
    assert live.methods == {"GET"}
    assert [each.name for each in rehearsal.changes().changes] == ["New"]


@pytest.mark.parametrize("name", ["group", "brand"])
def test_the_default_key_of_the_environment(
    live: Live, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """PERMUTIVE_API_KEY has the copy's key of the same workspace, also if it comes from .env."""
    workspace: Workspace = getattr(live, name)
    monkeypatch.setenv("PERMUTIVE_API_KEY", workspace.api_key)
    with Rehearsal([live.group, live.brand]) as rehearsal:
        copied = rehearsal.workspaces.id_dictionary[workspace.workspace_id]
        assert os.environ["PERMUTIVE_API_KEY"] == copied.api_key
        Cohort("New", query=QUERY).create()
    assert os.environ["PERMUTIVE_API_KEY"] == workspace.api_key
    assert [each.name for each in rehearsal.changes().of(workspace).changes] == ["New"]


def test_the_default_key_of_dotenv(live: Live, tmp_path: Path) -> None:
    """A key and a base URL of .env yield to those of the copy."""
    (tmp_path / ".env").write_text(
        f"PERMUTIVE_API_KEY={live.brand.api_key}\nPERMUTIVE_API_BASE_URL={live.url}\n"
    )
    with Rehearsal([live.group, live.brand]) as rehearsal:
        Cohort("New", query=QUERY).create()
        assert len(rehearsal.changes().of(live.brand)) == 1
    assert "PERMUTIVE_API_KEY" not in os.environ
    assert live.methods == {"GET"}


def test_a_default_key_of_a_workspace_that_is_not_copied(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused, and stands for no other workspace."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", live.brand.api_key)
    with Rehearsal(live.group), pytest.raises(PermutiveAuthenticationError):
        Cohort.list()


def test_options_around_a_rehearsal(live: Live) -> None:
    """The base URL and the key of a block around it do not lead past the copy."""
    with options(base_url=live.url, api_key=live.group.api_key):
        with Rehearsal(live.group) as rehearsal:
            Cohort("New", query=QUERY).create()
            assert len(rehearsal.changes()) == 1
        assert len(Cohort.list()) == 6
    assert live.methods == {"GET"}


def test_a_base_url_around_a_rehearsal(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base URL of a block around it does not lead past the copy, whatever the key is."""
    monkeypatch.delenv("PERMUTIVE_API_BASE_URL")
    with options(base_url=live.url), Rehearsal(live.group) as rehearsal:
        Cohort("New", query=QUERY).create(rehearsal.workspaces[0].api_key)
        changes = rehearsal.changes()
    assert live.methods == {"GET"}
    with options(base_url=live.url):
        assert changes.apply(api_key=live.group.api_key).counts["created"] == 1


def test_a_rehearsal_of_a_rehearsal(live: Live) -> None:
    """A job may rehearse itself: the inner copy is one of the outer copy."""
    with Rehearsal(live.group) as outer:
        Cohort("One", query=QUERY).create()
        with Rehearsal(outer.workspaces) as inner:
            Cohort("Two", query=QUERY).create()
        assert [each.name for each in inner.changes().changes] == ["Two"]
        assert [each.name for each in outer.changes().changes] == ["One"]
        assert inner.changes().apply(api_key=outer.workspaces[0].api_key).counts["created"] == 1
    assert [each.name for each in outer.changes().changes] == ["One", "Two"]


# --- Other processes -----------------------------------------------------------------------------


def create(name: str) -> Any:
    """Create a cohort with the default key, in another process."""
    cohort = Cohort(name, query=QUERY)
    cohort.create()
    return cohort.code


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("method", [pytest.param("fork", marks=needs_fork), "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_processes_of_the_job(live: Live, method: str) -> None:
    """Forked and spawned processes change the copy, too."""
    with Rehearsal(WorkspaceList.from_env()) as rehearsal:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            codes = {*pool.map(create, ["One", "Two"])}
        assert {each.name for each in rehearsal.changes().changes} == {"One", "Two"}
    assert len(codes) == 2 and live.methods == {"GET"}


@pytest.mark.usefixtures("configured")
def test_a_batch_on_processes() -> None:
    """A batch whose requests other processes send changes the copy."""
    with Rehearsal(WorkspaceList.from_env()) as rehearsal:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            _, failures = Identity.batch_identify(identities(), executor=pool)
        assert failures == []
    assert rehearsal.changes().other_writes == {"identify": 5}


# --- Journals ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_journals(tmp_path: Path, kind: str) -> None:
    """A rehearsal neither reads nor changes the journal of the live job, wherever it is, and has its own."""
    path = tmp_path / "job.journal"
    journal = path if kind == "absolute" else Path(path.name)
    Identity.batch_identify(identities(3), journal=journal)
    held = path.read_bytes()
    with Rehearsal(WorkspaceList.from_env()) as rehearsal:
        sent = [len(Identity.batch_identify(identities(5), journal=journal)[0]) for _ in range(2)]
        assert rehearsal.changes().other_writes == {"identify": 5}
    assert sent == [5, 0]
    assert path.read_bytes() == held
    assert {each.name for each in tmp_path.iterdir()} == {"job.journal", "live.json"}
    assert len(Identity.batch_identify(identities(5), journal=journal)[0]) == 2


@pytest.mark.usefixtures("configured")
def test_a_journal_that_the_live_job_uses(tmp_path: Path) -> None:
    """The live job may run at the same time."""
    journal = tmp_path / "job.journal"
    stream = Identity.stream_identify(iter(identities()), journal=journal, max_workers=1)
    next(stream)
    with Rehearsal(WorkspaceList.from_env()):
        assert len(Identity.batch_identify(identities(), journal=journal)[0]) == 5
    assert len(list(stream)) == 4


@pytest.mark.usefixtures("configured")
def test_a_stream_that_is_begun_in_a_rehearsal(live: Live, tmp_path: Path) -> None:
    """If it is read later, it touches neither the live service nor the live journal."""
    with Rehearsal(WorkspaceList.from_env()):
        stream = Identity.stream_identify(iter(identities()), journal=tmp_path / "job.journal")
    with pytest.raises(OSError, match="journal cannot be opened"):
        list(stream)
    assert not (tmp_path / "job.journal").exists()
    assert live.methods == {"GET"}
