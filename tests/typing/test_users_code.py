"""The users' code runs, and it makes every public call."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Dict, Iterator, List, Set, Tuple, get_type_hints

import pytest

import PermutiveAPI
from PermutiveAPI import Query, Tables, answers, rehearsal, sandbox, snapshots, testing
from PermutiveAPI._Utils.resources.lists import Index
from PermutiveAPI.Query import event, in_segment, prop
from tests.contract.test_names import PATHS
from tests.typing import users_code

SOURCE = Path(users_code.__file__)
TREE = ast.parse(SOURCE.read_text(encoding="utf-8"))

MODULES: List[Any] = [PermutiveAPI, Query, Tables, answers, rehearsal, sandbox, snapshots, testing]

# The classes of what the calls of Query return; users do not name them.
MADE_BY_CALLS = [
    event("a"),
    in_segment(1),
    in_segment(1) & in_segment(2),
    prop("a"),
    prop("a").sum("b"),
    prop("a").is_empty(),
]


def is_own(value: Any) -> bool:
    """Tell whether an object is a class or function of the package."""
    return str(getattr(value, "__module__", "")).startswith("PermutiveAPI")


def public_names() -> Set[str]:
    """Return the names that users import: from the package, from its modules, and from _Utils as in 5.4.4."""
    names = {name for module in MODULES for name in module.__all__}
    for path in (each for each in PATHS if "_Utils" in each):
        public = [name for name in PATHS[path] if name[0] != "_"]
        module = importlib.import_module(path)
        names |= {name for name in public if is_own(getattr(module, name))}
    return names


def public_members() -> Iterator[Tuple[str, Any]]:
    """Yield the methods and properties of the public classes, with their names."""
    classes = [type(each) for each in MADE_BY_CALLS]
    for module in (PermutiveAPI, Query, Tables, rehearsal, sandbox, snapshots):
        found = [getattr(module, name) for name in module.__all__]
        classes += [each for each in found if isinstance(each, type)]
    for cls in classes:
        foreign = [each for each in cls.__mro__ if not is_own(each)]
        for name in dir(cls):
            if name[0] != "_" and not any(hasattr(each, name) for each in foreign):
                yield f"{cls.__name__}.{name}", inspect.getattr_static(cls, name)


def function_of(member: Any) -> Any:
    """Return the function behind a property or a class method; other members as they are."""
    return getattr(member, "fget", None) or getattr(member, "__func__", member)


def public_calls() -> Dict[int, str]:
    """Return the names of all public methods and properties, by the id of their code: code is slow to hash."""
    calls: Dict[int, str] = {}
    for name, member in public_members():
        function = function_of(member)
        abstract = getattr(function, "__isabstractmethod__", False)
        if inspect.isfunction(function) and not abstract:
            calls.setdefault(id(inspect.unwrap(function).__code__), name)
    return calls


def written_names() -> Set[str]:
    """Return every name and attribute in the users' code, without names that are only imported."""
    nodes = list(ast.walk(TREE))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {node.id for node in nodes if isinstance(node, ast.Name)}


def test_every_public_name_is_used() -> None:
    """The users' code uses every name that users can import, and every dictionary of the lists."""
    dictionaries = {
        name.split(".")[1] for name, member in public_members() if isinstance(member, Index)
    }
    assert (public_names() | dictionaries) - written_names() == set()


def test_every_hint_can_be_read() -> None:
    """``typing.get_type_hints``, and so pydantic, typeguard and Sphinx, find every type that a hint names."""
    values = [(name, getattr(module, name)) for module in MODULES for name in module.__all__]
    unknown = {}
    for name, value in [*values, *public_members()]:
        found = inspect.unwrap(function_of(value))
        if isinstance(found, type) or inspect.isfunction(found):
            try:
                get_type_hints(found)
            except NameError as e:
                unknown[name] = str(e)
    assert unknown == {}
    assert get_type_hints(PermutiveAPI.Workspace.imports)["return"] is PermutiveAPI.ImportList
    assert get_type_hints(PermutiveAPI.Segment.plan)["return"] is Tables.Plan


def test_every_public_call_is_made(
    sandbox: sandbox.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The users' code runs from beginning to end, and itself calls every public method and property."""
    credentials = tmp_path / "workspaces.json"
    credentials.write_text(json.dumps(sandbox.credentials()))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(credentials))
    calls, made = public_calls(), set[str]()
    functions = [function_of(member) for _, member in public_members()]
    decorators = {each.__code__ for each in functions if hasattr(each, "__wrapped__")}

    def note_call(frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or id(frame.f_code) not in calls:
            return
        caller = frame.f_back
        while caller and caller.f_code in decorators:
            caller = caller.f_back
        if caller and caller.f_code.co_filename == str(SOURCE):
            made.add(calls[id(frame.f_code)])

    before = sys.getprofile()
    sys.setprofile(note_call)
    try:
        users_code.main(sandbox.api_key, tmp_path)
    finally:
        sys.setprofile(before)
    assert set(calls.values()) - made == set()
