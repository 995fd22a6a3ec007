"""Tables, plans and references: changes that are shown before they are made.

Only public calls of the library are used here.
"""

from .references import References

__all__ = ["References"]
