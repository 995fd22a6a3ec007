"""The table that is printed, and the machine that it holds for."""

from __future__ import annotations

import math
import os
import platform
import ssl
from collections.abc import Iterable
from pathlib import Path

from .lines import LINES, Row
from .running import Result
from .subjects import PACKAGES, PROJECT

_HEADINGS = (
    "line",
    "what",
    *(subject.name for subject in PACKAGES),
    "others and limits",
    "target",
    "met",
)


def machine() -> str:
    """Describe the machine and the Python that runs here."""
    return (
        f"{os.cpu_count()} CPUs ({_processor()}), {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION}"
    )


def listing() -> str:
    """Name every line."""
    return "\n".join(f"{line.name:26}{line.title}" for line in LINES)


def table(results: Iterable[Result]) -> str:
    """Write the figures as Markdown."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    rows += [_cells(result, row) for result in results for row in result.line.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def remarks(results: Iterable[Result]) -> str:
    """Say why figures are missing."""
    return "\n".join(
        f"- {result.line.name}, {name}: {reason}"
        for result in results
        for name, reason in result.failures.items()
    )


def _cells(result: Result, row: Row) -> tuple[str, ...]:
    values = {
        name: row.summary([figures[row.figure] for figures in runs])
        for name, runs in result.runs.items()
        if runs
    }
    packages = [subject.name for subject in PACKAGES]
    others = {name: each for name, each in values.items() if name not in packages}
    if row.ideal is not None:
        others["ideal"] = row.ideal(result.line.settings)
    mine = values.get(PROJECT.name)
    return (
        result.line.name,
        ": ".join(filter(None, (result.line.title, row.label))),
        *(_shown(values.get(name), mine, row, result) for name in packages),
        ", ".join(f"{name} {_shown(each, mine, row, result)}" for name, each in others.items()),
        ", ".join(bound.text for bound in row.bounds),
        _met(values, row) if result.line in LINES else "",
    )


def _shown(value: float | None, mine: float | None, row: Row, result: Result) -> str:
    """Write a figure, and in brackets what multiple of this project's figure it is."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if math.isinf(value):
        return f"> {result.line.settings['limit_seconds']:g} {row.unit}"
    text = f"{value:.{row.digits}f} {row.unit}".strip()
    if not mine or value is mine:
        return text
    times = value / mine
    return f"{text} ({times:.{0 if times >= 100 else 2}f} x)"


def _met(values: dict[str, float], row: Row) -> str:
    """Say whether every bound holds: nothing without bounds, "-" if a figure is missing."""
    if not row.bounds:
        return ""
    try:
        return "yes" if all(bound.holds(values) for bound in row.bounds) else "no"
    except KeyError:
        return "-"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
