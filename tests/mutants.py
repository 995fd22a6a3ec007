"""Random mutants of the package, and whether the tests notice them.

``python -m tests.mutants --seed 1 --count 50`` changes one place at a time in a copy of the project, runs
the tests that cover the place, and prints the changes that no test noticed. For each of them, either a
test is missing, or the change makes no difference. Which test covers which line is measured with the
whole suite, and kept in ``.mutants`` until the package or a test changes. It needs git and POSIX.

Changes that surely make no difference are not tried: docstrings, types (annotations, and code under
``if TYPE_CHECKING``), ``__all__`` and ``__slots__``, the wording of log records, and the texts of an internal
enum's members if its module never reads ``.value``.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Set, Tuple

from coverage import CoverageData

ROOT = Path(__file__).resolve().parent.parent
COVERAGE, CASES = ROOT / ".mutants" / "coverage", ROOT / ".mutants" / "tests.xml"
MOST_LIKELY = 60  # So many tests run first, and the others only if these notice nothing.
_TOLD_EVERY = 20
NOT_FOUND = 4  # What pytest returns if there is no such test.

# --- Which changes there are -----------------------------------------------------------------

OTHERS: Dict[type, List[type]] = {}
for pair in (
    "Lt-LtE Gt-GtE Lt-GtE Gt-LtE Eq-NotEq Is-IsNot In-NotIn And-Or "
    "Add-Sub Mult-Div FloorDiv-Div Mod-FloorDiv Pow-Mult BitOr-BitAnd"
).split():
    one, other = (getattr(ast, name) for name in pair.split("-"))
    OTHERS.setdefault(one, []).append(other)
    OTHERS.setdefault(other, []).append(one)

# Without one of these, nothing works at all, or nothing changes.
KEPT_DECORATORS = {"dataclass", "property", "staticmethod", "classmethod", "overload"}
# Their first argument is the wording of a record, or a type.
LOGGING = {"debug", "info", "warning", "error", "exception", "critical", "log"}
WORDING = {*LOGGING, "cast", "TypeVar"}


def changes(node: ast.AST) -> Iterator[Tuple[ast.AST, "str | ast.AST"]]:
    """Yield each node that can be replaced, with its replacement."""
    match node:
        case ast.Compare(ops=[first, *rest]):
            for other in OTHERS.get(type(first), ()):
                yield node, changed(node, ops=[other(), *rest])
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator):
            for other in OTHERS.get(type(operator), ()):
                yield node, changed(node, op=other())
        case ast.BoolOp(op=operator, values=operands):
            yield node, changed(node, op=OTHERS[type(operator)][0]())
            for each in operands:
                rest = [other for other in operands if other is not each]
                yield node, changed(node, values=rest) if rest[1:] else rest[0]
        case ast.UnaryOp(operand=operand):
            yield node, operand
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(number) | float(number)):
            yield node, repr(number + 1)
        case ast.Constant(value=str(text)):
            yield node, repr(f"XX{text}XX")
        case ast.JoinedStr(values=parts):
            yield node, changed(node, values=[ast.Constant("XX"), *parts])
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield from negations([test])
        case ast.comprehension(ifs=tests):
            yield from negations(tests)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield value, "None"
        case ast.Raise(exc=error):
            yield node, "pass"
            if isinstance(error, ast.Call):
                yield error.func, "RuntimeError"
        case ast.ExceptHandler(type=ast.Tuple(elts=kinds) as listed):
            for each in kinds:
                rest = [other for other in kinds if other is not each]
                yield listed, changed(listed, elts=rest)
        case ast.ExceptHandler(type=ast.expr() as kind):
            yield kind, "ZeroDivisionError"
        case (
            ast.Expr(value=ast.Call())
            | ast.Assign(targets=[ast.Attribute() | ast.Subscript()])
            | ast.AnnAssign(target=ast.Attribute(), value=ast.expr())
        ):
            yield node, "pass"
        case ast.Continue() | ast.Break():
            yield node, "break" if isinstance(node, ast.Continue) else "continue"
        case ast.FunctionDef(decorator_list=decorators):
            for each in decorators:
                if name_of(each) not in KEPT_DECORATORS:
                    yield each, "(lambda undecorated: undecorated)"


def changed(node: Any, **fields: Any) -> ast.AST:
    """Return a copy of a node with other fields."""
    result = copy.copy(node)
    vars(result).update(fields)
    return result


def negations(tests: Iterable[ast.expr]) -> Iterator[Tuple[ast.AST, ast.AST]]:
    """Yield the opposite of conditions; comparisons and "not" have changes of their own."""
    for each in tests:
        if not isinstance(each, (ast.Compare, ast.UnaryOp)):
            yield each, ast.UnaryOp(ast.Not(), each)


def name_of(called: ast.expr) -> str:
    """Return the last part of the name of a called function."""
    return ast.unparse(called).partition("(")[0].rpartition(".")[2]


def children(node: ast.AST) -> Iterable[ast.AST]:
    """Return the parts of a node that are worth changing: no docstrings, no types, no texts of log records."""
    match node:
        case ast.FunctionDef(decorator_list=[ast.Name(id="overload")]):
            return ()
        case ast.FunctionDef(args=arguments, body=body):
            return [*arguments.defaults, *filter(None, arguments.kw_defaults), *body]
        case ast.ClassDef(body=body):
            return body
        case (
            ast.Expr(value=ast.Constant())
            | ast.JoinedStr()
            | ast.Subscript(
                value=ast.Name(id="Literal" | "list" | "tuple" | "dict" | "Callable" | "Generator")
            )
            | ast.Assign(targets=[ast.Name(id="__all__" | "__slots__")])
            | ast.If(test=ast.Name(id="TYPE_CHECKING"))
        ):
            return ()
        case ast.AnnAssign(value=value):
            return [value] if value else ()
        case ast.Call(func=function, args=arguments, keywords=keywords):
            skipped = 1 if name_of(function) in WORDING else 0
            return [function, *arguments[skipped:], *keywords]
    return ast.iter_child_nodes(node)


def is_never_shown(member: ast.AST, owner: ast.AST, path: str, source: bytes) -> bool:
    """Tell whether a text is the value of an internal enum's member, which is only for readers of the code."""
    return (
        isinstance(owner, ast.ClassDef)
        and any(name_of(base) == "Enum" for base in owner.bases)
        and "/_Utils/" in path
        and b".value" not in source
        and isinstance(member, ast.Assign)
        and isinstance(member.value, ast.Constant)
        and isinstance(member.value.value, str)
    )


