"""The folder of a snapshot: which files it has, writing only those that differ, and reading them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from ..Audience.Import import ImportList
from ..Cohort import CohortList
from .content import (
    FORMAT,
    MARK,
    cohort_data,
    import_data,
    inherited_data,
    read_cohort,
    read_import,
    read_inherited,
)
from .names import file_name, key_in, safe_key, with_keys

# It is written last. So a folder with it once had a whole snapshot.
_MANIFEST = "snapshot.json"
_TEMPORARY = ".snapshot-*.tmp"


@dataclass(frozen=True, repr=False, eq=False)
class Content:
    """What the files of a snapshot say; see ``Snapshot``."""

    workspace_id: str
    cohorts: CohortList
    inherited: CohortList
    imports: ImportList


class _Subfolder(NamedTuple):
    """A folder inside that of the snapshot, with one file for each object.

    Attributes
    ----------
    name : str
        Its name, and that of the field of Content.
    write : callable
        Returns the content of an object's file.
    read : callable
        Makes an object from the content of its file.
    """

    name: str
    write: Callable[[Any], dict[str, Any]]
    read: Callable[[Mapping[str, Any]], Any]


_SUBFOLDERS = (
    _Subfolder("cohorts", cohort_data, read_cohort),
    _Subfolder("inherited", inherited_data, read_inherited),
    _Subfolder("imports", import_data, read_import),
)


class Saved(NamedTuple):
    """What has become of the files of a snapshot.

    Attributes
    ----------
    written : int
        How many files are new or have changed.
    unchanged : int
        How many were the same already. They were not touched.
    removed : int
        How many were removed, because their objects are gone.

    Examples
    --------
    >>> Workspace.from_env().snapshot("snapshot")
    Saved(written=30, unchanged=0, removed=0)
    >>> Workspace.from_env().snapshot("snapshot")
    Saved(written=0, unchanged=30, removed=0)
    """

    written: int
    unchanged: int
    removed: int


# --- Writing -------------------------------------------------------------------------------------


def write_folder(content: Content, folder: Path) -> Saved:
    """Make the files of a folder equal to a snapshot; see ``Snapshot.write``."""
    wanted = dict(_files_of(content, folder))
    _check_manifest(folder, content.workspace_id)
    own = dict(_own_files(folder))
    _refuse_foreign(path for path in wanted if path not in own and os.path.lexists(path))
    for subfolder in _SUBFOLDERS:
        (folder / subfolder.name).mkdir(parents=True, exist_ok=True)
        for left in (folder / subfolder.name).glob(_TEMPORARY):  # By a process that was killed.
            left.unlink()
    own = _renamed(own, wanted)
    changed = {path: text for path, text in wanted.items() if own.get(path) != text}
    for path, text in changed.items():
        _replace(path, text)
    gone = own.keys() - wanted.keys()
    for path in gone:
        path.unlink()
    _write_manifest(folder, content.workspace_id)
    return Saved(len(changed), len(wanted) - len(changed), len(gone))


def _files_of(content: Content, folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each file."""
    for subfolder in _SUBFOLDERS:
        objects: Iterable[Any] = getattr(content, subfolder.name)
        for key, each in with_keys(objects):
            path = folder / subfolder.name / file_name(key, each.name)
            yield path, _text({**subfolder.write(each), MARK: FORMAT})


