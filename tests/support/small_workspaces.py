"""A sandbox with few cohorts, for tests that read the queries of all of them, each with a request."""

from __future__ import annotations

from PermutiveAPI.sandbox import Sandbox

# Football Fans, Premier League Followers, Formula 1 Enthusiasts, Gamers, Cinema Goers, and a lookalike.
GROUP = (12345, 12346, 12347, 12364, 12366, 12371)
# Commuters, Gardeners, and a lookalike.
BRAND = (12374, 12378, 12386)


def leave_few_cohorts(sandbox: Sandbox) -> None:
    """Leave six cohorts of the group and three of its brand."""
    cohorts = sandbox._state.cohorts
    kept = {*GROUP, *BRAND}
    sandbox._state.cohorts = {id: each for id, each in cohorts.items() if each["code"] in kept}
