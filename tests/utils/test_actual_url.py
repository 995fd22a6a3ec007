"""The URL that a request is sent to."""

from __future__ import annotations

from PermutiveAPI._Utils.base_url import actual_url
from tests.support.rows import for_each

ORIGIN = "http://127.0.0.1:8080"


@for_each(
    ("url", "expected"),
    [
        ("https://api.permutive.app/a/b?x=1&y=2#z", f"{ORIGIN}/a/b?x=1&y=2#z"),
        ("https://api.permutive.com/v2.0/identify", f"{ORIGIN}/v2.0/identify"),
        ("HTTPS://API.PERMUTIVE.APP/a", f"{ORIGIN}/a"),
        ("https://api.permutive.app", ORIGIN),
        ("https://api.permutive.app?x=1", f"{ORIGIN}?x=1"),
        ("https://api.permutive.app:443/a", f"{ORIGIN}/a"),
        (" https://api.permutive.app/a", f"{ORIGIN}/a"),
        ("http://api.permutive.com/a", f"{ORIGIN}/a"),
        ("https://apixpermutive.app/a", "https://apixpermutive.app/a"),
        ("https://api.permutive.app/a%2Fb", f"{ORIGIN}/a%2Fb"),
        ("https://example.com/api.permutive.app/a", "https://example.com/api.permutive.app/a"),
        ("https://api.permutive.app.evil.com/a", "https://api.permutive.app.evil.com/a"),
        ("ftp://api.permutive.app/a", "ftp://api.permutive.app/a"),
        ("api.permutive.app/a", "api.permutive.app/a"),
        ("", ""),
    ],
)
def test_another_origin(url: str, expected: str) -> None:
    """Every URL of Permutive's two hosts goes to the origin, with the same path and query; other URLs do not change."""
    assert actual_url(url, None) == url
    assert actual_url(url, ORIGIN) == expected
