"""Owned: which segments of an import belong to the caller. A mirror deletes only these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, cast

from .._Utils.arguments import require_filled, require_kind


@dataclass(frozen=True, repr=False)
class Owned:
    """Which segments of an import are yours. Join several with ``|``.

    Other people and systems may keep segments in the same import. A plan changes and deletes only
    yours.

    Attributes
    ----------
    everything : Owned
        Every segment of the import.

    Examples
    --------
    >>> Owned.prefix("news_") | Owned.category("news")
    Owned.prefix('news_') | Owned.category('news')
    >>> Owned.everything
    Owned.everything
    """

    everything: ClassVar[Owned]

    _prefixes: tuple[str, ...] = ()
    _categories: tuple[str, ...] = ()
    _is_everything: bool = False

    @classmethod
    def prefix(cls, prefix: str) -> Owned:
        """Own the segments whose code begins with a text. Upper and lower case differ.

        Examples
        --------
        >>> Owned.prefix("news_").owns("news_sport"), Owned.prefix("news_").owns("sport")
        (True, False)
        """
        require_filled("prefix", prefix)
        require_kind("prefix", prefix, str)
        return cls(_prefixes=(prefix,))

    @classmethod
    def category(cls, category: str) -> Owned:
        """Own the segments that have a category.

        Examples
        --------
        >>> Owned.category("news").owns("sport", ["news", "daily"])
        True
        """
        require_filled("category", category)
        require_kind("category", category, str)
        return cls(_categories=(category,))

    def owns(self, code: str, categories: Iterable[str] | None = None) -> bool:
        """Tell whether a segment with this code and these categories is yours.

        Examples
        --------
        >>> Owned.everything.owns("sport")
        True
        """
        return (
            self._is_everything
            or code.startswith(self._prefixes)
            or any(category in self._categories for category in categories or ())
        )

    def __or__(self, other: Owned) -> Owned:
        """Join two: own a segment that one of them owns."""
        if not isinstance(cast("object", other), Owned):
            return NotImplemented
        return Owned(
            _prefixes=(*self._prefixes, *other._prefixes),
            _categories=(*self._categories, *other._categories),
            _is_everything=self._is_everything or other._is_everything,
        )

    def __repr__(self) -> str:
        """Return the code that makes it."""
        if self._is_everything:
            return "Owned.everything"
        parts = [f"Owned.prefix({each!r})" for each in self._prefixes]
        parts += [f"Owned.category({each!r})" for each in self._categories]
        return " | ".join(parts) or "Owned()"


Owned.everything = Owned(_is_everything=True)
