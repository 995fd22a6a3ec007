"""The workspace JSON: every spelling, every mistake, and hidden keys."""

from __future__ import annotations

import copy
import inspect
import itertools
import json
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
from rich.pretty import pretty_repr

from PermutiveAPI import (
    Cohort,
    PermutiveBadRequestError,
    PermutiveCredentialsError,
    Workspace,
    WorkspaceList,
)
from PermutiveAPI._Utils.credentials import DEFAULT_API_KEY, HidingKey, resolve_api_key
from PermutiveAPI.sandbox import Sandbox
from tests.support.rows import for_each

VARIABLE = "PERMUTIVE_APPLICATION_CREDENTIALS"
SECRET = "sup3r-s3cret-key"
GOOD: Dict[str, Any] = {
    "name": "Main",
    "organisation_id": "org",
    "workspace_id": "org",
    "api_key": SECRET,
}
CHILD: Dict[str, Any] = {
    "name": "Child",
    "organisation_id": "org",
    "workspace_id": "child",
    "api_key": "child-key",
}

Writer = Callable[[Any], Path]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Writer:
    """Write a credentials file from JSON data or a text, and name it in the environment."""

    def write(content: Any) -> Path:
        path = tmp_path / "workspace.json"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv(VARIABLE, str(path))
        return path

    return write


def pickle_and_back(value: Any) -> Any:
    """Return the value that another process gets."""
    return pickle.loads(pickle.dumps(value))


def everything_about(error: BaseException) -> str:
    """Return everything that an error can show: message, arguments, the whole chain, tracebacks."""
    seen: List[BaseException] = []
    waiting: Iterator[Any] = iter([error])
    texts: List[str] = ["".join(traceback.format_exception(error))]
    pending = list(waiting)
    while pending:
        current = pending.pop()
        if current is None or current in seen:
            continue
        seen.append(current)
        texts += [str(current), repr(current), repr(vars(current))]
        # JSONDecodeError keeps the whole document in an attribute.
        texts.append(str(getattr(current, "doc", "")))
        pending += [current.__cause__, current.__context__]
    return "\n".join(texts)


SPELLINGS = list(
    itertools.product(
        ["organisation_id", "organization_id", "organisationID", "organizationID"],
        ["workspace_id", "workspaceID"],
        ["api_key", "apiKey", "privateKey"],
    )
)


@for_each(("organisation", "workspace", "key"), SPELLINGS)
def test_spellings(credentials: Writer, organisation: str, workspace: str, key: str) -> None:
    """A workspace is read with any of the accepted spellings."""
    credentials({"name": "Main", organisation: "o", workspace: "w", key: SECRET})
    assert Workspace.from_env() == Workspace("Main", "o", "w", SECRET)


def test_several_spellings_of_one_field(credentials: Writer) -> None:
    """If a field has several spellings, its own name wins; an empty value or null does not count."""
    credentials({**GOOD, "apiKey": "another", "workspaceID": "another"})
    assert Workspace.from_env() == Workspace(**GOOD)
    for nothing in ("", None):
        credentials({**GOOD, "api_key": nothing, "apiKey": SECRET, "privateKey": None})
        assert Workspace.from_env() == Workspace(**GOOD)


def test_one_object_or_an_array(credentials: Writer) -> None:
    """The file may contain one object or an array."""
    credentials(GOOD)
    assert WorkspaceList.from_env() == [Workspace(**GOOD)]
    credentials([CHILD, GOOD])
    workspaces = WorkspaceList.from_env()
    assert type(workspaces) is WorkspaceList
    assert workspaces == [Workspace(**CHILD), Workspace(**GOOD)]


def test_default_of_several_is_the_top_level_one(credentials: Writer) -> None:
    """If there are several workspaces, the default is the top-level one."""
    credentials([CHILD, GOOD])
    assert Workspace.from_env() == Workspace(**GOOD)
    assert resolve_api_key(DEFAULT_API_KEY) == SECRET


def test_one_workspace_is_the_default_whatever_its_level(credentials: Writer) -> None:
    """If the file has only one workspace, it is the default."""
    credentials([CHILD])
    assert resolve_api_key(DEFAULT_API_KEY) == "child-key"