class Mutant(NamedTuple):
    """A change of one place."""

    path: str
    line: int
    start: int
    end: int
    old: str
    new: str
    lines: Tuple[int, ...]
    """The lines whose tests may notice it: those of the statement, or of the whole function if it is in its head."""
    owner: str
    """The class that it is in."""
    at_import: bool
    """Whether it runs at the import of its module, outside of functions."""

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{self.path}:{self.line}: {old}  ->  {new}"


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yield every mutant of a module."""
    source = (ROOT / path).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def found(node: Any, lines: Tuple[int, ...], owner: str, at_import: bool) -> Iterator[Mutant]:
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno
            lines = tuple(range(node.lineno, max(node.lineno, last or 0) + 1))
        if isinstance(node, ast.FunctionDef):
            lines = tuple(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
            at_import = False
        if isinstance(node, ast.ClassDef):
            owner = node.name
        for place, new in changes(node):
            at: Any = place
            start = starts[at.lineno - 1] + at.col_offset
            end = starts[at.end_lineno - 1] + at.end_col_offset
            old = source[start:end].decode()
            if isinstance(new, ast.AST):
                text = ast.unparse(new)
                new = text if isinstance(new, ast.stmt) else f"({text})"
            yield Mutant(path, at.lineno, start, end, old, new, lines, owner, at_import)
        for child in children(node):
            if is_never_shown(child, node, path, source):
                continue
            yield from found(child, lines, owner, at_import)

    yield from found(ast.parse(source), (), "", True)


# --- Which tests cover them ------------------------------------------------------------------


def node_id_of(case: ElementTree.Element) -> str:
    """Return pytest's id of a test case in a report."""
    module, *classes = case.get("classname", "").split(".Test")
    path = module.replace(".", "/") + ".py"
    return "::".join([path, *(f"Test{each}" for each in classes), case.get("name", "")])


