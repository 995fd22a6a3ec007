"""Redaction takes time in proportion to the length of the text, for any text.

CPU times of the thread are only compared with each other, so that a busy machine changes no result.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict

import pytest
import requests

from PermutiveAPI._Utils.redaction import (
    hide_user_ids,
    path_for_logs,
    redact_and_shorten,
    redact_headers,
    redact_message,
    redact_secret,
    redact_sensitive_data,
    redact_url,
    secrets_of,
)
from tests.support.rows import for_each

SECRET = "0123-secret/key"
LENGTH = 1_500
GROWTH = 4
# If the time grew with the square, the factor would be 16.
MOST = 9.0


def own_response() -> requests.Response:
    """Return a response whose request has the secret."""
    response = requests.Response()
    response.url = f"https://h/x?k={SECRET}"
    return response


def headers_from(text: str) -> None:
    """Redact a header with the text as its value, and one with the text as its name."""
    redact_headers({"X-API-Key": text, text: "x"})


def secrets_in(text: str) -> Any:
    """Search for secrets in a response whose URL contains the text."""
    response = requests.Response()
    response.url = f"https://h/x?{text}"
    return secrets_of(response)


FUNCTIONS: Dict[str, Callable[[str], Any]] = {
    "redact_url": redact_url,
    "redact_headers": headers_from,
    "hide_user_ids": hide_user_ids,
    "path_for_logs": path_for_logs,
    "redact_secret": lambda text: redact_secret(text, SECRET),
    "redact_secret, short": lambda text: redact_secret(text, "k"),
    "redact_sensitive_data": lambda text: redact_sensitive_data(text, own_response()),
    "redact_and_shorten": lambda text: redact_and_shorten(text, [SECRET]),
    "secrets_of": secrets_in,
}

# The units that a text repeats.
UNITS: Dict[str, str] = {
    "open lists": '"key": [',
    "open objects": '"key": {',
    "open strings": '"key": "',
    "open escaped strings": '"key": \\"',
    "open strings in escapes": '\\"key\\": \\\\\\"',
    "names of members": '"key" : ',
    "names and spaces": '"key"    ',
    "bytes": '"key":b',
    "double quotes": '"',
    "backslashes": "\\",
    "escaped quotes": "\\'",
    "assignments": "k=",
    "assignments with spaces": "k = ",
    "assigned quotes": "k='",
    "assigned escapes": "k=\\",
    "encoded percents": "%25",
    "encoded assignments": "k%3D",
    "encoded quotes": "%22k%22%3A",
    "encoded spaces": "k%20",
    "encoded names": "%6B=",
    "percents": "a%",
    "characters of names": "a",
    "dots": ".",
    "secret names": "api_key",
    "escapes before names": "\\u0026k",
    "options": " --k",
    "addresses": "://",
    "addresses with users": "https://a:b",
    "users": "/v2.0/users/",
    "headers": "authorization : ",
    "headers in pairs": "'x-api-key', ",
    "pairs": "k&k=&",
    "marks": "k=[REDACTED]",
    "spaces": " ",
}
# What comes before the units: a value that is still open, or an extreme depth of encoding.
PREFIXES: Dict[str, Callable[[int], str]] = {
    "bare": lambda length: "",
    "in a value": lambda length: 'k="',
    "in an escaped value": lambda length: '"key": \\\\\\"',
    "in an encoded value": lambda length: f"k%{'25' * (length // 8)}3D",
}


def seconds(function: Callable[[str], Any], text: str) -> float:
    """Return the CPU time of a call."""
    began = time.thread_time()
    function(text)
    return time.thread_time() - began


def assert_linear(function: Callable[[str], Any], made: Callable[[int], str], length: int) -> None:
    """Assert that a text of four times the length takes about four times as long, at best."""
    for _ in range(3):
        took = seconds(function, made(GROWTH * length))
        # Below a millisecond, the clock is too coarse.
        if took < MOST * 0.001 or took < MOST * seconds(function, made(length)):
            return
    raise AssertionError(f"the time grows faster than the text: {made(60)}")


def repeated(unit: str, prefix: Callable[[int], str]) -> Callable[[int], str]:
    """Return a function that makes a text of a length from a unit."""
    return lambda length: prefix(length) + unit * (length // len(unit))


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_any_message(prefix: Callable[[int], str]) -> None:
    """A message of any kind takes time in proportion to its length."""
    for unit in UNITS.values():
        assert_linear(redact_message, repeated(unit, prefix), LENGTH)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_any_function(function: Callable[[str], Any]) -> None:
    """Every other function takes time in proportion to the length of a text of any kind."""
    for unit in UNITS.values():
        assert_linear(function, repeated(unit, PREFIXES["bare"]), LENGTH)


@pytest.mark.parametrize("beginning", ["k=", 'k=\\"', '"k"', '"k": \\"'])
def test_backslashes_without_end(beginning: str) -> None:
    """A message with endless backslashes after a name takes time in proportion to its length."""
    assert_linear(redact_message, repeated("\\", lambda _: beginning), LENGTH)


def ever_longer_escapes(length: int) -> str:
    """Return members whose quotes are escaped deeper and deeper, so that none of them is closed."""
    members, total = [], 0
    while total < length:
        count = len(members) // 2 + 1
        members.append('"key": ' + "\\" * count + "\"'"[len(members) % 2])
        total += len(members[-1])
    return "".join(reversed(members))


@pytest.mark.parametrize(
    "made",
    [repeated('"key": [', PREFIXES["bare"]), ever_longer_escapes],
    ids=["open lists", "ever longer escapes"],
)
def test_a_megabyte(made: Callable[[int], str]) -> None:
    """A megabyte takes four times as long as a quarter of it, even if no value is ever closed."""
    assert_linear(redact_message, made, 2**18)


def test_a_huge_text_is_cut() -> None:
    """Only the beginning of a huge text is kept; secrets in it are replaced, and no part of one is left."""
    text = redact_and_shorten("k=abc " + SECRET * 100_000, [SECRET])
    assert text.startswith("k=[REDACTED] [REDACTED]") and text.endswith("...")
    assert len(text) < 30_000 and "secret" not in text


@for_each("shift", range(20))
def test_secret_across_the_cut(shift: int) -> None:
    """If a huge text is cut inside a secret, no part of the secret is left.

    Each form is cut at every third place.
    """
    forms = (
        f" {SECRET} ",
        f"k={SECRET}",
        f'"key": "{SECRET}"',
        f'\\"key\\": \\"{SECRET}\\"',
        f"k%3D{SECRET}",
        f"https://me:{SECRET}@host/",
        f"X-API-Key: {SECRET}",
    )
    for form in forms[shift % 3 :: 3]:
        text = "x" * (20_000 - len(form) + shift - 20) + " " + form + "y" * 100
        assert "0123" not in redact_and_shorten(text, [SECRET])
    by_name = "x" * (20_000 - shift) + " https://me:0123-password@host/" + "y" * 100
    assert "0123" not in redact_and_shorten(by_name, [])


def test_short_text_stays() -> None:
    """A text that is not huge is kept whole."""
    assert redact_and_shorten("see https://host and k=1", []) == (
        "see https://host and k=[REDACTED]"
    )


@for_each(
    ("cut", "expected"),
    [
        ('"key": ["a", "b', '"key": [REDACTED]'),
        ('{\\"key\\": \\"abc', '{\\"key\\": \\"[REDACTED]\\"'),
        ('"key": "abc\\', '"key": "[REDACTED]"'),
        ("k='abc\\", "k='[REDACTED]'"),
        ('k=\\"abc def', 'k=\\"[REDACTED]\\"'),
    ],
)
def test_value_that_is_cut(cut: str, expected: str) -> None:
    """A value that is not closed ends with the text."""
    assert redact_message(cut) == expected