def test_several_without_a_top_level_one(credentials: Writer) -> None:
    """If there are several workspaces and none is top-level, the error says why there is no default."""
    path = credentials([CHILD, {**CHILD, "name": "Other", "workspace_id": "other"}])
    with pytest.raises(ValueError) as caught:
        resolve_api_key(DEFAULT_API_KEY)
    assert str(caught.value) == (
        f"No workspace in {VARIABLE} ({path}) is top-level (organisation_id equal to workspace_id), so "
        "there is no default: set PERMUTIVE_API_KEY to the key of one. In Python, you can also pass api_key, "
        "or take one of WorkspaceList.from_env()."
    )
    assert len(WorkspaceList.from_env()) == 2


@for_each(
    ("content", "problem"),
    [
        ("{", " is not valid JSON."),
        ([], " holds no workspace."),
        ([5], ": workspace 0 must be a JSON object, got int."),
    ],
)
def test_what_is_wrong_with_a_file(credentials: Writer, content: Any, problem: str) -> None:
    """The error names the variable, the path, and what is wrong with the file."""
    path = credentials(content)
    with pytest.raises(PermutiveCredentialsError) as caught:
        resolve_api_key(DEFAULT_API_KEY)
    assert str(caught.value) == f"{VARIABLE} ({path}){problem}"


def test_key_of_the_environment_wins(credentials: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """PERMUTIVE_API_KEY wins over the workspace file; spaces around it do not count."""
    credentials(GOOD)
    monkeypatch.setenv("PERMUTIVE_API_KEY", "  of-the-environment ")
    assert resolve_api_key(DEFAULT_API_KEY) == "of-the-environment"
    monkeypatch.setenv("PERMUTIVE_API_KEY", "  ")
    assert resolve_api_key(DEFAULT_API_KEY) == SECRET


@for_each("copied", [copy.copy, copy.deepcopy, pickle_and_back])
def test_left_out_key_stays_one_object(copied: Callable[[Any], Any]) -> None:
    """The default of api_key is an empty text, and stays the same object when it is copied or pickled."""
    assert copied(DEFAULT_API_KEY) is DEFAULT_API_KEY
    assert DEFAULT_API_KEY == ""


@for_each("wrong", [5, b"bytes", ["list"], True])
def test_key_of_a_wrong_kind(wrong: Any) -> None:
    """A key that is not a text is a TypeError that names the argument."""
    with pytest.raises(TypeError, match="api_key"):
        resolve_api_key(wrong)


def test_nothing_resolves_a_key() -> None:
    """Without a key and a variable, the error says what to set."""
    with pytest.raises(ValueError) as caught:
        resolve_api_key(DEFAULT_API_KEY)
    assert str(caught.value) == (
        f"No key is configured: set PERMUTIVE_API_KEY to a key, or {VARIABLE} to the path of your "
        "workspace JSON (in the environment or in .env). In Python, you can also pass api_key."
    )


def test_variable_from_dotenv(credentials: Writer, tmp_path: Path) -> None:
    """The variable may be in .env."""
    path = credentials(GOOD)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE)
        (tmp_path / ".env").write_text(f'{VARIABLE}="{path.as_posix()}"\n')
        assert resolve_api_key(DEFAULT_API_KEY) == SECRET


def test_file_is_read_each_time(credentials: Writer) -> None:
    """A changed file takes effect at the next call."""
    credentials(GOOD)
    assert resolve_api_key(DEFAULT_API_KEY) == SECRET
    credentials({**GOOD, "api_key": "rotated"})
    assert resolve_api_key(DEFAULT_API_KEY) == "rotated"


def test_spaces_and_byte_order_mark(credentials: Writer, tmp_path: Path) -> None:
    """Spaces around a value and a byte order mark do not count."""
    credentials("\ufeff" + json.dumps({**GOOD, "api_key": f" {SECRET}\n"}))
    assert Workspace.from_env() == Workspace(**GOOD)


def test_home_directory(
    monkeypatch: pytest.MonkeyPatch, credentials: Writer, tmp_path: Path
) -> None:
    """A path may begin with ~, the home directory."""
    credentials(GOOD)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "~/workspace.json")
    assert resolve_api_key(DEFAULT_API_KEY) == SECRET