def words_of(mutant: Mutant) -> Set[str]:
    """Return the words in a mutant's code, since a test's name often has one of them, for instance "fork"."""
    return set(re.findall("[a-z]{4,}", mutant.old.lower()))


class Coverage:
    """Which tests cover which line, and how long each takes."""

    def __init__(self) -> None:
        self._data = CoverageData(str(COVERAGE))
        self._data.read()
        self._files = {
            name[name.rindex("/PermutiveAPI/") + 1 :]: name for name in self._data.measured_files()
        }
        self.seconds = {
            node_id_of(case): float(case.get("time", 0))
            for case in ElementTree.parse(CASES).iter("testcase")
            if not len(case)  # Tests that failed or were skipped say nothing.
        }
        self._known: Dict[str, Dict[int, Set[str]]] = {}
        self._lines: Counter[str] = Counter()
        """How many lines each test covers, in the modules that were read."""

    def of(self, path: str) -> Dict[int, Set[str]]:
        """Return the tests of each line of a module that was run."""
        if path not in self._known:
            lines = self._data.contexts_by_lineno(self._files.get(path, path))
            self._known[path] = {
                line: {each.partition("|")[0] for each in tests} & self.seconds.keys()
                for line, tests in lines.items()
            }
            for tests in self._known[path].values():
                self._lines.update(tests)
        return self._known[path]

    def tests_of(self, mutant: Mutant) -> List[str]:
        """Return the tests that may notice a mutant, the most likely first."""
        lines = self.of(mutant.path)
        tests = set[str]().union(*(lines.get(each, ()) for each in mutant.lines))
        if mutant.at_import or not tests:
            # The test that imported the module first need not notice it. Any test that uses the module
            # or the class may. The same is true for a function that runs only at the import.
            tests = tests.union(*lines.values(), self._naming(mutant.owner))
        words = {Path(mutant.path).stem.lower()}
        if mutant.at_import:
            words |= words_of(mutant)
            # Some tests run the module in another process, where nothing is measured.
            tests = tests.union(test for test in self.seconds if any(map(test.__contains__, words)))
        likely = {test for test in tests if any(map(test.__contains__, words))}
        # First quick tests, and tests that cover few lines, since they check these more closely.
        order = sorted(
            tests, key=lambda test: (test not in likely, self.seconds[test] * self._lines[test])
        )
        # Of a test with many cases, three come first and the others last. But for code that runs at the
        # import, such as a row of a table, any of the cases may be the right one.
        early = likely if mutant.at_import else set[str]()
        cases: Dict[str, int] = {}
        late: Dict[str, bool] = {}
        for test in order:
            name = test.partition("[")[0]
            cases[name] = cases.get(name, 0) + 1
            late[test] = cases[name] > 3 and test not in early
        return sorted(order, key=lambda test: late[test])

    def _naming(self, owner: str) -> Set[str]:
        """Return the tests in files that name a class."""
        files = {test.partition("::")[0] for test in self.seconds if owner}
        naming = {each for each in files if owner in (ROOT / each).read_text()}
        return {test for test in self.seconds if test.partition("::")[0] in naming}

    def chosen(self, tests: List[str], budget: float) -> Tuple[List[str], float]:
        """Return as many tests as fit into so many seconds, at least one, and how long they take."""
        chosen, needed = tests[:1], sum(self.seconds[test] for test in tests[:1])
        for test in tests[1:]:
            if needed + self.seconds[test] <= budget:
                chosen.append(test)
                needed += self.seconds[test]
        return chosen, needed


# --- Running them ----------------------------------------------------------------------------


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


