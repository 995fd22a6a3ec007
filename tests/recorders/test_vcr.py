"""vcrpy and pytest-recording: every call is intercepted, and cassettes hold no key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, List
from urllib.parse import quote

import pytest
import vcr
import vcr.errors
from packaging.version import Version

from PermutiveAPI import Alias, Cohort, Identity, KnownAlias
from PermutiveAPI.testing import vcr_config
from tests.recorders.work import WORK, step
from tests.support.calls import COHORT, KEY, cohort
from tests.support.fake_service import FakeService, ReceivedRequest, answer, answer_from


@pytest.fixture(params=["query", "header"])
def location(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the key travels."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", request.param)
    return request.param


@pytest.fixture
def recorder(tmp_path: Path) -> Any:
    """Return a recorder with the settings for users."""
    return vcr.VCR(cassette_library_dir=str(tmp_path), **vcr_config())


IDS = [str(number) for number in range(12)]

# Older releases lose their own patch if several threads send, even with plain requests. Python 3.10 has no newer release.
needs_threads = pytest.mark.skipif(
    Version(vcr.__version__) < Version("9.4.2"), reason="vcrpy before 9.4.2"
)


@needs_threads
def test_no_call_bypasses_a_cassette(
    server: FakeService, recorder: Any, location: str, tmp_path: Path
) -> None:
    """Recorded calls are played back, single, in batches and as details, and nothing reaches the service."""
    server.default = step
    Cohort.get_by_id("before", KEY)  # Leaves a connection in the pool.

    def work() -> None:
        assert Cohort.get_by_id("fine", KEY).id == "c-1"
        found, failures = Cohort.batch_get_by_id(IDS, api_key=KEY, max_workers=8)
        assert (len(found), failures) == (len(IDS), [])
        assert len(Cohort.list(KEY, include_details=True)) == 4

    with recorder.use_cassette("calls.yaml", allow_playback_repeats=True):
        work()
    recorded = len(server.received)
    assert recorded >= 1 + 1 + len(IDS) + 2
    for _ in range(2):
        with recorder.use_cassette("calls.yaml", record_mode="none", allow_playback_repeats=True):
            work()
    assert len(server.received) == recorded
    Cohort.get_by_id("after", KEY)
    assert [seen.path[-5:] for seen in server.received[recorded:]] == ["after"]
    cassette = (tmp_path / "calls.yaml").read_text()
    assert f"/cohorts-api/v2/cohorts/{IDS[-1]}" in cassette
    assert KEY not in cassette and quote(KEY) not in cassette


@needs_threads
def test_what_was_not_recorded_fails_and_is_not_sent(
    server: FakeService, recorder: Any, location: str
) -> None:
    """A cassette refuses a call that it does not contain, and the error shows no key."""
    server.default = answer(200, COHORT)
    Cohort.get_by_id("before", KEY)
    with recorder.use_cassette("empty.yaml", record_mode="none"):
        with pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException) as raised:
            Cohort.get_by_id("1", KEY)
        found, failures = Cohort.batch_get_by_id(IDS, api_key=KEY)
    assert (len(found), len(failures), len(server.received)) == (0, len(IDS), 1)
    assert KEY not in f"{raised.value} {raised.value!r} {failures}"


@pytest.mark.parametrize("name", WORK)
def test_no_cassette_holds_the_key(
    server: FakeService, recorder: Any, location: str, name: str, tmp_path: Path
) -> None:
    """Neither successes nor failures, of any kind of call, record the key."""
    server.default = step
    with recorder.use_cassette("calls.yaml"):
        WORK[name]()
    path = tmp_path / "calls.yaml"
    cassette = path.read_text() if path.exists() else ""  # After a reset there is nothing to write.
    assert KEY not in cassette and ("uri: http" in cassette or name == "reset")


def test_ids_of_aliases_are_hashed(server: FakeService, recorder: Any, tmp_path: Path) -> None:
    """A cassette contains a digest of each alias, but the caller gets the service's response."""
    alias = {"id": "jo@example.com", "tag": "email", "permutive_id": "u"}
    server.script = [answer(200, {"user_id": "u"})]
    server.default = answer(200, [alias])
    with recorder.use_cassette("aliases.yaml"):
        Identity("u", [Alias("jo@example.com", "email", 1)]).identify(KEY)
        assert Identity.list_aliases("u", KEY) == [KnownAlias(**alias)]
    assert server.received[0].json["aliases"][0]["id"] == "jo@example.com"
    cassette = (tmp_path / "aliases.yaml").read_text()
    assert "jo@" not in cassette and "email" in cassette
    with recorder.use_cassette("aliases.yaml", record_mode="none"):
        Identity("u", [Alias("jo@example.com", "email", 1)]).identify(KEY)
        [played] = Identity.list_aliases("u", KEY)
    assert (played.tag, played.id[:7], len(played.id)) == ("email", "hashed-", 23)
    assert len(server.received) == 2


