"""Tables and plans: work with whole tables, and changes that are shown before they are made.

Only public calls of the library are used here.
"""

from .comparing import PlanOutdatedError
from .identities import identities_from_table
from .ownership import Owned
from .plan import Plan
from .report import Report

__all__ = ["Owned", "Plan", "PlanOutdatedError", "Report", "identities_from_table"]