def pytest(folder: Path, *arguments: str, seconds: "float | None" = None) -> int:
    """Run pytest on a copy; a run that takes too long has failed."""
    running = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(folder),
            # Without bytecode: it would hide the second of two changes within a second.
            "PYTHONDONTWRITEBYTECODE": "1",
            "COVERAGE_FILE": str(COVERAGE),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return running.wait(seconds)
    except subprocess.TimeoutExpired:
        return 1
    finally:  # Also ends its children.
        try:
            os.killpg(running.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        running.wait()


def measure(folder: Path, jobs: int) -> None:
    """Find out which test covers which line."""
    print("Measuring which test covers which line ...", flush=True)
    COVERAGE.parent.mkdir(exist_ok=True)
    report = CASES.with_suffix(".part")
    options = ["--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
    pytest(folder, f"-n{jobs}", *options, f"--junitxml={report}")
    report.rename(CASES)


def is_measured() -> bool:
    """Tell whether the measurement is newer than the package and the tests."""
    folders = (ROOT / "PermutiveAPI", ROOT / "tests")
    files = [each for folder in folders for each in folder.rglob("*.py")]
    newest = max(each.stat().st_mtime for each in files if each != Path(__file__))
    return CASES.exists() and CASES.stat().st_mtime > newest


def survives(folder: Path, mutant: Mutant, coverage: Coverage, budget: float) -> bool:
    """Tell whether no test notices a mutant. One that runs for ever counts as noticed."""
    path = folder / mutant.path
    source = path.read_bytes()
    new = mutant.new.encode()
    path.write_bytes(source[: mutant.start] + new + source[mutant.end :])
    tests = coverage.tests_of(mutant)
    try:
        for part in (tests[:MOST_LIKELY], tests[MOST_LIKELY:]):
            chosen, needed = coverage.chosen(part, budget)
            limit = 30 + 3 * needed
            code = pytest(folder, "-x", *chosen, seconds=limit) if chosen else 0
            if code == NOT_FOUND:  # The mutant has renamed a test case.
                names = dict.fromkeys(test.partition("[")[0] for test in chosen)
                code = pytest(folder, "-x", *names, seconds=limit)
            if code:
                return False
        return True
    finally:
        path.write_bytes(source)


def main() -> None:
    """Draw a sample, try it and print the survivors."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description="Try random mutants."
    )
    add = parser.add_argument
    add("--seed", type=int, default=1, help="of the sample")
    add("--count", type=int, default=50, help="how many mutants to try")
    add("--only", nargs="*", default=[""], help="only files whose paths end with one of these")
    add("--jobs", type=int, default=1, help="how many at a time")
    add("--budget", type=float, default=60, help="seconds of tests for a mutant")
    add("--reuse", action="store_true", help="reuse the last measurement, even if it is old")
    options = parser.parse_args()
    folders = [copied() for _ in range(options.jobs)]
    free: "SimpleQueue[Path]" = SimpleQueue()
    for folder in folders:
        free.put(folder)
    try:
        if not (options.reuse or is_measured()):
            measure(folders[0], options.jobs)
        coverage = Coverage()
        candidates = [
            mutant
            for path in sorted((ROOT / "PermutiveAPI").rglob("*.py"))
            if (name := path.relative_to(ROOT).as_posix()).endswith(tuple(options.only))
            for mutant in sorted(set(mutants_of(name)))
            if coverage.of(name).keys() & set(mutant.lines)
        ]
        count = min(options.count, len(candidates))
        # In random order, so that the part that is done is a sample, too.
        sample = random.Random(options.seed).sample(candidates, count)
        print(f"{count} of {len(candidates)} mutants, seed {options.seed}", flush=True)

        def tried(mutant: Mutant) -> bool:
            folder = free.get()
            lives = survives(folder, mutant, coverage, options.budget)
            free.put(folder)
            if lives:
                print(mutant, flush=True)
            return lives

        killed = done = 0
        with ThreadPoolExecutor(options.jobs) as pool:
            for done, lives in enumerate(pool.map(tried, sample), start=1):
                killed += not lives
                if done % _TOLD_EVERY == 0 and done < count:
                    print(f"killed {killed} of {done} so far", flush=True)
        print(f"killed {killed} of {done} ({killed / max(done, 1):.0%})")
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
