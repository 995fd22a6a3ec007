"""URLs with identifiers."""

from __future__ import annotations

from enum import Enum
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

import numpy
import pandas
import pytest

from PermutiveAPI import Alias
from PermutiveAPI._Utils.resources.urls import resource_url
from tests.support.rows import for_each


class WrittenByItself(str):
    """A text that can write itself, as a type of a user's own may."""

    def to_json(self) -> str:
        """Return the text."""
        return str(self)


@for_each("endpoint", ["https://host/v1/imports", "https://host/v1/imports/"])
@for_each(
    ("identifier", "quoted"),
    [
        ("abc", "abc"),
        ("news/sport?x=1", "news%2Fsport%3Fx%3D1"),
        ("a b#c&d", "a%20b%23c%26d"),
        ("100%", "100%25"),
        ("a%2Fb", "a%252Fb"),
        ("ü", "%C3%BC"),
        ("../x", "..%2Fx"),
        ("{id}", "%7Bid%7D"),
        (" x ", "%20x%20"),
        (12, "12"),
        (0, "0"),
        (numpy.int64(12), "12"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Enum("Code", {"A": "a/b"})["A"], "a%2Fb"),
        (WrittenByItself("a b"), "a%20b"),
        (MagicMock(__str__=lambda mock: "made up"), "made%20up"),
    ],
)
def test_identifiers_are_percent_encoded(endpoint: str, identifier: Any, quoted: str) -> None:
    """The whole identifier is percent-encoded, whether or not the endpoint ends with a slash."""
    url = resource_url(endpoint, "{id}", id=identifier)
    assert url == f"https://host/v1/imports/{quoted}"


def test_several_identifiers() -> None:
    """A template may take several identifiers."""
    url = resource_url("https://h/i", "{a}/segments/code/{b}", a="x/y", b="c d")
    assert url == "https://h/i/x%2Fy/segments/code/c%20d"


@for_each("identifier", [None, "", " ", "\t\n"])
def test_empty_identifiers_are_refused(identifier: Any) -> None:
    """An empty identifier or None is a ValueError that names the argument."""
    with pytest.raises(ValueError, match="segment_id must not be empty"):
        resource_url("https://h", "{import_id}/{segment_id}", import_id="i", segment_id=identifier)


@for_each("identifier", [".", ".."])
def test_dots_are_refused(identifier: str) -> None:
    """Dots, which URLs drop, are a ValueError that names the argument."""
    with pytest.raises(ValueError, match="import_id"):
        resource_url("https://h", "{import_id}/segments", import_id=identifier)


def test_text_that_has_no_encoding() -> None:
    """Half a surrogate pair, which no URL can hold, is a ValueError."""
    with pytest.raises(ValueError):
        resource_url("https://h", "{id}", id="\ud800")


NO_IDENTIFIERS: "list[Any]" = [
    *(b"raw", True, 1.5, ["a"], ("a",), {"a": 1}, Alias("a", "b", 0)),
    *(pandas.NA, pandas.NaT, numpy.float32(5), numpy.bool_(True), numpy.array(["a"])),
]


@for_each("identifier", NO_IDENTIFIERS)
def test_identifiers_of_a_wrong_kind(identifier: Any) -> None:
    """A value of a wrong type is a TypeError that names the argument."""
    with pytest.raises(TypeError, match="import_id must be a text"):
        resource_url("https://h", "{import_id}", import_id=identifier)