@for_each("name", ["missing.json", "~no-such-user-here/missing.json", "folder", "x" * 5000])
def test_missing_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """A file that cannot be read is a ValueError that names the variable and the path."""
    (tmp_path / "folder").mkdir(exist_ok=True)
    monkeypatch.setenv(VARIABLE, name)
    with pytest.raises(ValueError, match=VARIABLE) as caught:
        Workspace.from_env()
    assert name in str(caught.value)


BROKEN: Dict[str, str] = {
    "cut off": json.dumps(GOOD)[:-1],
    "no JSON": f"apiKey: {SECRET}",
    "trailing comma": json.dumps(GOOD)[:-1] + ",}",
    "empty": "",
}


@for_each("text", BROKEN)
def test_broken_json(credentials: Writer, text: str) -> None:
    """Broken JSON is a ValueError that names the variable and the path, and does not show the key."""
    path = credentials(text)
    with pytest.raises(ValueError) as caught:
        WorkspaceList.from_env()
    assert str(caught.value) == f"{VARIABLE} ({path}) is not valid JSON."
    assert SECRET not in everything_about(caught.value)


def test_utf16(credentials: Writer) -> None:
    """A file that Windows wrote in UTF-16 is read."""
    credentials("").write_text(
        json.dumps({**GOOD, "name": "München"}, ensure_ascii=False), "utf-16"
    )
    assert Workspace.from_env().name == "München"


@for_each("encoding", ["latin-1", "utf-16"])
def test_dotenv_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    """The error names the file, and nothing of it shows the key."""
    path = tmp_path / ".env"
    path.write_text(f"# Schlüssel\nPERMUTIVE_API_KEY={SECRET}\n", encoding)
    with pytest.raises(ValueError) as caught:
        resolve_api_key(DEFAULT_API_KEY)
    assert str(caught.value) == f"{path} is not in UTF-8. Save it in UTF-8."
    assert SECRET not in everything_about(caught.value)


def test_not_utf8(credentials: Writer) -> None:
    """A file in another encoding is a ValueError that names the variable."""
    path = credentials("x")
    path.write_bytes(b'\xff\xfe{"apiKey": "' + SECRET.encode() + b'"}')
    with pytest.raises(ValueError, match=VARIABLE) as caught:
        resolve_api_key(DEFAULT_API_KEY)
    assert SECRET not in everything_about(caught.value)


@for_each("field", list(GOOD))
@for_each("value", ["absent", None, "", "  ", 5, ["x"]])
def test_missing_field(credentials: Writer, field: str, value: Any) -> None:
    """A missing field is a ValueError that names the variable, the path and the field, and does not show the key."""
    record = {**GOOD, field: value}
    if value == "absent":
        del record[field]
    path = credentials([record])
    with pytest.raises(ValueError, match=VARIABLE) as caught:
        resolve_api_key(DEFAULT_API_KEY)
    start = (
        f"{VARIABLE} ({path}): workspace 0 lacks the field {field!r} (a text; accepted as {field}"
    )
    assert str(caught.value).startswith(start)
    assert SECRET not in everything_about(caught.value)


@for_each("name", ["API_KEY", "private_key", "key"])
def test_key_under_a_name_that_is_not_accepted(credentials: Writer, name: str) -> None:
    """A key with a misspelt name is hidden in the frames of the error, which error trackers show, perhaps cut."""
    record = {each: value for each, value in GOOD.items() if value != SECRET}
    credentials([{**record, name: SECRET}])
    with pytest.raises(ValueError, match="lacks the field 'api_key'") as caught:
        WorkspaceList.from_env()
    frames = [each.frame.f_locals for each in inspect.getinnerframes(caught.tb)]
    assert SECRET not in str(frames[1:])
    assert SECRET[:8] not in pretty_repr(frames[1:], max_string=8)


