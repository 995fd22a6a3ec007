"""``python -m PermutiveAPI``: the same as the command ``permutive``."""

import sys

from PermutiveAPI.cli import main

if __name__ == "__main__":
    sys.exit(main())