def _text(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # A lone surrogate, which JSON can hold.
        text = json.dumps(data, indent=2, sort_keys=True)
    return f"{text}\n"


def _own_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each file that a snapshot wrote. All others are foreign."""
    for subfolder in _SUBFOLDERS:
        for path in filter(Path.is_file, _named_like_ours(folder / subfolder.name)):
            try:
                text = path.read_text(encoding="utf-8-sig")
                data = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if _is_ours(path, data):
                yield path, text


def _named_like_ours(subfolder: Path) -> list[Path]:
    if not os.path.lexists(subfolder):  # Git keeps no empty folder.
        return []
    return sorted(each for each in subfolder.iterdir() if key_in(each.name))


def _is_ours(path: Path, data: Any) -> bool:
    """Tell whether a file has the mark, and its name has the code or the id of its object."""
    if not isinstance(data, dict) or MARK not in data:
        return False
    members = cast("dict[str, Any]", data)
    return key_in(path.name) in {safe_key(str(members.get(name))) for name in ("code", "id")}


def _refuse_foreign(paths: Iterable[Path]) -> None:
    """Raise ValueError if a file that no snapshot wrote stands where a file is to be written."""
    for path in paths:
        raise ValueError(
            f"{path}: nothing was written, because no snapshot wrote this file. Move it away."
        )


def _renamed(own: Mapping[Path, str], wanted: Mapping[Path, str]) -> dict[Path, str]:
    """Give the files of renamed objects their new names, so that no object has two files at any time."""
    new = {(path.parent, key_in(path.name)): path for path in wanted}
    found = dict(own)
    for path, text in own.items():
        target = new.get((path.parent, key_in(path.name)))
        if path not in wanted and target is not None and target not in found:
            path.rename(target)
            del found[path]
            found[target] = text
    return found


def _replace(path: Path, text: str) -> None:
    """Replace a file in one step: nobody sees a part of it, even after an interruption."""
    temporary = path.with_name(_TEMPORARY.replace("*", str(os.getpid())))
    try:
        temporary.write_bytes(text.encode())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # As when the disk is full.
            error.filename = str(path)
        raise


def _check_manifest(folder: Path, workspace_id: str) -> None:
    """Raise ValueError if the folder has a snapshot of another workspace."""
    path = folder / _MANIFEST
    if os.path.lexists(path) and (found := _read_manifest(path)) != workspace_id:
        raise ValueError(
            f"{path}: nothing was written, because this is a snapshot of another workspace, {found}. "
            "Each workspace needs a folder of its own."
        )


def _write_manifest(folder: Path, workspace_id: str) -> None:
    path = folder / _MANIFEST
    if not os.path.lexists(path):
        _replace(path, _text({MARK: FORMAT, "workspace_id": workspace_id}))


# --- Reading -------------------------------------------------------------------------------------


def read_folder(folder: Path) -> Content:
    """Read the files of a snapshot; see ``Snapshot.read``."""
    path = folder / _MANIFEST
    if not path.is_file():
        raise ValueError(
            f"{folder}: there is no snapshot here, because {_MANIFEST} is missing. It is written last, so "
            "perhaps the first snapshot was interrupted."
        )
    workspace_id = _read_manifest(path)
    cohorts, inherited, imports = (
        _read_subfolder(folder / subfolder.name, subfolder) for subfolder in _SUBFOLDERS
    )
    for each in cohorts:
        if each.workspace_id not in (None, workspace_id):
            raise ValueError(
                f"{folder}: the cohort {each.name!r} ({each.code}) belongs to another workspace, "
                f"{each.workspace_id}"
            )
    return Content(workspace_id, CohortList(cohorts), CohortList(inherited), ImportList(imports))


def _read_manifest(path: Path) -> str:
    data = _read_file(path)
    _check_format(path, data)
    workspace_id = data.get("workspace_id")
    if not isinstance(workspace_id, str) or not workspace_id:
        raise ValueError(f"{path}: it has no 'workspace_id'")
    return workspace_id


def _read_subfolder(folder: Path, subfolder: _Subfolder) -> list[Any]:
    """Read the objects of one folder. Foreign files are left out."""
    found: list[Any] = []
    first: dict[str, Path] = {}
    for path in _named_like_ours(folder):
        data = _read_file(path)
        if not isinstance(data, dict) or MARK not in data:
            continue
        _check_format(path, data)
        try:
            each = subfolder.read(cast("dict[str, Any]", data))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from None
        if each.id in first:
            raise ValueError(f"{path}: {first[each.id].name} has the same id, {each.id!r}")
        first[each.id] = path
        found.append(each)
    return found


def _read_file(path: Path) -> Any:
    """Read a JSON file; ValueError names the file if it is not valid."""
    if not path.is_file():  # To leave it out would mean that its object is gone.
        raise ValueError(f"{path}: a file is expected, not a folder or a link that leads nowhere")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: it is not valid JSON: {error}") from None


def _check_format(path: Path, data: Any) -> None:
    found = cast("dict[str, Any]", data).get(MARK) if isinstance(data, dict) else None
    if found != FORMAT:
        raise ValueError(
            f"{path}: a file of a snapshot of format {FORMAT} is expected, not of {found!r}"
        )
