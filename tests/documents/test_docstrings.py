"""Docstrings are programs: every example in them runs, and every public name has an example."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

import PermutiveAPI
from PermutiveAPI import Query, Tables, answers, rehearsal, sandbox, snapshots, testing
from PermutiveAPI._Utils.retry import rate_limit
from PermutiveAPI.sandbox import Sandbox

ROOT = Path(PermutiveAPI.__file__).parents[1]
# The modules that hold examples.
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "PermutiveAPI").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)

PUBLIC = (PermutiveAPI, Query, Tables, answers, rehearsal, sandbox, snapshots, testing)

# The examples may use the public names, and ``sandbox``, the running sandbox.
NAMES: Dict[str, Any] = {
    name: getattr(module, name)
    for module in (Query, Tables, sandbox, PermutiveAPI)
    for name in module.__all__
    if name != "from_json"
}

# Names without an example, and why.
WITHOUT_EXAMPLE = {
    **dict.fromkeys(
        "Classifications ClassifiedCategory ClassifiedKeyword ContextualData NamedCohort"
        " SegmentationState".split(),
        "part of another dictionary, whose example shows it",
    )
}


def examples_of(name: str) -> List[doctest.DocTest]:
    """Return the docstrings of a module that hold examples."""
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    return [each for each in found if each.examples]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(
    name: str, fresh_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every docstring example prints what it says, with the first data of a sandbox, and its key."""
    runner = doctest.DocTestRunner()
    credentials = tmp_path / "workspace.json"
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(credentials))
    credentials.write_text(json.dumps(fresh_sandbox.credentials()))
    for each in examples_of(name):
        each.globs = {**NAMES, **each.globs, "sandbox": fresh_sandbox}
        rate_limit.forget_all()
        fresh_sandbox.reset()
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", fresh_sandbox.base_url)
        runner.run(each)
    assert runner.summarize().failed == 0


def test_there_are_examples() -> None:
    """The search for examples finds some, so that the test above can fail."""
    assert sum(len(examples_of(name)) for name in MODULES) >= 100


def public_callables() -> Iterator[Tuple[str, List[Any]]]:
    """Yield every public class, function and method; a method together with those that it overrides."""
    for module in PUBLIC:
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isclass(found):
                yield name, [found]
                yield from ((f"{name}.{each}", method) for each, method in methods_of(found))
            elif inspect.isroutine(found):
                yield name, [found]
    for function in (Query.event, Query.prop, Query.engaged_time, Query.has_entered):
        made: Any = inspect.get_annotations(function, eval_str=True)["return"]
        yield from ((f"{made.__name__}.{each}", method) for each, method in methods_of(made))


def methods_of(cls: Any) -> Iterator[Tuple[str, List[Any]]]:
    """Yield the public methods of a class that this package defines."""
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        function = getattr(method, "__func__", method)
        code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
        ours = "PermutiveAPI" in getattr(code, "co_filename", "")
        if not name.startswith("_") and inspect.isfunction(function) and ours:
            yield name, [vars(each)[name] for each in cls.__mro__ if name in vars(each)]


def has_example(found: List[Any]) -> bool:
    """Tell whether one of the docstrings holds an example."""
    parser = doctest.DocTestParser()
    return any(parser.get_examples(each.__doc__ or "") for each in found)


def test_every_public_name_has_an_example() -> None:
    """Every public class, method and function has an example of its use."""
    without = {name for name, found in public_callables() if not has_example(found)}
    assert sorted(without - set(WITHOUT_EXAMPLE)) == []
    assert sorted(set(WITHOUT_EXAMPLE) - without) == []
