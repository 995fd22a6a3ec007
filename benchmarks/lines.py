"""The lines of the table: what is measured, for which subjects, at which size, and the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median_low

from .service import PAGE, FarEnd
from .subjects import (
    CONSTANT_RATE,
    HTTP_CLIENT,
    JSON,
    LATEST_CLIENT,
    PACKAGES,
    PANDAS,
    PROJECT,
    REQUESTS,
    SEED,
    THREADS,
    URLLIB3,
    URLLIB3_WITH_TIMEOUT,
    WITH_DASK,
    Subject,
)

Settings = Mapping[str, float]
Values = Mapping[str, float]
"""The figure of each subject, by its name."""


@dataclass(frozen=True)
class Bound:
    """A target, in words and as a test of the values."""

    text: str
    holds: Callable[[Values], bool]


@dataclass(frozen=True)
class Row:
    """One figure of a measurement.

    Parameters
    ----------
    label : str
        What it is; printed after the line's title.
    figure : str
        Its name among the figures that the measurement returns.
    bounds : tuple of Bound
        The targets; all must be met.
    ideal : callable, optional
        Calculates from the settings the best value that is possible.
    summary : callable
        Makes one value from those of several runs: the median, or the worst for what must never happen.
    """

    label: str
    figure: str
    unit: str
    digits: int
    bounds: tuple[Bound, ...]
    ideal: Callable[[Settings], float] | None = None
    summary: Callable[[Sequence[float]], float] = median_low


@dataclass(frozen=True)
class Line:
    """One measurement.

    Parameters
    ----------
    name : str
        A group, or a group and a variant with a slash between them.
    what : str
        What it measures, with settings in braces.
    measurement : str
        The function in workers/measurements.py.
    settings, quick : mapping
        The arguments of that function, and those that differ with ``--quick``.
    repetitions : int
        How often each subject is measured; an odd number, so that the median is a measured value.
    """

    name: str
    what: str
    measurement: str
    subjects: tuple[Subject, ...]
    rows: tuple[Row, ...]
    settings: Settings = field(default_factory=dict[str, float])
    quick: Settings = field(default_factory=dict[str, float])
    far_end: FarEnd = FarEnd()
    repetitions: int = 3

    @property
    def group(self) -> str:
        """The part of the name before the slash."""
        return self.name.partition("/")[0]

    @property
    def title(self) -> str:
        """What it measures, with its size."""
        return self.what.format(**self.settings)

    def quickly(self) -> Line:
        """Return the line with small sizes, which measures each subject once."""
        return replace(self, settings={**self.settings, **self.quick}, repetitions=1)


def _at_most(limit: float) -> Bound:
    return Bound(f"≤ {limit:g}", lambda by: by[PROJECT.name] <= limit)


def _at_least(limit: float) -> Bound:
    return Bound(f"≥ {limit:g}", lambda by: by[PROJECT.name] >= limit)


def _at_most_times(factor: float, of: Subject) -> Bound:
    text = f"≤ {factor:g} x {of.name}"
    return Bound(text, lambda by: by[PROJECT.name] <= factor * by[of.name])


def _at_least_times(factor: float, of: Subject) -> Bound:
    text = f"≥ {factor:g} x {of.name}"
    return Bound(text, lambda by: by[PROJECT.name] >= factor * by[of.name])


def _times_less(factor: float, than: Subject) -> Bound:
    text = f"{factor:g} x less than {than.name}"
    return Bound(text, lambda by: by[PROJECT.name] * factor <= by[than.name])


_NONE = Bound("0", lambda by: by[PROJECT.name] == 0)
_ONE = Bound("1", lambda by: by[PROJECT.name] == 1)
_YES = Bound("yes", lambda by: bool(by[PROJECT.name]))

# --- What several lines share --------------------------------------------------------------------

_SLOW = FarEnd(latency_seconds=0.02)
_SILENT = FarEnd(latency_seconds=60)
_SOME_COHORTS = FarEnd(cohorts=1000)
_MANY_COHORTS = FarEnd(cohorts=50_000)
_MANY_SEGMENTS = FarEnd(segments=200_000)
_BURST = 20

_COHORTS = {"count": 100_000}
_FEW_COHORTS = {"count": 10_000}

_INTERRUPTED = (
    Row("seconds until it ended", "seconds", "s", 2, (_at_most(1),)),
    Row("requests sent after it", "sent_after", "", 0, (_NONE,), summary=max),
    Row("threads left", "threads_left", "", 0, (_NONE,), summary=max),
)


def _limited(
    name: str,
    limit: str,
    far_end: FarEnd,
    shortest: Callable[[Settings], float],
    ratio: float,
    refused_percent: float,
    *,
    rate: float,
    requests: int,
    few: int,
    workers: int = 16,
) -> Line:
    """Return the line of a rate limit; the target is `ratio` times the shortest possible time."""

    def in_time(settings: Settings) -> float:
        return ratio * shortest(settings)

    settings = {"requests": requests, "workers": workers, "rate": rate}
    bound = round(in_time(settings), 1)
    return Line(
        f"limited/{name}",
        f"{{requests}} requests, {{workers}} workers, {limit}",
        "limited",
        (*PACKAGES, LATEST_CLIENT, CONSTANT_RATE),
        (
            Row("seconds", "seconds", "s", 1, (_at_most(bound),), shortest),
            Row("refused", "refused_percent", "%", 0, (_at_most(refused_percent),)),
            Row("lost", "lost", "", 0, (_NONE,), summary=max),
        ),
        settings,
        {"requests": few},
        far_end,
        repetitions=1,  # The limit decides the time, not the machine.
    )


def _bucket(workers: int, retry_after: int | None, ratio: float, refusal: str = "") -> Line:
    """Return the line of a bucket of 100 a second."""
    words = "" if retry_after is None else f", Retry-After {retry_after}"
    status = {"refusal": refusal} if refusal else {}
    return _limited(
        f"{workers}{'/503' if refusal else '/retry-after' if retry_after else ''}",
        f"100/s, burst {_BURST}{', 503' if refusal else ''}{words}",
        FarEnd(0.0, 100, _BURST, retry_after, **status),
        lambda settings: (settings["requests"] - _BURST) / 100,
        ratio,
        15,
        rate=100,
        requests=1000,
        few=200,
        workers=workers,
    )


def _slow_bucket(retry_after: int | None) -> Line:
    """Return the line of a bucket of 10 a second that holds one request."""
    words = "" if retry_after is None else f", Retry-After {retry_after}"
    return _limited(
        f"slow{'/retry-after' if retry_after else ''}",
        f"10/s, burst 1{words}",
        FarEnd(0.0, 10, 1, retry_after),
        lambda settings: (settings["requests"] - 1) / 10,
        1.5,
        25,
        rate=10,
        requests=200,
        few=30,
    )


def _processes(number: int, *bounds: Bound) -> Line:
    """Return the line of a pool of processes, whose requests take 150 µs of CPU each."""
    return Line(
        f"processes/{number}",
        "Requests a second of 150 µs of CPU each, ProcessPoolExecutor({processes})",
        "processes",
        (PROJECT, THREADS),
        (Row("", "per_second", "/s", 0, bounds),),
        {"requests": 40_000, "processes": number},
        {"requests": 4000},
    )


def _dask(number: int, *bounds: Bound) -> Line:
    """Return the same for a cluster of Dask."""
    return Line(
        f"dask/{number}",
        "Requests a second of 150 µs of CPU each, Dask LocalCluster of {processes} workers",
        "dask",
        (WITH_DASK,),
        (Row("", "per_second", "/s", 0, bounds),),
        {"requests": 40_000, "processes": number},
        {"requests": 4000},
    )


# --- The lines -----------------------------------------------------------------------------------

LINES = (
    Line(
        "cpu",
        "CPU a batch request, {workers} workers, no latency",
        "batch",
        (*PACKAGES, LATEST_CLIENT, URLLIB3, URLLIB3_WITH_TIMEOUT, HTTP_CLIENT),
        (
            Row(
                "",
                "cpu_milliseconds",
                "ms",
                2,
                (
                    _at_most_times(1.15, URLLIB3),
                    _times_less(4, SEED),
                    _times_less(1.7, LATEST_CLIENT),
                ),
            ),
        ),
        {"requests": 4000, "workers": 8, "warm_up": 200},
        {"requests": 400},
        repetitions=5,
    ),
    Line(
        "throughput",
        "Requests a second, {workers} workers, 20 ms latency",
        "batch",
        (*PACKAGES, LATEST_CLIENT, URLLIB3),
        (
            Row(
                "",
                "per_second",
                "/s",
                0,
                (
                    _at_least_times(0.95, URLLIB3),
                    _at_least_times(1.4, LATEST_CLIENT),
                    _at_least_times(3, SEED),
                ),
                lambda settings: settings["workers"] / _SLOW.latency_seconds,
            ),
        ),
        {"requests": 4000, "workers": 32, "warm_up": 200},
        {"requests": 400},
        _SLOW,
        repetitions=5,
    ),
    Line(
        "connections",
        "Connections for {requests} requests, {workers} workers",
        "batch",
        (*PACKAGES, LATEST_CLIENT, URLLIB3),
        (Row("", "connections", "", 0, (_at_most(16),), summary=max),),
        {"requests": 1000, "workers": 16, "warm_up": 0},
    ),
    _processes(1),
    _processes(2, _at_least_times(1.7, THREADS)),
    _processes(4),
    _dask(1),
    _dask(2, _at_least(3000)),
    _dask(4),
    Line(
        "read",
        "Read {count} cohorts, JSON text to CohortList",
        "read",
        (*PACKAGES, JSON),
        (Row("", "seconds", "s", 2, (_times_less(4, SEED),)),),
        _COHORTS,
        _FEW_COHORTS,
    ),
    Line(
        "write",
        "Write {count} cohorts, to_json",
        "write",
        PACKAGES,
        (Row("", "seconds", "s", 2, (_times_less(4, SEED),)),),
        _COHORTS,
        _FEW_COHORTS,
    ),
    Line(
        "frame",
        "{count} cohorts to_pd_dataframe; pandas from ready columns",
        "frame",
        (*PACKAGES, PANDAS),
        (Row("", "seconds", "s", 2, (_at_most_times(3, PANDAS),)),),
        _COHORTS,
        _FEW_COHORTS,
    ),
    Line(
        "list/cohorts",
        f"Cohort.list of {_MANY_COHORTS.cohorts}",
        "list_cohorts",
        (*PACKAGES, URLLIB3),
        (Row("", "seconds", "s", 2, ()),),
        far_end=_MANY_COHORTS,
    ),
    Line(
        "list/segments",
        f"Segment.list of {_MANY_SEGMENTS.segments}, pages of {PAGE}",
        "list_segments",
        (*PACKAGES, URLLIB3),
        (Row("", "seconds", "s", 2, ()),),
        far_end=_MANY_SEGMENTS,
    ),
    Line(
        "bulk",
        "Segment.bulk, {count} created",
        "bulk",
        (*PACKAGES, URLLIB3),
        (Row("", "seconds", "s", 2, ()),),
        {"count": _MANY_SEGMENTS.segments},
        {"count": 10_000},
        _MANY_SEGMENTS,
    ),
    Line(
        "look-up",
        f"{{count}} of {_SOME_COHORTS.cohorts} cohorts by code",
        "look_up",
        PACKAGES,
        (
            Row("get_by_code for each", "seconds", "s", 2, ()),
            Row("one list, then get_by_id for each", "seconds_from_one_list", "s", 2, ()),
        ),
        {"count": 20},
        far_end=_SOME_COHORTS,
    ),
    Line(
        "import",
        "from PermutiveAPI import Cohort",
        "startup",
        (*PACKAGES, REQUESTS),
        (
            Row("time", "seconds", "s", 3, (_at_most_times(1.2, REQUESTS),)),
            Row("peak memory", "megabytes", "MB", 0, ()),
        ),
        repetitions=11,
    ),
    Line(
        "memory",
        "Memory a request in a collected batch, beyond its decoded body",
        "memory",
        PACKAGES,
        (Row("", "kilobytes", "kB", 1, (_at_most(1.5),)),),
        {"requests": 5000, "workers": 8},
        {"requests": 1000},
    ),
    Line(
        "stream",
        "Memory of a streamed batch of {count}, above idle",
        "stream",
        (PROJECT,),
        (Row("", "megabytes", "MB", 1, (_at_most(10),)),),
        {"count": 1_000_000, "workers": 8},
        {"count": 20_000},
        repetitions=1,
    ),
    Line(
        "engine",
        "The batch engine alone, {workers} workers, without a service: CPU a request",
        "engine",
        (PROJECT, THREADS),
        (Row("", "microseconds", "µs", 1, (_at_most(15),)),),
        {"requests": 200_000, "workers": 8},
        {"requests": 20_000},
        repetitions=5,
    ),
    Line(
        "journal",
        "A journal of {requests}, {workers} workers, without a service: CPU a request",
        "journal",
        (PROJECT,),
        (Row("", "microseconds", "µs", 1, (_at_most(12),)),),
        {"requests": 200_000, "workers": 8},
        {"requests": 20_000},
        repetitions=5,
    ),
    Line(
        "resume",
        "Resume of {requests} requests that a journal has as done",
        "resume",
        (PROJECT,),
        (
            Row("time", "seconds", "s", 1, (_at_most(7),)),
            Row("memory above idle", "megabytes", "MB", 0, (_at_most(150),)),
        ),
        {"requests": 1_000_000, "workers": 8},
        {"requests": 50_000},
    ),
    _bucket(16, None, 1.15),
    _bucket(16, 1, 1.35),
    _bucket(64, None, 1.15),
    _bucket(64, 1, 1.35),
    _bucket(16, 1, 1.35, "503 Service Unavailable"),
    _slow_bucket(None),
    _slow_bucket(1),
    _limited(
        "window",
        "100 in 10 s",
        FarEnd(0.0, burst=100, window_seconds=10),
        lambda settings: settings["requests"] // 100 * 10,
        1.25,
        25,
        rate=10,
        requests=350,
        few=150,
    ),
    _limited(
        "random",
        "1 % refused at random, 20 ms latency",
        FarEnd(0.02, refused_share=0.01),
        lambda settings: settings["requests"] * 0.02 / settings["workers"],
        1.3,  # It includes what the machine itself needs.
        2,
        rate=1_000_000,
        requests=6000,
        few=600,
    ),
    _limited(
        "at-once",
        "8 at once, 20 ms latency",
        FarEnd(0.02, at_once=8),
        lambda settings: settings["requests"] * 0.02 / 8,
        1.4,
        25,
        rate=400,
        requests=4000,
        few=400,
    ),
    Line(
        "details",
        f"{_SLOW.cohorts} cohorts with details, 20 ms latency",
        "details",
        PACKAGES,
        (Row("", "seconds", "s", 2, (_times_less(8, SEED),)),),
        far_end=_SLOW,
    ),
    Line(
        "interrupt/slow",
        "Ctrl-C in a batch of {requests}, 20 ms latency",
        "interrupt",
        PACKAGES,
        _INTERRUPTED,
        {"requests": 10_000, "workers": 16, "limit_seconds": 60},
        {"requests": 2000},
        _SLOW,
    ),
    Line(
        "interrupt/stalled",
        "Ctrl-C in a batch of {requests}, answers stalled for 5 s",
        "interrupt",
        PACKAGES,
        _INTERRUPTED,
        {"requests": 10_000, "workers": 16, "limit_seconds": 20},
        {"requests": 2000},
        FarEnd(latency_seconds=5),
        repetitions=1,
    ),
    Line(
        "unknown",
        "One create, read timeout after it was processed",
        "unknown",
        PACKAGES,
        (
            Row("cohorts made", "made", "", 0, (_ONE,)),
            Row("the error says so", "says_unknown", "", 0, (_YES,)),
        ),
        {"timeout_seconds": 0.5},
        far_end=_SILENT,
        repetitions=1,
    ),
)
