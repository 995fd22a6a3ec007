"""What a measuring process prints at its end: one line of JSON."""

from __future__ import annotations

import json

Figures = dict[str, float]


class NotPossible(Exception):
    """A measurement that the subject or the machine cannot do."""


def hand_back(figures: Figures) -> None:
    """Print the figures."""
    print(json.dumps({"figures": figures}), flush=True)


def decline(reason: NotPossible) -> None:
    """Print why there are no figures."""
    print(json.dumps({"not possible": str(reason)}), flush=True)
