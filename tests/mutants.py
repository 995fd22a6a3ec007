"""Random mutants of the package, and whether the tests notice them.

``python -m tests.mutants --seed 1 --count 50`` changes one place at a time in a copy of the project, runs
the tests that cover the place, and prints the changes that no test noticed. The first run, and each
one after a change of the package or its tests, measures with the whole suite which test covers which
line, and keeps that in ``.mutants``. A survivor is either a missing test, or a change that makes no
difference: look at each. It needs git and a POSIX system.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

from coverage import CoverageData

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "PermutiveAPI"
KEPT = ROOT / ".mutants"
COVERAGE, DURATIONS = KEPT / "coverage", KEPT / "tests.xml"

# --- What a mutant is ------------------------------------------------------------------------

OTHER_OPERATORS: Dict[type, Tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitAnd: (ast.BitOr,),
}
# Without these, every test fails at once, or none could.
KEPT_DECORATORS = {"overload", "dataclass", "property", "staticmethod", "classmethod"}
TYPING_CALLS = {"cast", "TypeVar", "ParamSpec", "NewType"}
LOG_CALLS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


@dataclass(frozen=True, order=True)
class Mutant:
    """One change of one place."""

    path: str
    start: int
    end: int
    new: str
    old: str
    line: int
    covered_by: Tuple[int, ...]
    """Whose lines' tests can notice it."""

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.path}:{self.line}: {old}  ->  {new}"


