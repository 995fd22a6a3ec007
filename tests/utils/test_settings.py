"""The environment and .env, read as checked values."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from PermutiveAPI._Utils import settings
from tests.support.rows import for_each

NUMBERS = [
    "PERMUTIVE_TIMEOUT_SECONDS",
    "PERMUTIVE_BATCH_TIMEOUT_SECONDS",
    "PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS",
]
COUNTS = ["PERMUTIVE_BATCH_MAX_WORKERS", "PERMUTIVE_RETRY_MAX_RETRIES"]


@for_each("value", ["", " ", "\t\n"])
def test_blank_means_unset(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A blank value counts as not set."""
    for name in (settings.TIMEOUT_SECONDS, *COUNTS):
        monkeypatch.setenv(name, value)
    assert settings.text(settings.TIMEOUT_SECONDS) is None
    assert settings.number(settings.TIMEOUT_SECONDS, 10.0) == 10.0
    assert settings.count(settings.BATCH_MAX_WORKERS) is None


def test_surrounding_spaces_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces around a value do not count."""
    monkeypatch.setenv(settings.TIMEOUT_SECONDS, "  2.5 ")
    monkeypatch.setenv(settings.BATCH_MAX_WORKERS, " 4\n")
    assert settings.number(settings.TIMEOUT_SECONDS, 10.0) == 2.5
    assert settings.count(settings.BATCH_MAX_WORKERS) == 4


@for_each("name", NUMBERS)
@for_each("value", ["0", "-1", "nan", "inf", "-inf", "ten", "1,5", "0x1"])
def test_bad_numbers(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value that is not a positive finite number is a ValueError that names the variable."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        settings.number(name, 10.0)


@for_each("name", COUNTS)
@for_each("value", ["0", "-1", "1.5", "4.0", "nan", "inf", "many", "1e3"])
def test_bad_counts(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value that is not a whole number of at least 1 is a ValueError that names the variable."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        settings.count(name)


@for_each("value", ["0.5", "0.999", "0", "-2", "nan"])
def test_backoff_factor_is_at_least_one(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A backoff factor below 1 is a ValueError that names the variable."""
    monkeypatch.setenv(settings.RETRY_BACKOFF_FACTOR, value)
    with pytest.raises(ValueError, match=settings.RETRY_BACKOFF_FACTOR):
        settings.number(settings.RETRY_BACKOFF_FACTOR, 2.0, at_least=1.0)


# --- .env ------------------------------------------------------------------------------------


def test_dotenv_is_found_upwards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """.env is found from the working directory upwards."""
    (tmp_path / ".env").write_text('PERMUTIVE_TIMEOUT_SECONDS="7.5"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert settings.number(settings.TIMEOUT_SECONDS, 10.0) == 7.5


def test_nearest_dotenv_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If there are several .env files, the nearest one counts."""
    (tmp_path / ".env").write_text("PERMUTIVE_TIMEOUT_SECONDS=1\n")
    below = tmp_path / "below"
    below.mkdir()
    (below / ".env").write_text("PERMUTIVE_TIMEOUT_SECONDS=2\n")
    assert settings.text(settings.TIMEOUT_SECONDS) == "1"
    monkeypatch.chdir(below)
    assert settings.text(settings.TIMEOUT_SECONDS) == "2"


def test_process_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """.env does not override the process environment."""
    (tmp_path / ".env").write_text("PERMUTIVE_TIMEOUT_SECONDS=1\n")
    monkeypatch.setenv(settings.TIMEOUT_SECONDS, "2")
    assert settings.text(settings.TIMEOUT_SECONDS) == "2"


def test_process_environment_is_not_altered(tmp_path: Path) -> None:
    """Reading .env leaves the process environment as it was."""
    (tmp_path / ".env").write_text("PERMUTIVE_TIMEOUT_SECONDS=1\nSOMETHING_ELSE=2\nPATH=nowhere\n")
    before = dict(os.environ)
    assert settings.text(settings.TIMEOUT_SECONDS) == "1"
    assert dict(os.environ) == before


def test_bad_value_in_dotenv(tmp_path: Path) -> None:
    """A wrong value in .env is a ValueError that names the variable."""
    (tmp_path / ".env").write_text("PERMUTIVE_TIMEOUT_SECONDS=soon\n")
    with pytest.raises(ValueError, match=settings.TIMEOUT_SECONDS):
        settings.number(settings.TIMEOUT_SECONDS, 10.0)


@for_each("line", ["", "PERMUTIVE_TIMEOUT_SECONDS", "PERMUTIVE_TIMEOUT_SECONDS="])
def test_dotenv_without_a_value(tmp_path: Path, line: str) -> None:
    """A variable without a value in .env counts as not set."""
    (tmp_path / ".env").write_text(line + "\n")
    assert settings.text(settings.TIMEOUT_SECONDS) is None


def test_dotenv_made_changed_and_removed(tmp_path: Path) -> None:
    """A .env that is made, changed or removed takes effect."""
    path = tmp_path / ".env"
    assert settings.text(settings.TIMEOUT_SECONDS) is None
    path.write_text("PERMUTIVE_TIMEOUT_SECONDS=1\n")
    assert settings.text(settings.TIMEOUT_SECONDS) == "1"
    path.write_text("PERMUTIVE_TIMEOUT_SECONDS=222\n")
    assert settings.text(settings.TIMEOUT_SECONDS) == "222"
    path.unlink()
    assert settings.text(settings.TIMEOUT_SECONDS) is None


def test_dotenv_with_a_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark before the first line is skipped."""
    (tmp_path / ".env").write_text("PERMUTIVE_TIMEOUT_SECONDS=3\n", encoding="utf-8-sig")
    assert settings.text(settings.TIMEOUT_SECONDS) == "3"


@pytest.mark.skipif(sys.platform == "win32", reason="the directory is in use there")
def test_deleted_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If the working directory was deleted, there is no .env, and no crash."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert settings.text(settings.TIMEOUT_SECONDS) is None
    monkeypatch.chdir(tmp_path)
