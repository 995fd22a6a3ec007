"""Tables, plans and references: changes that are shown before they are made.

Only public calls of the library are used here.
"""

from .comparing import PlanOutdatedError
from .identities import identities_from_table
from .ownership import Owned
from .plan import Plan
from .references import References
from .refusal import PlanRefusedError
from .report import Report

__all__ = [
    "Owned",
    "Plan",
    "PlanOutdatedError",
    "PlanRefusedError",
    "References",
    "Report",
    "identities_from_table",
]
