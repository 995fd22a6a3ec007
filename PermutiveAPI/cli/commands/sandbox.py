"""``permutive sandbox``."""

from __future__ import annotations

from pathlib import Path

import click

from ..options import NumberRange


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option(
    "--latency-ms",
    type=NumberRange(0, 86_400_000),
    default=0.0,
    show_default=True,
    metavar="MS",
    help="Delay before each response, in milliseconds.",
)
@click.option(
    "--rate-limit",
    type=click.IntRange(1),
    metavar="N",
    help="Requests accepted per second; the response to more is 429. Default: no limit.",
)
@click.option(
    "--page-size",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="Segments on one page.",
)
@click.option(
    "--check-queries/--no-check-queries",
    default=None,
    help="Check and evaluate every query of a cohort, or check none. Default: check those that use the "
    "grammar.",
)
@click.option(
    "--control/--no-control",
    default=None,
    help="Let requests below /_sandbox reset it, seed it and make it fail, without a key. Default: only "
    "if it listens on loopback.",
)
@click.option(
    "--seed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Cohorts, imports and segments to start with, as JSON.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep all data in a file, and start with it the next time.",
)
def sandbox(
    host: str,
    port: int,
    latency_ms: float,
    rate_limit: int | None,
    page_size: int,
    check_queries: bool | None,
    control: bool | None,
    seed: Path | None,
    state: Path | None,
) -> int:
    """Serve a local Permutive service until Ctrl-C.

    It prints its address, its keys, and the two lines that point another shell to it.
    """
    from PermutiveAPI.sandbox import Sandbox
    from PermutiveAPI.sandbox.command import serve

    return serve(
        Sandbox(
            host=host,
            port=port,
            latency_seconds=latency_ms / 1000,
            rate_limit_per_second=rate_limit,
            page_size=page_size,
            check_queries=check_queries,
            control=control,
            seed_file=seed,
            state_file=state,
        )
    )
