"""Run notebooks, and store them with their outputs: ``python -m tests.documents.notebooks examples/*.ipynb``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, List

import nbformat
from nbclient import NotebookClient


def main(paths: List[str]) -> None:
    """Run each notebook in a new kernel, and write it back with its outputs."""
    for path in map(Path, paths):
        notebook: Any = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=60, record_timing=False).execute()
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [each for each in cell.outputs if not _is_of_the_moment(each)]
        nbformat.write(notebook, path)


def _is_of_the_moment(output: Any) -> bool:
    """Tell whether an output is a warning or a progress bar. These are shown, and not stored."""
    is_error_stream: bool = output.get("name") == "stderr"
    if is_error_stream:
        sys.stderr.write(output.text)
    return is_error_stream


if __name__ == "__main__":
    main(sys.argv[1:])
