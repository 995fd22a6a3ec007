"""The command ``permutive``: the library's calls as lines of a shell.

Every command is a short function in ``commands``. What they share is beside this file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_WRONG_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments without the program's name. None takes those of the process.
    """
    try:
        from .running import run
    except ModuleNotFoundError as error:
        # An error inside this package is not a missing extra.
        if (error.name or "PermutiveAPI").startswith("PermutiveAPI"):
            raise
        print(
            f"The command needs the package {error.name!r}, which is not installed. "
            'Install the extra: pip install "PermutiveAPI[cli]"',
            file=sys.stderr,
        )
        return _WRONG_USAGE
    return run(argv)
