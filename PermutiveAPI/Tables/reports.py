"""Reports: the results of several plans."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .plans import Plans
from .report import STATUSES, Outcome, Report, Status


@dataclass(frozen=True, repr=False)
class Reports:
    """The results of several plans.

    Attributes
    ----------
    reports : tuple of Report
        One for each plan that had changes.

    Examples
    --------
    >>> from PermutiveAPI.Tables import Plans
    >>> plans = Plans((Segment.plan(Import.list()[0].id, [{"code": "a", "name": "A"}]),))
    >>> reports = plans.apply()
    >>> reports.inverse().apply().counts
    {'deleted': 1}
    """

    reports: tuple[Report, ...]

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcomes of all changes."""
        return tuple(outcome for report in self.reports for outcome in report.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The changes that failed, were not tried, or whose outcome is unknown."""
        return tuple(outcome for report in self.reports for outcome in report.failures)

    @property
    def counts(self) -> dict[Status, int]:
        """How many objects have each status. A status that no object has is left out."""
        found = Counter[Status]()
        for report in self.reports:
            found.update(report.counts)
        return {status: found[status] for status in STATUSES if found[status]}

    @property
    def summary(self) -> str:
        """The counts, in one line."""
        counts = (f"{count:,} {status}" for status, count in self.counts.items())
        return ", ".join(counts) or "nothing to do"

    def inverse(self) -> Plans:
        """Return the plans that undo the changes; see :meth:`Report.inverse`.

        Examples
        --------
        >>> from PermutiveAPI.Tables import Plans
        >>> Plans().apply().inverse()
        <Plans: 0 to create, 0 to update, 0 to delete, 0 unchanged>
        """
        return Plans(tuple(report.inverse() for report in self.reports))

    def __repr__(self) -> str:
        """Return the counts. The text form also shows the failures."""
        return f"<Reports: {self.summary}>"

    def __str__(self) -> str:
        """Return the counts of each plan, and a line for each failure."""
        return "\n".join(map(str, self.reports)) or self.summary
