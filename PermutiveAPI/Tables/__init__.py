"""Tables, plans and references: changes that are shown before they are made.

Only public calls of the library are used here.
"""

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
