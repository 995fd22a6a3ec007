"""Workspaces: hidden keys, caches, spellings, and the top-level workspace."""

from __future__ import annotations

import copy
import errno
import inspect
import json
import os
import pickle
import pprint
import stat
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

import pytest

from PermutiveAPI import (
    Cohort,
    CohortList,
    Import,
    ImportList,
    Segment,
    SegmentList,
    Source,
    Workspace,
    WorkspaceList,
)
from tests.support.rows import for_each
from tests.support.secrets import arguments_in_frames

SECRET = "sup3r-s3cret"
MAIN = Workspace("Main", "org", "org", SECRET)
CHILD = Workspace("Child", "org", "child", SECRET)


@for_each(
    "shown",
    [
        MAIN,
        WorkspaceList([MAIN, CHILD]),
        WorkspaceList([MAIN])[:],
        [MAIN, CHILD],
        (MAIN,),
        {"main": MAIN},
        {"list": WorkspaceList([MAIN])},
        [WorkspaceList([MAIN])],
        WorkspaceList([MAIN]).id_dictionary,
    ],
)
def test_key_is_never_shown(shown: Any) -> None:
    """Neither a workspace nor an object that contains it shows the key."""
    texts = [
        repr(shown),
        str(shown),
        f"{shown}",
        f"{shown!r}",
        "%s" % (shown,),
        pprint.pformat(shown),
    ]
    texts.append("{!r}".format(shown))
    assert not [text for text in texts if SECRET in text]
    assert "Main" in repr(shown)


def test_key_in_a_subclass_is_not_shown_either() -> None:
    """A subclass of Workspace hides the key as well."""

    class Own(Workspace):
        pass

    own = Own("Main", "org", "org", SECRET)
    assert SECRET not in repr(own) + str(own)


def test_to_json_keeps_the_key(tmp_path: Path) -> None:
    """to_json keeps the key, so that a workspace can be read back."""
    assert MAIN.to_json() == {
        "name": "Main",
        "organisation_id": "org",
        "workspace_id": "org",
        "api_key": SECRET,
    }
    assert Workspace.from_json(MAIN.to_json()) == MAIN
    assert Workspace.from_json(json.dumps(MAIN.to_json())) == MAIN
    both = WorkspaceList([MAIN, CHILD])
    assert WorkspaceList.from_json(both.to_json()) == both
    both.to_json_file(tmp_path / "workspaces.json")
    assert WorkspaceList.from_json_file(tmp_path / "workspaces.json") == both


SECRETS = [MAIN, WorkspaceList([MAIN, CHILD])]
SECRET_IDS = ["workspace", "list"]

with_modes = pytest.mark.skipif(os.name != "posix", reason="there are no modes there")


