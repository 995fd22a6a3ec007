"""The helpers for file paths that 5.4.4 has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Tuple

import pytest

from PermutiveAPI._Utils.file import check_filepath, split_filepath
from tests.support.rows import for_each

KINDS: "list[Callable[[str], Any]]" = [str, Path]


@for_each("kind", KINDS)
def test_check_filepath(tmp_path: Path, kind: Callable[[str], Any]) -> None:
    """The missing parent folder is made, but not the file; a second call does nothing."""
    path = tmp_path / "a" / "b" / "c.json"
    for _ in range(2):
        check_filepath(kind(str(path)))
    assert path.parent.is_dir()
    assert not path.exists()


def test_check_filepath_of_a_folder(tmp_path: Path) -> None:
    """A path that ends with a slash is a folder, which is made."""
    check_filepath(f"{tmp_path}/exports/july/")
    assert (tmp_path / "exports" / "july").is_dir()


@for_each("path", [None, 5])
def test_what_is_no_path(path: Any) -> None:
    """A value that is no path is a TypeError, not a file of that name."""
    for helper in (check_filepath, split_filepath):
        with pytest.raises(TypeError):
            helper(path)


def test_check_filepath_without_a_folder(tmp_path: Path) -> None:
    """A bare file name needs no folder."""
    check_filepath("c.json")
    assert list(tmp_path.iterdir()) == []


@for_each("kind", KINDS)
@for_each(
    ("path", "parts"),
    [
        ("exports/cohorts.json", ("exports", "cohorts", ".json")),
        ("/a/b/archive.tar.gz", ("/a/b", "archive.tar", ".gz")),
        ("name", ("", "name", "")),
        ("a/.hidden", ("a", ".hidden", "")),
    ],
)
def test_split_filepath(kind: Callable[[str], Any], path: str, parts: Tuple[str, str, str]) -> None:
    """A path is split into three texts: folder, name, and extension with its dot."""
    found = split_filepath(kind(path))
    assert found == parts
    assert [type(part) for part in found] == [str, str, str]
