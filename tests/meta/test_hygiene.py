"""Rules of the code base that ruff cannot check."""

from __future__ import annotations

import ast
import importlib
import inspect
import logging
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, Iterator, List, Set, Tuple

import PermutiveAPI
from tests.meta.sources import COMMANDS, ROOT, modules, tree_of

LIBRARY = sorted(
    name for name in modules() if name.split(".")[0] != "sandbox" and name not in COMMANDS
)


def run(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run code in a fresh interpreter, with warnings as errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True
    )


def test_import_is_light(tmp_path: Path) -> None:
    """Importing Cohort imports nothing that is heavy or rarely needed: no dependency, no part of the package."""
    heavy = "pandas numpy dotenv click starlette uvicorn html concurrent.futures".split()
    own = "Tables snapshots Audience.Segment Identify.Identity Context Tracking".split()
    own += "answers Identify.Alias _Utils.options _Utils.batch.types _Utils.batch.runner".split()
    own += "_Utils.batch.progress_bar _Utils.batch.stream _Utils.retry.loop".split()
    own += ["_Utils.transport.socks"]
    heavy += [f"PermutiveAPI.{name}" for name in own]
    code = (
        "import sys\nfrom PermutiveAPI import Cohort\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def test_import_says_nothing_and_does_nothing(tmp_path: Path) -> None:
    """Importing the package prints nothing, logs nothing, starts no thread, reads no .env and leaves no file."""
    (tmp_path / ".env").write_text("PERMUTIVE_TIMEOUT_SECONDS=soon\n")
    code = (
        "import logging, threading\n"
        "import PermutiveAPI\n"
        "assert threading.active_count() == 1\n"
        "assert not logging.getLogger().handlers\n"
        "logger = logging.getLogger('PermutiveAPI')\n"
        "assert [type(each) for each in logger.handlers] == [logging.NullHandler]\n"
        "assert logger.level == logging.NOTSET and logger.propagate\n"
        "logger.error('heard by nobody')\n"
    )
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == [tmp_path / ".env"]


LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "log")


def test_logging_is_not_for_the_root_and_lazy() -> None:
    """Every logger has a name, and the text of a record is a literal. ruff checks the other rules."""
    offenders = [
        (name, node.lineno)
        for name in LIBRARY
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in (*LEVELS, "getLogger")
        if is_loose_logging(node, ast.unparse(node.func))
    ]
    assert offenders == []


def is_loose_logging(call: ast.Call, called: str) -> bool:
    """Tell whether a call takes the root logger, or puts the text of a record together itself."""
    if called == "logging.getLogger":
        return not call.args
    of_a_record = called in [f"logger.{level}" for level in LEVELS]
    return of_a_record and not isinstance(call.args[0], ast.Constant)


def test_one_logger() -> None:
    """Every module that logs uses the logger "PermutiveAPI"."""
    for name in LIBRARY:
        module: Any = importlib.import_module(f"PermutiveAPI.{name}".rstrip("."))
        logger = getattr(module, "logger", None)
        assert logger is None or logger is logging.getLogger("PermutiveAPI"), name


# --- Docstrings --------------------------------------------------------------------------------------


def public() -> Iterator[Tuple[str, Any]]:
    """Yield every public class and function of the library's modules, and their public members."""
    for name in LIBRARY:
        module = importlib.import_module(f"PermutiveAPI.{name}".rstrip("."))
        yield module.__name__, module
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{module.__name__}.{attribute}", value
            if inspect.isclass(value):
                for member, inner in vars(value).items():
                    inner = getattr(inner, "__func__", getattr(inner, "fget", inner))
                    if (
                        not member.startswith("_")
                        and inspect.isfunction(inner)
                        and inner.__name__ != "<lambda>"
                    ):
                        yield f"{module.__name__}.{attribute}.{member}", inner


LIKE_A_LIST = {name for name in dir(list) if not name.startswith("_")}
EVERYTHING = dict(public())


def test_docstrings() -> None:
    """Every public name has a docstring, in private modules too."""
    for name, each in EVERYTHING.items():
        if "ResourceList." in name and name.split(".")[-1] in LIKE_A_LIST:
            continue  # Their docstrings are those of list.
        assert inspect.getdoc(each), f"{name} has no docstring"


HEADINGS = {
    "Parameters",
    "Attributes",
    "Returns",
    "Yields",
    "Raises",
    "Examples",
    "Notes",
    "See Also",
    "Warns",
}


def test_numpy_sections() -> None:
    """The sections of docstrings are NumPy's, and no section lists methods."""
    for name, each in EVERYTHING.items():
        for heading, line in pairwise((inspect.getdoc(each) or "").splitlines()):
            if line and set(line) == {"-"}:
                assert heading in HEADINGS, (name, heading)


def test_documented_parameters_exist() -> None:
    """Every parameter that a docstring describes is in the signature."""
    for name, each in EVERYTHING.items():
        if inspect.isroutine(each):
            known = {*inspect.signature(each).parameters}
            assert described_parameters(inspect.getdoc(each) or "") <= known, name


def described_parameters(docstring: str) -> Set[str]:
    """Return the names in a docstring's section "Parameters"."""
    lines = docstring.splitlines()
    described: List[str] = []
    if "Parameters" not in lines:
        return set()
    for line in lines[lines.index("Parameters") + 2 :]:
        if not line or line[0] == "-":
            break
        if line[0] != " ":
            described += [each.strip().lstrip("*") for each in line.split(":")[0].split(",")]
    return set(described)


def test_public_classes_and_errors_are_documented() -> None:
    """Every name at the top level has a docstring of its own."""
    for name in PermutiveAPI.__all__:
        if name != "__version__":
            each = getattr(PermutiveAPI, name)
            own = vars(each).get("__doc__") if isinstance(each, type) else each.__doc__
            assert own, name
    assert "threads" in (PermutiveAPI.__doc__ or "")


def test_modules_say_what_they_are_for() -> None:
    """The docstring of every module begins with one sentence."""
    for name in modules():
        text = ast.get_docstring(tree_of(name))
        assert text, name
        first = text.split("\n\n")[0].replace("\n", " ")
        assert first.endswith((".", ":", "::")), (name, first)


def test_modules_are_short() -> None:
    """Only the listed modules have more than 300 lines, and no module has more than 600."""
    long = {
        name: lines
        for name, path in modules().items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert set(long) <= {
        "Cohort",
        "Segmentation",
        "Tables.plan",
        "Workspace",
        "_Utils.http",
        "_Utils.errors",
        "_Utils.resources.lists",
        "_Utils.codec.encoding",
        "_Utils.batch.runner",
        "_Utils.batch.types",
        "_Utils.retry.loop",
        "_Utils.retry.rate_limit",
        "_Utils.settings",
        "Audience.Segment",
        "Identify.Identity",
        "sandbox.server",
    }
    assert all(lines <= 600 for lines in long.values())
    assert (ROOT / "py.typed").is_file()


def test_functions_are_short() -> None:
    """No function has more than 60 lines without its docstring."""
    long: List[Tuple[str, str, int]] = []
    for name in modules():
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.FunctionDef):
                docstring = (ast.get_docstring(node, clean=False) or "").count("\n")
                lines = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring
                long += [(name, node.name, lines)] if lines > 60 else []
    assert long == []
