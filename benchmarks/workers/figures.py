"""What a process that measures hands back: one line of JSON."""

from __future__ import annotations

import json

Figures = dict[str, float]


class NotPossible(Exception):
    """What a subject, or the machine, cannot do."""


def hand_back(figures: Figures) -> None:
    """Print the figures."""
    print(json.dumps({"figures": figures}), flush=True)


def decline(reason: NotPossible) -> None:
    """Print that there are none, and why."""
    print(json.dumps({"not possible": str(reason)}), flush=True)
