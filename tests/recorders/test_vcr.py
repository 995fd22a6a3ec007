"""vcrpy and pytest-recording: every call is intercepted, and cassettes hold no key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator
from urllib.parse import quote

import pytest
import vcr

from PermutiveAPI import Alias, Cohort, Identity, KnownAlias
from PermutiveAPI.testing import vcr_config
from tests.recorders.work import WORK, step
from tests.support.calls import COHORT, KEY
from tests.support.scripted import ScriptedServer, answer


@pytest.fixture(params=["query", "header"])
def location(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the key travels."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", request.param)
    return request.param


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Any]:
    """Return a recorder with the settings that users take."""
    yield vcr.VCR(cassette_library_dir=str(tmp_path), **vcr_config())


IDS = [str(number) for number in range(60)]


def test_nothing_goes_past_a_cassette(
    server: ScriptedServer, recorder: Any, location: str, tmp_path: Path
) -> None:
    """What was recorded is played back, single, in batches and details, and nothing reaches the service."""
    server.default = step
    Cohort.get_by_id("before", KEY)  # Leaves a connection in the pool.

    def work() -> None:
        assert Cohort.get_by_id("fine", KEY).id == "c-1"
        found, failures = Cohort.batch_get_by_id(IDS, api_key=KEY, max_workers=8)
        assert (len(found), failures) == (60, [])
        assert len(Cohort.list(KEY, include_details=True)) == 4

    with recorder.use_cassette("calls.yaml", allow_playback_repeats=True):
        work()
    recorded = len(server.seen)
    assert recorded >= 1 + 1 + 60 + 2
    for _ in range(3):
        with recorder.use_cassette(
            "calls.yaml", record_mode="none", allow_playback_repeats=True
        ):
            work()
    assert len(server.seen) == recorded
    Cohort.get_by_id("after", KEY)
    assert [seen.path[-5:] for seen in server.seen[recorded:]] == ["after"]
    cassette = (tmp_path / "calls.yaml").read_text()
    assert "/cohorts-api/v2/cohorts/59" in cassette
    assert KEY not in cassette and quote(KEY) not in cassette


def test_what_was_not_recorded_fails_and_is_not_sent(
    server: ScriptedServer, recorder: Any, location: str
) -> None:
    """A cassette without a call refuses it, and the refusal shows no key."""
    server.default = answer(200, COHORT)
    Cohort.get_by_id("before", KEY)
    with recorder.use_cassette("empty.yaml", record_mode="none"):
        with pytest.raises(
            vcr.errors.CannotOverwriteExistingCassetteException
        ) as raised:
            Cohort.get_by_id("1", KEY)
        found, failures = Cohort.batch_get_by_id(IDS, api_key=KEY)
    assert (len(found), len(failures), len(server.seen)) == (0, 60, 1)
    assert KEY not in f"{raised.value} {raised.value!r} {failures}"


@pytest.mark.parametrize("name", WORK)
def test_no_cassette_holds_the_key(
    server: ScriptedServer, recorder: Any, location: str, name: str, tmp_path: Path
) -> None:
    """Neither successes nor failures, of any kind of call, write the key down."""
    server.default = step
    with recorder.use_cassette("calls.yaml"):
        WORK[name]()
    path = tmp_path / "calls.yaml"
    cassette = (
        path.read_text() if path.exists() else ""
    )  # After a reset there is nothing to write.
    assert KEY not in cassette and ("uri: http" in cassette or name == "reset")


def test_ids_of_aliases_are_hashed(
    server: ScriptedServer, recorder: Any, tmp_path: Path
) -> None:
    """A cassette holds a digest of each alias, the caller gets what the service answered."""
    alias = {"id": "jo@example.com", "tag": "email", "permutive_id": "u"}
    server.script = [answer(200, {"user_id": "u"})]
    server.default = answer(200, [alias])
    with recorder.use_cassette("aliases.yaml"):
        Identity("u", [Alias("jo@example.com", "email", 1)]).identify(KEY)
        assert Identity.list_aliases("u", KEY) == [KnownAlias(**alias)]
    assert server.seen[0].json["aliases"][0]["id"] == "jo@example.com"
    cassette = (tmp_path / "aliases.yaml").read_text()
    assert "jo@" not in cassette and "email" in cassette
    with recorder.use_cassette("aliases.yaml", record_mode="none"):
        Identity("u", [Alias("jo@example.com", "email", 1)]).identify(KEY)
        [played] = Identity.list_aliases("u", KEY)
    assert (played.tag, len(played.id)) == ("email", 16)
    assert len(server.seen) == 2


def test_bodies_without_aliases_stay(
    server: ScriptedServer, recorder: Any, tmp_path: Path
) -> None:
    """Other bodies are recorded as they are, also what is no JSON."""
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
    server: ScriptedServer, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suite with pytest-recording records, and runs again without the service."""
    server.default = answer(200, COHORT)
    pytester.makepyfile(SUITE.replace("{key}", KEY))
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"]
    pytester.runpytest_subprocess(*options, "--record-mode=once").assert_outcomes(
        passed=1
    )
    assert len(server.seen) == 1
    pytester.runpytest_subprocess(*options, "--block-network").assert_outcomes(passed=1)
    assert len(server.seen) == 1
    [cassette] = pytester.path.glob("cassettes/**/*.yaml")
    assert KEY not in cassette.read_text()
