"""The command line: ``python -m PermutiveAPI``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    argv : Sequence[str] | None
        Arguments without the program's name; None takes those of the process.
    """
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except ImportError as error:
        # The extra is missing. An error inside this package is raised.
        if (error.name or "PermutiveAPI").startswith("PermutiveAPI"):
            raise
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m PermutiveAPI",
        description="Try the Permutive client without an account.",
        epilog='Both commands need the extra: pip install "PermutiveAPI[sandbox]"',
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    demo = commands.add_parser("demo", help="do a day's work against a sandbox")
    demo.set_defaults(run=_demo)

    sandbox = commands.add_parser("sandbox", help="serve a local Permutive service until Ctrl-C")
    sandbox.set_defaults(run=_sandbox)
    add = sandbox.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=8080, help="port, 0 for a free one (default: %(default)s)")
    add(
        "--latency-ms",
        type=_at_least(0.0, float),
        default=0.0,
        metavar="MS",
        help="delay before each response, in milliseconds (default: %(default)g)",
    )
    add(
        "--rate-limit",
        type=_at_least(1, int),
        metavar="N",
        help="requests accepted a second; the response to more is 429 (default: no limit)",
    )
    add(
        "--page-size",
        type=_at_least(1, int),
        default=20,
        metavar="N",
        help="segments on one page (default: %(default)s)",
    )
    add(
        "--check-queries",
        action=argparse.BooleanOptionalAction,
        help="check and evaluate every query of a cohort, or check none "
        "(default: check those that use the grammar)",
    )
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    from PermutiveAPI._demo import run_demo

    return run_demo()


def _sandbox(arguments: argparse.Namespace) -> int:
    from PermutiveAPI.sandbox import Sandbox
    from PermutiveAPI.sandbox.command import serve

    return serve(
        Sandbox(
            host=arguments.host,
            port=arguments.port,
            latency_seconds=arguments.latency_ms / 1000,
            rate_limit_per_second=arguments.rate_limit,
            page_size=arguments.page_size,
            check_queries=arguments.check_queries,
        )
    )


def _at_least(least: _Number, convert: Callable[[str], _Number]) -> Callable[[str], _Number]:
    def number(text: str) -> _Number:
        try:
            value = convert(text)
        except ValueError:
            value = None
        if value is None or not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a number of {least:g} or more")
        return value

    return number


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0 to 65535")
    return port


if __name__ == "__main__":
    sys.exit(main())