@with_modes
@pytest.mark.parametrize("secret", SECRETS, ids=SECRET_IDS)
def test_new_file_is_private_at_once(
    secret: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace's file is made with mode 0600, whatever the umask, and never has a wider mode."""
    narrowed: List[Any] = []
    monkeypatch.setattr(os, "fchmod", lambda *arguments: narrowed.append(arguments))
    before = os.umask(0)
    try:
        secret.to_json_file(tmp_path / "keys" / "new.json")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys" / "new.json").stat().st_mode) == 0o600
    assert narrowed == []


@with_modes
@pytest.mark.parametrize("secret", SECRETS, ids=SECRET_IDS)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o602])
def test_existing_file_is_narrowed(secret: Any, tmp_path: Path, mode: int) -> None:
    """An existing file gets the mode 0600, and only the new content."""
    path = tmp_path / "old.json"
    path.write_text("x" * 10_000)
    path.chmod(mode)
    secret.to_json_file(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert type(secret).from_json_file(path) == secret


@with_modes
def test_key_is_written_after_the_narrowing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the mode cannot be set, the error names the file, and the file stays as it was, without the key."""
    path = tmp_path / "of_somebody_else.json"
    path.write_text("theirs")
    path.chmod(0o666)

    def refuse(descriptor: int, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(PermissionError, match="of_somebody_else"):
        MAIN.to_json_file(path)
    assert path.read_text() == "theirs"


@with_modes
def test_pipe_stays_as_it_is(tmp_path: Path) -> None:
    """A pipe gets the key and keeps its mode: its owner decides who may read it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    path.chmod(0o640)
    with ThreadPoolExecutor(1) as readers:
        content = readers.submit(path.read_text)
        MAIN.to_json_file(path)
        assert Workspace.from_json(content.result(timeout=10)) == MAIN
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@with_modes
def test_other_models_keep_the_usual_mode(tmp_path: Path) -> None:
    """The file of a model without a key gets the usual mode, and keeps it."""
    path = tmp_path / "cohorts.json"
    CohortList([Cohort("Fans")]).to_json_file(path)
    path.chmod(0o644)
    Cohort("Fans").to_json_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@for_each(
    "organisation", ["organisation_id", "organization_id", "organisationID", "organizationID"]
)
@for_each("workspace", ["workspace_id", "workspaceID"])
@for_each("key", ["api_key", "apiKey", "privateKey"])
def test_spellings(organisation: str, workspace: str, key: str, tmp_path: Path) -> None:
    """from_json accepts every spelling of credentials files, and does not change its argument."""
    data = {"name": "Main", organisation: "org", workspace: "org", key: SECRET, "more": 1}
    before = dict(data)
    assert Workspace.from_json(data) == MAIN
    assert data == before
    path = tmp_path / "workspace.json"
    path.write_text(json.dumps(data))
    assert Workspace.from_json(path) == MAIN
    assert WorkspaceList.from_json([data]) == [MAIN]
    assert WorkspaceList.from_json(json.dumps([data])) == [MAIN]


@for_each("missing", ["name", "organisation_id", "workspace_id", "api_key"])
def test_missing_fields(missing: str) -> None:
    """A missing field is a TypeError that names it and does not show the key."""
    data = {name: value for name, value in MAIN.to_json().items() if name != missing}
    with pytest.raises(TypeError, match=missing) as caught:
        Workspace.from_json(data)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@for_each("text", ['{"apiKey": "sup3r-s3cret"', '["sup3r-s3cret"]'])
def test_broken_text(text: str) -> None:
    """A text that cannot be read is a TypeError. Neither it nor its chained errors show the key."""
    with pytest.raises(TypeError) as caught:
        Workspace.from_json(text)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


WITHOUT_IDS = {"name": "Main", "apiKey": SECRET}


@for_each("kind", [Workspace, WorkspaceList])
@for_each("data", [WITHOUT_IDS, [WITHOUT_IDS], [SECRET]])
def test_no_frame_of_a_reading_error_shows_the_key(kind: Any, data: Any, tmp_path: Path) -> None:
    """Data, a text or a file that cannot be read: no local variable in the error's frames shows the key."""
    text = json.dumps(data)
    path, cut_path = tmp_path / "workspaces.json", tmp_path / "cut.json"
    path.write_text(text)
    cut_path.write_text(text[:-1])
    for each in (data, text, text[:-1], path, cut_path):
        with pytest.raises(TypeError) as caught:
            kind.from_json(each)
        assert SECRET not in str(frames_below(caught))
        assert SECRET not in str(arguments_in_frames(caught.value)[1:])


@for_each("secret", SECRETS)
def test_no_frame_of_a_writing_error_shows_the_key(secret: Any, tmp_path: Path) -> None:
    """If the file cannot be written, no local variable in the error's frames shows the key."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "workspaces.json"):
        with pytest.raises(OSError) as caught:
            secret.to_json_file(path)
        assert SECRET not in str(frames_below(caught))


def frames_below(caught: pytest.ExceptionInfo[BaseException]) -> List[Any]:
    """Return the local variables of an error's frames, without the test's own."""
    return [each.frame.f_locals for each in inspect.getinnerframes(caught.tb)][1:]


def test_is_top_level() -> None:
    """A workspace is top-level if it has the organisation's id."""
    assert MAIN.is_top_level is True
    assert CHILD.is_top_level is False


def test_master_workspace() -> None:
    """The list names its first top-level workspace."""
    assert WorkspaceList([CHILD, MAIN, Workspace("x", "o", "o", "k")]).master_workspace is MAIN


@for_each("items", [[], [CHILD]])
def test_no_master_workspace(items: List[Workspace]) -> None:
    """Without a top-level workspace it is a ValueError."""
    with pytest.raises(ValueError, match="^No top-level workspace found$"):
        WorkspaceList(items).master_workspace


@for_each("cls", [Workspace, WorkspaceList])
def test_from_env_without_a_file(cls: Any) -> None:
    """If the variable is not set, the error names it."""
    with pytest.raises(ValueError, match="PERMUTIVE_APPLICATION_CREDENTIALS"):
        cls.from_env()


# --- Caches ----------------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """Replace the three lists, and return the arguments of their calls."""
    seen: List[Any] = []

    def replace_list(owner: Any, result: Any) -> None:
        def listing(*args: Any, **kwargs: Any) -> Any:
            seen.append((owner.__name__, args, kwargs))
            return result()

        monkeypatch.setattr(owner, "list", listing)

    replace_list(Cohort, CohortList)
    replace_list(Import, ImportList)
    replace_list(Segment, SegmentList)
    return seen


def test_arguments(calls: List[Any]) -> None:
    """The lists are called with exactly the documented keywords, and once, even if they are empty."""
    workspace = Workspace("Main", "org", "org", SECRET)
    assert isinstance(workspace.cohorts(), CohortList)
    workspace.cohorts(include_details=True)
    assert isinstance(workspace.imports(), ImportList)
    workspace.imports(include_details=True)
    assert isinstance(workspace.segments("i"), SegmentList)
    for again in (workspace.cohorts, workspace.imports, lambda: workspace.segments("i")):
        again()
    cohorts: Dict[str, Any] = {"include_child_workspaces": True, "api_key": SECRET}
    assert calls == [
        ("Cohort", (), {**cohorts, "include_details": False}),
        ("Cohort", (), {**cohorts, "include_details": True}),
        ("Import", (), {"api_key": SECRET, "include_details": False}),
        ("Import", (), {"api_key": SECRET, "include_details": True}),
        ("Segment", (), {"import_id": "i", "api_key": SECRET}),
    ]


def test_positional_arguments(calls: List[Any]) -> None:
    """include_details and force_refresh may be given by position, as before."""
    workspace = Workspace("Main", "org", "org", SECRET)
    workspace.cohorts(True, True)
    workspace.imports(True, True)
    workspace.segments("i", True)
    assert [kwargs.get("include_details") for _, _, kwargs in calls] == [True, True, None]


@dataclass(slots=True)
class SlottedWorkspace(Workspace):
    """A user's subclass of Workspace, with slots."""

    region: str = "eu"


@for_each("again", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies(again: Any) -> None:
    """A deep copy and a pickle equal the workspace, key included."""
    assert again(MAIN) == MAIN
    slotted = SlottedWorkspace("Main", "org", "org", SECRET, region="us")
    assert again(slotted) == slotted
    assert again(WorkspaceList([MAIN])) == [MAIN]


PICKLED_BY_5_4_4 = (
    b"ccopy_reg\n_reconstructor\n(cPermutiveAPI.Workspace\nWorkspace\nc__builtin__\nobject\nNtR"
    b"(dVname\nVMain\nsVorganisation_id\nVorg\nsVworkspace_id\nVorg\nsVapi_key\nVsup3r-s3cret\n"
    b"sV_segment_cache\n(dsV_cohort_cache\n(dsV_import_cache\n(dsb."
)


def test_pickled_by_an_earlier_release(calls: List[Any]) -> None:
    """A workspace that 5.4.4 pickled can list. It starts with empty caches."""
    workspace = pickle.loads(PICKLED_BY_5_4_4)
    assert workspace == MAIN
    workspace.cohorts()
    workspace.imports()
    workspace.segments("i")
    assert len(calls) == 3


# A parent that lists its child's cohorts, and a child that inherits a cohort of the parent and one of an
# unknown workspace.
PARENT_COHORTS = [("p", "org"), ("c", "child")]
CHILD_COHORTS = [("c", "child"), ("p", "org"), ("x", "elsewhere"), ("n", None)]


@pytest.mark.parametrize("reverse", [False, True])
def test_every_cohort_once(monkeypatch: pytest.MonkeyPatch, reverse: bool) -> None:
    """A list of workspaces gives every cohort once, with the workspace that it belongs to."""

    def listed(api_key: str, **arguments: Any) -> CohortList:
        ids = {"main": PARENT_COHORTS, "child": CHILD_COHORTS}[api_key]
        return CohortList(
            [Cohort(f"{id} by {api_key}", id=id, workspace_id=owner) for id, owner in ids]
        )

    monkeypatch.setattr(Cohort, "list", listed)
    main = Workspace("Main", "org", "org", "main")
    child = Workspace("Child", "org", "child", "child")
    workspaces = WorkspaceList([child, main] if reverse else [main, child])
    found = workspaces.cohorts()
    assert sorted((owner.name, each.name) for owner, each in found) == [
        ("Child", "c by child"),
        ("Child", "n by child"),
        ("Child", "x by child"),
        ("Main", "p by main"),
    ]
    assert [each.id for _, each in found] == (
        ["c", "p", "x", "n"] if reverse else ["p", "c", "x", "n"]
    )


def test_a_cohort_of_an_unknown_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cohort of a workspace outside the list comes with the first workspace that lists it; cohorts without an id are all kept."""

    def listed(**arguments: Any) -> CohortList:
        nameless = [Cohort("a"), Cohort("b")]
        return CohortList([Cohort("z", id="z", workspace_id="elsewhere"), *nameless])

    monkeypatch.setattr(Cohort, "list", listed)
    both = [Workspace("One", "o", "1", "k"), Workspace("Two", "o", "2", "k")]
    for workspaces in (WorkspaceList(both), WorkspaceList(both[::-1])):
        found = workspaces.cohorts()
        assert (found[0][0].name, found[0][1].id) == (workspaces[0].name, "z")
        assert len(found) == 1 + 4


def test_every_import_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that a child workspace inherits comes once, with the workspace that it belongs to."""

    def listed(api_key: str, **arguments: Any) -> ImportList:
        inheritance = {"workspace_id": "org", "relation": "ancestor"}
        own = _import("own", None if api_key == "main" else inheritance)
        return ImportList([own] if api_key == "main" else [own, _import("other", None)])

    monkeypatch.setattr(Import, "list", listed)
    main = Workspace("Main", "org", "org", "main")
    child = Workspace("Child", "org", "child", "child")
    found = WorkspaceList([child, main]).imports()
    assert [(owner.name, each.id) for owner, each in found] == [("Main", "own"), ("Child", "other")]
    assert found[0][1].inheritance is None


def _import(id: str, inheritance: Any) -> Import:
    source = Source("s", {}, "t")
    return Import(id, id, id, "3rd", [], source, inheritance=inheritance)


def test_cohorts_use_the_caches_of_the_workspaces(calls: List[Any]) -> None:
    """Details and a forced refresh are passed on to the workspaces, which cache the lists."""
    workspaces = WorkspaceList([Workspace("Main", "org", "org", SECRET)])
    workspaces.cohorts()
    workspaces.cohorts()
    workspaces.cohorts(include_details=True)
    workspaces.cohorts(force_refresh=True)
    assert [arguments["include_details"] for _, _, arguments in calls] == [False, True, False]


def test_imports_use_the_caches_of_the_workspaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports come without details unless they are asked for, and several calls send one request."""
    asked: List[Any] = []

    def listed(**arguments: Any) -> ImportList:
        asked.append(arguments["include_details"])
        return ImportList()

    monkeypatch.setattr(Import, "list", listed)
    workspaces = WorkspaceList([Workspace("Main", "org", "org", SECRET)])
    workspaces.imports()
    workspaces.imports()
    workspaces.imports(include_details=True)
    workspaces.imports(force_refresh=True)
    assert asked == [False, True, False]


def test_a_property_that_fails() -> None:
    """A missing attribute is named, also if a property of a subclass misses it."""

    class Named(Workspace):
        @property
        def label(self) -> Any:
            return getattr(self, "client_name")

    with pytest.raises(AttributeError) as raised:
        Named("n", "o", "w", SECRET).label
    assert (raised.value.name, SECRET in str(raised.value)) == ("client_name", False)
