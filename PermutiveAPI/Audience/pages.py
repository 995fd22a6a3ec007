"""Lists that the service sends page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from .._Utils.errors import PermutiveInvalidResponseError

Item = TypeVar("Item")
# The items of a page, and the token of the next page.
Page: TypeAlias = tuple[list[Item], str | None]

# An empty page is normal if the service filters the items of a page. This many in a row are not.
_MOST_EMPTY_PAGES = 100


def items_of_pages(page_at: Callable[[dict[str, Any]], Page[Item]], url: str) -> list[Item]:
    """Return the items of all pages, fetched one after the other.

    `page_at` gets the query parameters of a page: none for the first. The error shows `url`.

    Raises
    ------
    PermutiveInvalidResponseError
        If the pages do not end: the service names a page twice, or sends 100 empty pages in a row.
    """
    items: list[Item] = []
    seen: set[str] = set()
    empty_pages = 0
    params: dict[str, Any] = {}
    while True:
        page, token = page_at(params)
        items.extend(page)
        if not token:
            return items
        empty_pages = 0 if page else empty_pages + 1
        if token in seen:
            raise _endless("named the same page of segments twice", url)
        if empty_pages == _MOST_EMPTY_PAGES:
            raise _endless(f"sent {empty_pages} empty pages in a row", url)
        seen.add(token)
        params = {"pagination_token": token}


def _endless(what: str, url: str) -> PermutiveInvalidResponseError:
    return PermutiveInvalidResponseError(f"The service {what} ({url}).", url=url)