def named(request: ReceivedRequest) -> Any:
    """Answer with a cohort or a user of the name that was sent."""
    sent = request.json
    name = sent.get("name") or sent["user_id"]
    return {**COHORT, "id": f"id of {name}", "name": name, "user_id": f"resolved {name}"}


@needs_threads
def test_each_item_of_a_batch_gets_its_own_answer_back(server: FakeService, recorder: Any) -> None:
    """Creates and identities with the same URL are played back by their bodies, in any order."""
    server.default = answer_from(named)

    def work(names: List[str]) -> Any:
        cohorts = [cohort(name=name) for name in names]
        Cohort.batch_create(cohorts, api_key=KEY, max_workers=4)
        users = [Identity(name, [Alias(f"{name}@h", "email", 1)]) for name in names]
        resolved, failures = Identity.batch_resolve(users, api_key=KEY, max_workers=4)
        assert failures == []
        return {each.name: each.id for each in cohorts}, {
            user.user_id: found for user, found in resolved
        }

    with recorder.use_cassette("batch.yaml"):
        recorded = work(IDS)
    with recorder.use_cassette("batch.yaml", record_mode="none"):
        assert work(IDS[::-1]) == recorded
    assert recorded[0]["7"] == "id of 7" and recorded[1]["7"] == "resolved 7"
    assert len(server.received) == 2 * len(IDS)


IMPORTING = """
import urllib3.connection, vcr
own = urllib3.connection.HTTPConnection
with vcr.VCR().use_cassette({cassette!r}):
    from PermutiveAPI._Utils.transport import connections
assert connections.classes_now() is connections._OWN_CLASSES
assert issubclass(connections.HTTPConnection, own)
"""


def test_an_import_inside_a_cassette_changes_nothing(tmp_path: Path) -> None:
    """The library may be imported for the first time inside a cassette."""
    code = IMPORTING.format(cassette=str(tmp_path / "c.yaml"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_bodies_without_aliases_stay(server: FakeService, recorder: Any, tmp_path: Path) -> None:
    """Other bodies are recorded unchanged, even if they are not JSON."""
    server.script = [answer(200, b"<html>", content_type="text/html")]
    with recorder.use_cassette("page.yaml"):
        Identity("u", []).identify(KEY)
    cassette = (tmp_path / "page.yaml").read_text()
    assert "<html>" in cassette
    assert json.dumps({"user_id": "u", "aliases": []}) in cassette


SUITE = """
import pytest
from PermutiveAPI import Cohort
from PermutiveAPI.testing import vcr_config as scrubbed

@pytest.fixture(scope="module")
def vcr_config():
    return scrubbed()

@pytest.mark.vcr
def test_recorded():
    assert Cohort.get_by_id("1", "{key}").name == "Readers"
"""


def test_pytest_recording(
    server: FakeService, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test suite with pytest-recording records calls, and runs again without the service."""
    server.default = answer(200, COHORT)
    pytester.makepyfile(SUITE.replace("{key}", KEY))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = ["-p", "no:cacheprovider", "-p", "pytest_recording.plugin"]
    pytester.runpytest_subprocess(*options, "--record-mode=once").assert_outcomes(passed=1)
    assert len(server.received) == 1
    pytester.runpytest_subprocess(*options, "--block-network").assert_outcomes(passed=1)
    assert len(server.received) == 1
    [cassette] = pytester.path.glob("cassettes/**/*.yaml")
    assert KEY not in cassette.read_text()
