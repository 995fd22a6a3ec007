"""The limiter zoo: services with rate limits of every kind, and the targets of a batch for each.

``python -m tests.support.limiter_zoo`` simulates all cells, which takes a minute, and prints a row for
each group. ``--seed 7`` gives other random numbers, ``--misses`` names the cells that miss a target.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence

from tests.support.limiter_simulation import (
    CLIENT_SECONDS,
    Bucket,
    Cell,
    ConcurrencyLimit,
    FixedWindow,
    RandomRefusals,
    Service,
    SlidingWindow,
    shortest_seconds,
    simulate,
)

WORKERS = (4, 16, 64)
LATENCIES = (0.0, 0.02, 0.1, 0.3)
FEW_SETTINGS = [(workers, latency) for workers in (4, 64) for latency in (0.02, 0.1)]
ALL_SETTINGS = [(workers, latency) for workers in WORKERS for latency in LATENCIES]
# For a concurrency limit: the share of a request's latency during which the service works on it.
SERVICE_SHARE = 0.6


@dataclass(frozen=True)
class Target:
    """The target of a group of cells. In no cell may a request be lost.

    Parameters
    ----------
    ratio : float
        The time taken, divided by the shortest possible time, in the worst cell.
    median_ratio : float
        The same, in the median cell.
    refused : float
        The share of requests refused after the first refusal came back, without ten of them.
    refused_far : float
        The same with 64 workers, or 300 ms to the service and back.
    """

    ratio: float
    median_ratio: float = 10.0
    refused: float = 1.0
    refused_far: float = 1.0

    def refused_of(self, cell: Cell) -> float:
        """Return the share for a cell."""
        far = cell.workers == 64 or cell.latency >= 0.3
        return max(self.refused, self.refused_far) if far else self.refused


TARGETS: Dict[str, Optional[Target]] = {
    "bucket, burst 10 or more": Target(1.2, refused=0.15, refused_far=0.15),
    "bucket, burst 1": Target(2.4, refused=0.25, refused_far=0.25),
    "bucket, Retry-After too short": Target(2.4, refused=0.25, refused_far=0.25),
    "bucket, Retry-After too long": None,
    "503 with Retry-After": Target(2.4, refused=0.25, refused_far=0.25),
    "fixed window": Target(1.25, refused=0.25, refused_far=0.5),
    "sliding window": Target(1.25, refused=0.25, refused_far=0.5),
    "changing": Target(1.25),
    "random 0.1 %": Target(1.1),
    "random 1 %": Target(1.1),
    "random 5 %": Target(1.3),
    "random 1 %, Retry-After": Target(1.6),
    "8 at once": Target(1.4),
    "two processes": Target(2.1, median_ratio=1.2),
}


def cells() -> List[Cell]:
    """Return the whole zoo."""
    return [*_buckets(), *_unusual_refusals(), *_windows(), *_others()]


def _binds(workers: int, latency: float, rate: float) -> bool:
    """Tell whether so many workers reach the limit at all."""
    return not latency or workers / latency > 1.2 * rate


def _bucket(rate: float, burst: int) -> Callable[[int], Service]:
    return lambda seed: Bucket(rate, burst)


def _buckets() -> Iterator[Cell]:
    for retry_after in ("none", "right", "one"):
        for rate in (2, 10, 50, 300, 1000):
            for burst in (1, 10, 100):
                seconds = 20 if rate <= 50 else 15 if rate == 300 else 10
                size = "burst 1" if burst == 1 else "burst 10 or more"
                for workers, latency in ALL_SETTINGS:
                    if _binds(workers, latency, rate):
                        yield Cell(
                            f"bucket, {size}",
                            f"{rate}/s, burst {burst}",
                            _bucket(rate, burst),
                            burst + max(40, rate * seconds),
                            workers,
                            latency,
                            retry_after,
                        )


def _unusual_refusals() -> Iterator[Cell]:
    kinds = [
        ("zero", 429, "bucket, Retry-After too short"),
        ("short", 429, "bucket, Retry-After too short"),
        ("long", 429, "bucket, Retry-After too long"),
        ("right", 503, "503 with Retry-After"),
        ("one", 503, "503 with Retry-After"),
    ]
    for retry_after, status, group in kinds:
        for rate, burst in ((10, 1), (50, 10), (300, 10)):
            for workers, latency in FEW_SETTINGS:
                if _binds(workers, latency, rate):
                    name, requests = f"{rate}/s, burst {burst}", burst + 20 * rate
                    make = _bucket(rate, burst)
                    yield Cell(group, name, make, requests, workers, latency, retry_after, status)


def _fixed(most: int, seconds: float) -> Callable[[int], Service]:
    return lambda seed: FixedWindow(most, seconds, (0, 0.5, 0.25)[seed % 3] * seconds)


def _sliding(most: int, seconds: float) -> Callable[[int], Service]:
    return lambda seed: SlidingWindow(most, seconds)


def _windows() -> Iterator[Cell]:
    for retry_after in ("none", "right", "one"):
        for most, seconds in ((60, 60), (600, 60), (100, 10)):
            requests = int(most * (2.5 if seconds == 60 else 3.5))
            for workers, latency in ALL_SETTINGS:
                if not _binds(workers, latency, most / seconds):
                    continue
                for kind, make in (("fixed", _fixed), ("sliding", _sliding)):
                    yield Cell(
                        f"{kind} window",
                        f"{most} in {seconds} s",
                        make(most, seconds),
                        requests,
                        workers,
                        latency,
                        retry_after,
                    )


def _at_random(share: float) -> Callable[[int], Service]:
    return lambda seed: RandomRefusals(share, seed + 3)


def _at_once(latency: float) -> Callable[[int], Service]:
    return lambda seed: ConcurrencyLimit(8, SERVICE_SHARE * latency)


def _changing(seed: int) -> Service:
    return Bucket(100, 10, later=((10, 20), (20, 200)))


def _others() -> Iterator[Cell]:
    for workers, latency in ALL_SETTINGS:
        where = (workers, latency)
        for retry_after in ("none", "right"):
            if _binds(workers, latency, 100):
                yield Cell("changing", "100, 20, 200/s", _changing, 3200, *where, retry_after)
            if _binds(workers, latency, 25) and latency in (0.02, 0.1):
                yield Cell(
                    "two processes",
                    "50/s, burst 10",
                    _bucket(50, 10),
                    1010,
                    *where,
                    retry_after,
                    clients=2,
                )
        for retry_after in ("none", "one"):
            if workers > 8 and latency:
                served = 8 / (SERVICE_SHARE * latency)
                yield Cell(
                    "8 at once",
                    "8 at once",
                    _at_once(latency),
                    int(20 * served),
                    *where,
                    retry_after,
                )
        possible = workers / latency if latency else 1 / CLIENT_SECONDS
        requests = int(min(12_000, 20 * possible))
        for share in (0.001, 0.01, 0.05):
            group = f"random {share * 100:g} %"
            yield Cell(group, group, _at_random(share), requests, *where)
        group = "random 1 %, Retry-After"
        yield Cell(group, group, _at_random(0.01), requests, *where, "one")


# --- The table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """The results of a batch in a cell."""

    cell: Cell
    lost: int
    ratio: float
    refused: float

    def misses(self) -> List[str]:
        """Name the targets that were missed."""
        target = TARGETS[self.cell.group]
        missed: List[str] = []
        if self.lost:
            missed.append(f"lost {self.lost}")
        if target is not None and self.ratio > target.ratio:
            missed.append(f"ratio {self.ratio:.2f}")
        if target is not None and self.refused > target.refused_of(self.cell):
            missed.append(f"refused {self.refused:.0%}")
        return missed

    def __str__(self) -> str:
        cell = self.cell
        return (
            f"{cell.group}: {cell.name}, {cell.workers} workers, {cell.latency:g} s, "
            f"Retry-After {cell.retry_after}"
        )


def measured(cell: Cell, seed: int) -> Figures:
    """Simulate a cell."""
    outcome = simulate(cell, seed)
    ratio = outcome.seconds / shortest_seconds(cell, seed)
    return Figures(cell, outcome.lost, ratio, outcome.refused_share)


def by_group(figures: Iterable[Figures]) -> Dict[str, List[Figures]]:
    """Sort figures into their groups."""
    groups: Dict[str, List[Figures]] = defaultdict(list)
    for each in figures:
        groups[each.cell.group].append(each)
    return groups


def table(figures: Iterable[Figures]) -> Iterator[str]:
    """Yield a row for each group."""
    yield f"{'group':32}{'cells':>6}{'lost':>6}{'ratio':>8}{'worst':>7}{'refused':>9}{'worst':>7}{'misses':>8}"
    for group, members in by_group(figures).items():
        ratios = [each.ratio for each in members]
        refused = [each.refused for each in members]
        yield (
            f"{group:32}{len(members):6}{sum(each.lost for each in members):6}"
            f"{median(ratios):8.2f}{max(ratios):7.2f}"
            f"{median(refused):9.1%}{max(refused):7.1%}"
            f"{sum(bool(each.misses()) for each in members):8}"
        )


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Simulate the whole zoo."""
    parser = argparse.ArgumentParser("python -m tests.support.limiter_zoo")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--misses", action="store_true", help="name cells that miss")
    options = parser.parse_args(arguments)
    figures = [measured(cell, options.seed) for cell in cells()]
    print(*table(figures), sep="\n")
    if options.misses:
        for each in figures:
            if missed := each.misses():
                print(f"{each}: {', '.join(missed)}")


if __name__ == "__main__":
    main()
