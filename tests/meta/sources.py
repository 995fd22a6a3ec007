"""The package's own source, read as trees."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple

import PermutiveAPI

ROOT = Path(PermutiveAPI.__file__).parent

# `python -m PermutiveAPI` and what it runs: users of the library, not parts of it.
COMMANDS = {"__main__", "_demo"}


class Imported(NamedTuple):
    """An imported name, and whether it is imported when its module is loaded."""

    target: str
    at_module_level: bool


@lru_cache(maxsize=None)
def modules() -> Dict[str, Path]:
    """Return every module of the package, by its dotted name below the package."""
    found: Dict[str, Path] = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


@lru_cache(maxsize=None)
def tree_of(name: str) -> ast.Module:
    """Return a module as a tree."""
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


@lru_cache(maxsize=None)
def imports_of(name: str) -> List[Imported]:
    """Return what a module imports at run time, with the full names of the package's own modules."""
    path = modules()[name]
    package = ("PermutiveAPI." + name).rstrip(".").split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found: List[Imported] = []
    for node, top in _walk(tree_of(name), True):
        if isinstance(node, ast.Import):
            found += [Imported(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, [base, node.module]))
            found += [Imported(f"{source}.{alias.name}", top) for alias in node.names]
    return found


def _walk(node: ast.AST, top: bool) -> Iterator["tuple[ast.AST, bool]"]:
    """Yield the statements in a node, since imports are statements, and whether they are outside of functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        inner = top and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
        yield child, inner
        yield from _walk(child, inner)


@lru_cache(maxsize=None)
def own_imports_of(name: str, at_module_level: bool = False) -> "set[str]":
    """Return the modules of the package that a module imports, at any place or when it is loaded, by their names below it."""
    found = set()
    for target, top in imports_of(name):
        if target.startswith("PermutiveAPI.") and (top or not at_module_level):
            below = target[len("PermutiveAPI.") :]
            while below and below not in modules():
                below = below.rpartition(".")[0]
            found.add(below)
    return found


def foreign_imports_of(name: str) -> "set[str]":
    """Return the other packages' names that a module imports."""
    return {target for target, _ in imports_of(name) if not target.startswith("PermutiveAPI")}


@lru_cache(maxsize=None)
def calls_in(name: str) -> "set[str]":
    """Return every function that a module calls or names, as it is written, for instance time.sleep."""
    nodes = list(ast.walk(tree_of(name)))
    attributes = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    return attributes | {node.id for node in nodes if isinstance(node, ast.Name)}
