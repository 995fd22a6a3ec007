"""Tables: work with whole tables of segments, cohorts and users."""

from .identities import identities_from_table

__all__ = ["identities_from_table"]
