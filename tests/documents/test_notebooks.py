"""The notebooks of examples/ are programs: every cell runs, and shows its stored output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.documents.markdown import ROOT, name_of

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def outputs_of(notebook: Path) -> Dict[str, List[Any]]:
    """Return what each cell shows: a table as HTML, or else a text. For a picture, only that there is one."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    codes = [cell for cell in cells if cell["cell_type"] == "code"]
    return {cell["id"]: [*map(_shown, cell["outputs"])] for cell in codes}


def _shown(output: Any) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return "image/png"
    return "".join(data.get("text/html", data.get("text/plain", output.get("text", ""))))


def run(notebook: Path, folder: Path) -> str:
    """Run a notebook in a process and a kernel of their own, which write only into a folder; return the errors."""
    names = (
        "HOME",
        "IPYTHONDIR",
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "MPLCONFIGDIR",
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.documents.notebooks", str(notebook)],
        cwd=ROOT,
        env={**os.environ, **dict.fromkeys(names, str(folder))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_there_is_a_notebook() -> None:
    """The search for notebooks finds some, so that the test below can fail."""
    assert ROOT / "examples" / "audiences.ipynb" in NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_a_notebook_shows_what_is_stored(tmp_path: Path, notebook: Path) -> None:
    """Every cell runs in a new kernel without a warning, shows no key, and shows its stored output.

    Without ipywidgets, a progress bar is one of text; tqdm's own warning about that would be one here.
    """
    copy = tmp_path / notebook.name
    shutil.copy(notebook, copy)
    told = run(copy, tmp_path)
    assert "Warning" not in told, told
    assert outputs_of(copy) == outputs_of(notebook)
    keys = [workspace["api_key"] for workspace in Sandbox().credentials()]
    assert not [key for key in keys if key in told + copy.read_text(encoding="utf-8")]
