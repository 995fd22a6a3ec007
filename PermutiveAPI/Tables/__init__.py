"""Tables, plans and references: changes that are shown before they are made.

Only public calls of the library are used here.
"""

import typing

from .._Utils import lazy_names

if typing.TYPE_CHECKING:
    from .comparing import PlanOutdatedError
    from .identities import identities_from_table
    from .ownership import Owned
    from .plan import Plan
    from .plans import Plans
    from .references import References
    from .refusal import PlanRefusedError
    from .report import Report
    from .reports import Reports

__all__ = [
    "Owned",
    "Plan",
    "PlanOutdatedError",
    "PlanRefusedError",
    "Plans",
    "References",
    "Report",
    "Reports",
    "identities_from_table",
]

# The command and the snapshots need only some of them.
_HOMES = {
    "Owned": "PermutiveAPI.Tables.ownership",
    "Plan": "PermutiveAPI.Tables.plan",
    "PlanOutdatedError": "PermutiveAPI.Tables.comparing",
    "PlanRefusedError": "PermutiveAPI.Tables.refusal",
    "Plans": "PermutiveAPI.Tables.plans",
    "References": "PermutiveAPI.Tables.references",
    "Report": "PermutiveAPI.Tables.report",
    "Reports": "PermutiveAPI.Tables.reports",
    "identities_from_table": "PermutiveAPI.Tables.identities",
}

if not typing.TYPE_CHECKING:
    __getattr__ = lazy_names.lazy_names(__name__, _HOMES)

    def __dir__():
        """List the public names, also those that are not imported yet."""
        return __all__