class Finder(ast.NodeVisitor):
    """Finds every mutant of a module."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source
        self.found: List[Mutant] = []
        self._lines: Tuple[int, ...] = ()
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self.visit(ast.parse(source))

    def _replace(self, node: ast.AST, new: "str | ast.expr") -> None:
        place: ast.expr = node  # type: ignore[assignment]  # Expressions and statements have places.
        start = self._starts[place.lineno - 1] + place.col_offset
        end = self._starts[(place.end_lineno or 0) - 1] + (place.end_col_offset or 0)
        old = self.source[start:end].decode()
        text = new if isinstance(new, str) else f"({ast.unparse(new)})"
        self.found.append(
            Mutant(self.path, start, end, text, old, place.lineno, self._lines)
        )

    # Statements

    def visit(self, node: ast.AST) -> None:
        """Look at a node; remember the lines of the statement that it belongs to."""
        if not isinstance(node, ast.stmt):
            return super().visit(node)
        before = self._lines
        body: List[ast.stmt] = getattr(node, "body", [])
        last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        self._lines = tuple(range(node.lineno, max(last, node.lineno) + 1))
        super().visit(node)
        self._lines = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Look at defaults, decorators and the body, not at annotations."""
        names = {ast.unparse(each).split("(")[0] for each in node.decorator_list}
        if "overload" in names:
            return
        self._lines = tuple(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
        for each in node.decorator_list:
            if ast.unparse(each).split("(")[0] not in KEPT_DECORATORS:
                self._replace(each, "(lambda undecorated: undecorated)")
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        self._visit_all(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Look at the body alone."""
        self._visit_all(node.body)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Remove a call; leave docstrings alone."""
        if isinstance(node.value, ast.Call):
            self._replace(node, "pass")
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Remove an assignment to an attribute or an item."""
        if isinstance(node.targets[0], (ast.Attribute, ast.Subscript)):
            self._replace(node, "pass")
        if ast.unparse(node.targets[0]) not in ("__all__", "__slots__"):
            self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Look at the value, not at the annotation."""
        if node.value is not None:
            self.visit(node.value)
            if isinstance(node.target, (ast.Attribute, ast.Subscript)):
                self._replace(node, "pass")

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Change the operator."""
        for other in OTHER_OPERATORS.get(type(node.op), ()):
            changed = copy.copy(node)
            changed.op = other()
            self._replace(node, ast.unparse(changed))
        self.visit(node.value)

    def visit_Return(self, node: ast.Return) -> None:
        """Return None."""
        if node.value is not None:
            if ast.unparse(node.value) != "None":
                self._replace(node.value, "None")
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Do not raise, or raise another kind."""
        self._replace(node, "pass")
        if isinstance(node.exc, ast.Call):
            self._replace(node.exc.func, "RuntimeError")
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """Catch something else, or one kind less."""
        if isinstance(node.type, ast.Tuple):
            for each in node.type.elts:
                rest = [other for other in node.type.elts if other is not each]
                self._replace(node.type, ast.Tuple(rest, ast.Load()))
        elif node.type is not None:
            self._replace(node.type, "ZeroDivisionError")
        self._visit_all(node.body)

    def visit_Continue(self, node: ast.Continue) -> None:
        """End the loop."""
        self._replace(node, "break")

    def visit_Break(self, node: ast.Break) -> None:
        """Go on with the loop."""
        self._replace(node, "continue")

    def visit_If(self, node: "ast.If | ast.While | ast.IfExp") -> None:
        """Negate the condition; leave what only type checkers see alone."""
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self._negate(node.test)
            self.generic_visit(node)

    visit_While = visit_IfExp = visit_If

    # Expressions

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """Negate the conditions."""
        for each in node.ifs:
            self._negate(each)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Change the first operator."""
        self._operators(node, node.ops[0])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Change the operator, or leave out an operand."""
        self._operators(node, node.op)
        for each in node.values:
            rest = [other for other in node.values if other is not each]
            self._replace(node, ast.BoolOp(node.op, rest) if rest[1:] else rest[0])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Change the operator."""
        self._operators(node, node.op)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """Leave it out."""
        self._replace(node, node.operand)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Change a number, a text or a truth."""
        if isinstance(node.value, bool):
            self._replace(node, str(not node.value))
        elif isinstance(node.value, (int, float)):
            self._replace(node, repr(node.value + 1))
        elif isinstance(node.value, str):
            self._replace(node, repr(f"XX{node.value}XX"))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Change a text with values in it. Older Pythons do not say where its parts stand."""
        try:
            text = ast.unparse(node)
        except ValueError:  # They cannot write some nested texts either.
            return
        quote = 4 if text[1:4] in ('"""', "'''") else 2
        self._replace(node, f"{text[:quote]}XX{text[quote:]}")

    def visit_Call(self, node: ast.Call) -> None:
        """Leave the wording of log records and the names of types alone."""
        function = ast.unparse(node.func)
        wording = function.split(".")[-1] in LOG_CALLS or function in TYPING_CALLS
        self.visit(node.func)
        self._visit_all(node.args[1:] if wording else node.args)
        self._visit_all(node.keywords)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Leave types alone."""
        if ast.unparse(node.value) != "Literal":
            self.generic_visit(node)

    def _operators(self, node: ast.expr, operator: ast.AST) -> None:
        for other in OTHER_OPERATORS.get(type(operator), ()):
            changed = copy.copy(node)
            if isinstance(changed, ast.Compare):
                changed.ops = [other(), *changed.ops[1:]]
            else:
                setattr(changed, "op", other())
            self._replace(node, changed)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, (ast.Compare, ast.UnaryOp)):  # They have their own.
            self._replace(test, ast.UnaryOp(ast.Not(), test))

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for each in nodes:
            self.visit(each)


# --- Which tests cover it --------------------------------------------------------------------


class Coverage:
    """Which tests cover which lines, and how long each takes."""

    def __init__(self, known: Set[str]) -> None:
        self._data = CoverageData(str(COVERAGE))
        self._data.read()
        self._files = {
            name[name.rindex(f"/{PACKAGE}/") + 1 :]: name
            for name in self._data.measured_files()
        }
        self._known = known
        self.seconds: Dict[str, float] = {}
        for case in ElementTree.parse(DURATIONS).iter("testcase"):
            path = case.attrib["classname"].replace(".", "/") + ".py"
            self.seconds[f"{path}::{case.attrib['name']}"] = float(case.attrib["time"])
            if len(case):  # It failed or was skipped.
                self._known.discard(f"{path}::{case.attrib['name']}")
        self._by_line: Dict[str, Dict[int, Set[str]]] = {}

    def of(self, path: str) -> Dict[int, Set[str]]:
        """Return the tests of each line of a file that was run."""
        if path not in self._by_line and path in self._files:
            found = self._data.contexts_by_lineno(self._files[path])
            self._by_line[path] = {
                line: {each.split("|")[0] for each in contexts} & self._known
                for line, contexts in found.items()
            }
        return self._by_line.get(path, {})

    def tests_of(self, mutant: Mutant) -> List[str]:
        """Return the tests that may notice a mutant, the most promising first."""
        lines = self.of(mutant.path)
        chosen = set().union(*(lines.get(each, ()) for each in mutant.covered_by))
        if not chosen:  # What runs at import counts for whoever uses the module.
            chosen = set().union(*lines.values())
        stem = Path(mutant.path).stem.lower()
        order = sorted(
            chosen, key=lambda test: (stem not in test, self.seconds.get(test, 1), test)
        )
        # Of the many cases of one test, a few come first and the others last.
        cases: Dict[str, int] = {}
        for test in order:
            name = test.split("[")[0]
            cases[test] = cases[name] = cases.get(name, 0) + 1
        return sorted(order, key=lambda test: cases[test] > 3)


# --- Running ---------------------------------------------------------------------------------


def copied() -> Path:
    """Copy the project, without what git ignores, to a new folder."""
    folder = Path(tempfile.mkdtemp(prefix="mutants-"))
    command = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def pytest(folder: Path, *arguments: str, seconds: Optional[float] = None) -> int:
    """Run pytest on a copy; a run that takes too long has failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    # Without bytecode: two changes within one second would be taken for one.
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COVERAGE_FILE": str(COVERAGE),
    }
    with (folder / ".output").open("w") as output:
        running = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            return running.wait(seconds)
        except subprocess.TimeoutExpired:
            return 1
        finally:  # Its children end with it, also after Ctrl-C.
            try:
                os.killpg(running.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            running.wait()


def measure(folder: Path, jobs: int) -> None:
    """Find out which test covers which line, unless nothing has changed since."""
    names = [*(ROOT / PACKAGE).rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    own = Path(__file__).resolve()
    newest = max(each.stat().st_mtime for each in names if each != own)
    if DURATIONS.exists() and DURATIONS.stat().st_mtime > newest:
        return
    print("Measuring which test covers which line ...", flush=True)
    KEPT.mkdir(exist_ok=True)
    options = ["--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
    DURATIONS.unlink(missing_ok=True)
    unfinished = DURATIONS.with_suffix(".part")
    pytest(folder, f"-n{jobs}", *options, f"--junitxml={unfinished}")
    unfinished.rename(DURATIONS)


def collected(folder: Path) -> Set[str]:
    """Return the tests that there are."""
    pytest(folder, "--collect-only")
    return {
        line
        for line in (folder / ".output").read_text().splitlines()
        if line.startswith("tests/") and "::" in line
    }


def survives(
    folder: Path, mutant: Mutant, tests: List[str], coverage: Coverage, budget: float
) -> bool:
    """Tell whether the tests pass with a mutant: the most promising ones, then as many as fit."""
    path = folder / mutant.path
    source = path.read_bytes()
    path.write_bytes(
        source[: mutant.start] + mutant.new.encode() + source[mutant.end :]
    )
    try:
        for part in (tests[:60], tests[60:]):
            chosen: List[str] = []
            needed = 0.0
            for test in part:
                needed += coverage.seconds.get(test, 1)
                if needed <= budget or not chosen:
                    chosen.append(test)
            if chosen and pytest(
                folder, "-x", *chosen, seconds=30 + 3 * min(needed, budget)
            ):
                return False
        return True
    finally:
        path.write_bytes(source)


def candidates(coverage: Coverage, only: Optional[List[str]]) -> Iterator[Mutant]:
    """Return every mutant on a line that some test covers."""
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if only is None or name.endswith(tuple(only)):
            for mutant in sorted(set(Finder(name, path.read_bytes()).found)):
                if any(
                    coverage.of(name).get(line) is not None
                    for line in mutant.covered_by
                ):
                    yield mutant


def main() -> None:
    """Draw a sample, run it and print the survivors."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--count", type=int, default=50, help="how many mutants")
    parser.add_argument("--only", nargs="*", help="in files whose paths end so")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    parser.add_argument(
        "--budget", type=float, default=60, help="seconds of tests for each mutant"
    )
    options = parser.parse_args()
    folders = [copied() for _ in range(options.jobs)]
    try:
        measure(folders[0], options.jobs)
        coverage = Coverage(collected(folders[0]))
        found = list(candidates(coverage, options.only))
        count = min(options.count, len(found))
        sample = sorted(random.Random(options.seed).sample(found, count))
        free: "SimpleQueue[Path]" = SimpleQueue()
        for folder in folders:
            free.put(folder)

        def tried(mutant: Mutant) -> bool:
            folder, tests = free.get(), coverage.tests_of(mutant)
            try:
                lives = survives(folder, mutant, tests, coverage, options.budget)
            finally:
                free.put(folder)
            if lives:
                print(f"{mutant}  ({len(tests)} tests)", flush=True)
            return lives

        print(f"{count} of {len(found)} mutants, seed {options.seed}", flush=True)
        with ThreadPoolExecutor(options.jobs) as pool:
            survivors = sum(pool.map(tried, sample))
        killed = count - survivors
        print(f"killed {killed} of {count}: {killed / max(count, 1):.0%}")
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