@for_each(
    "content", [SECRET, [SECRET], [[SECRET]], {"name": [SECRET]}, {"name": {"name": [SECRET]}}]
)
def test_a_key_without_a_name(credentials: Writer, content: Any) -> None:
    """So is a text without a name, which may be the key."""
    credentials(json.dumps(content))
    with pytest.raises(ValueError, match=VARIABLE) as caught:
        WorkspaceList.from_env()
    frames = [each.frame.f_locals for each in inspect.getinnerframes(caught.tb)]
    assert SECRET not in str(frames[1:])


@for_each("variable", [VARIABLE, "PERMUTIVE_API_KEY"])
def test_no_frame_of_a_call_shows_the_default_key(
    credentials: Writer, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, variable: str
) -> None:
    """If a call without the argument `api_key` fails, no local variable in the error's frames shows the key."""
    path = credentials(GOOD)
    monkeypatch.setenv(variable, SECRET if variable != VARIABLE else str(path))
    sandbox.fail_next(status=400)
    with pytest.raises(PermutiveBadRequestError) as caught:
        Cohort.list()
    frames = [each.frame.f_locals for each in inspect.getinnerframes(caught.tb)]
    assert any("api_key" in each for each in frames)
    assert SECRET not in str(frames[1:])


@for_each("content", [[], [SECRET], SECRET, 5, None, [[GOOD]]])
def test_content_of_a_wrong_kind(credentials: Writer, content: Any) -> None:
    """A file without workspaces is a ValueError that names the variable and the path."""
    path = credentials(json.dumps(content))
    with pytest.raises(ValueError, match=VARIABLE) as caught:
        WorkspaceList.from_env()
    assert str(path) in str(caught.value)
    assert SECRET not in everything_about(caught.value)


def test_json_in_the_place_of_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the variable contains the JSON itself instead of a path, the error does not show the key."""
    monkeypatch.setenv(VARIABLE, json.dumps({"name": "Main", "apiKey": SECRET}))
    with pytest.raises(ValueError, match=VARIABLE) as caught:
        resolve_api_key(DEFAULT_API_KEY)
    assert SECRET not in everything_about(caught.value)


@for_each("content", ['{"name": "Main"}', '[{"name": "Main"}]', "[]"])
def test_json_is_no_path(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    """If the variable contains an object or an array, the error says that a path is expected."""
    monkeypatch.setenv(VARIABLE, content)
    with pytest.raises(ValueError) as caught:
        WorkspaceList.from_env()
    assert str(caught.value) == (f"{VARIABLE} must be the path of a JSON file, not JSON itself.")


def test_a_path_may_begin_with_any_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path with an unusual beginning is a missing file, and is not mistaken for JSON."""
    for path in ("X:/workspace.json", "x.json", "_", "0.json", "./{.json"):
        monkeypatch.setenv(VARIABLE, path)
        with pytest.raises(ValueError) as caught:
            WorkspaceList.from_env()
        assert path.lstrip("./") in str(caught.value)


def test_no_path() -> None:
    """If the variable is not set, the error says what to set."""
    with pytest.raises(ValueError) as caught:
        WorkspaceList.from_env()
    assert str(caught.value) == (
        f"No workspace is configured: set {VARIABLE} to the path of your workspace JSON "
        "(in the environment or in .env)."
    )


def test_nothing_is_logged(credentials: Writer, caplog: pytest.LogCaptureFixture) -> None:
    """Reading the file does not log the key at any level."""
    caplog.set_level(logging.DEBUG)
    credentials(GOOD)
    Workspace.from_env()
    assert SECRET not in caplog.text


def test_bottomless_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credentials file that is nested too deeply is a ValueError that names the variable and the path."""
    path = tmp_path / "workspace.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(ValueError, match="PERMUTIVE_APPLICATION_CREDENTIALS"):
        Workspace.from_env()


def test_parameters_and_headers_hide_the_key() -> None:
    """The parameters and headers of a call do not show the key, under any of its names."""
    sent = HidingKey({"k": SECRET, "X-API-Key": SECRET, "x-api-key": SECRET, "page": 2})
    shown = {"k": "[REDACTED]", "X-API-Key": "[REDACTED]", "x-api-key": "[REDACTED]", "page": 2}
    assert repr(sent) == repr(shown)
    assert sent["k"] == SECRET
