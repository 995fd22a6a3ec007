"""``permutive demo``."""

import click


@click.command()
def demo() -> int:
    """Do a day's work against a sandbox, without an account."""
    from PermutiveAPI._demo import run_demo

    return run_demo()
