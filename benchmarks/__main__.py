"""``python -m benchmarks``: see the package's docstring for what it measures and how."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from . import __doc__ as description
from .lines import LINES, Line
from .report import listing, machine, remarks, table
from .running import Bench, Result
from .subjects import PROJECT, ROOT, Subject, before

Overrides = dict[tuple[str, str], float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen lines, and print the table."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        print(listing())
        return
    known = {name for line in LINES for name in (line.name, line.group)}
    if strangers := set(options.lines) - known:
        parser.error(f"no such line: {', '.join(sorted(strangers))} (see --list)")
    lines = [
        _sized(line, options.quick, dict(options.set))
        for line in LINES
        if not options.lines or {line.name, line.group} & set(options.lines)
    ]
    if options.before is not None:
        lines = [_beside(line, before(options.before.resolve())) for line in lines]
    bench = Bench(options.cache.resolve(), _say)
    bench.prepare(lines)
    results: list[Result] = []
    try:
        for line in lines:
            results.append(bench.measure(line))
    finally:  # After Ctrl-C, too.
        print(f"{machine()}\n\n{table(results)}")
        if reasons := remarks(results):
            print(f"\nNot measured:\n\n{reasons}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("lines", nargs="*", metavar="LINE", help="a line or a group; default: all")
    add("--list", action="store_true", help="name the lines")
    add("--quick", action="store_true", help="take small sizes, and measure each subject once")
    add(
        "--set",
        type=_override,
        action="append",
        default=[],
        metavar="GROUP.SETTING=NUMBER",
        help="change a size, for instance stream.count=100000",
    )
    add(
        "--before",
        type=Path,
        metavar="FOLDER",
        help="also measure another copy of this project, for instance from before a change",
    )
    add(
        "--cache",
        type=Path,
        default=ROOT / ".benchmarks",
        metavar="FOLDER",
        help="where the environments are kept; default: .benchmarks",
    )
    return parser


def _override(text: str) -> tuple[tuple[str, str], float]:
    """Read GROUP.SETTING=NUMBER."""
    name, _, number = text.partition("=")
    group, _, setting = name.partition(".")
    if not any(line.group == group and setting in line.settings for line in LINES):
        raise argparse.ArgumentTypeError(f"no line has the setting {name!r}")
    return (group, setting), float(number) if "." in number else int(number)


def _sized(line: Line, quick: bool, overrides: Overrides) -> Line:
    """Return a line in the sizes that are asked for; the same line if no other size is."""
    if quick:
        line = line.quickly()
    own = {setting: value for (group, setting), value in overrides.items() if group == line.group}
    return replace(line, settings={**line.settings, **own})


def _beside(line: Line, other: Subject) -> Line:
    """Return a line that measures another copy right after this project."""
    if PROJECT not in line.subjects:
        return line
    others = (each for each in line.subjects if each != PROJECT)
    return replace(line, subjects=(PROJECT, other, *others))


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
