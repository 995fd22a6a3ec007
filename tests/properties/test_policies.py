"""Waits, URLs and timestamps, for any input."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import requests
from hypothesis import example, given
from hypothesis import strategies as st

from PermutiveAPI import Cohort, RetryConfig
from PermutiveAPI._Utils.base_url import actual_url
from PermutiveAPI._Utils.codec.decoding import parse_timestamp
from PermutiveAPI._Utils.resources.urls import resource_url
from PermutiveAPI._Utils.retry.policy import (
    backoff_seconds,
    parse_retry_after,
    retry_after_of,
    wait_after_response,
)
from tests.properties.strategies import moments

NOW = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)
policies = st.builds(
    RetryConfig,
    st.integers(1, 10**6),
    st.floats(1, 1e308) | st.integers(1, 10**400),
    st.floats(0, 1e308) | st.integers(0, 10**400),
)
dates = st.text(alphabet="MonTueJlGT0123456789 ,:-+.()\t", max_size=40)


@given(st.text() | dates | st.none() | st.integers() | st.binary())
@example("0, 0 0 0 0")
@example("Mon, 31 Feb 2025 00:00:00 GMT")
@example("Mon, 01 Jan 0000 00:00:00 GMT")
@example("Mon, 01 Jan 2025 00:00:00 +9999")
@example("Mon, 01 Jan 2025 00:00:00 -999999999999")
def test_retry_after_never_raises(value: Any) -> None:
    """Any Retry-After is a number of seconds, or is ignored."""
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(0, 10**9), st.integers(0, 999))
def test_retry_after_seconds(whole: int, thousandths: int) -> None:
    """Whole and fractional seconds are read."""
    assert parse_retry_after(str(whole), NOW) == whole
    assert parse_retry_after(f"{whole}.{thousandths:03}", NOW) == float(f"{whole}.{thousandths:03}")


@given(st.integers(-(10**9), 10**9))
def test_retry_after_dates(seconds: int) -> None:
    """A date counts from now; a date in the past is no wait."""
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(date, NOW) == max(0, seconds)


@given(policies, st.integers(0, 10**4), st.floats(0, 1))
def test_waits_are_within_bounds(policy: RetryConfig, retries: int, jitter: float) -> None:
    """A wait is from 0 to 120 s, at least the policy's own and at most a quarter more."""
    wait = backoff_seconds(policy, retries, jitter)
    assert 0 <= wait <= 120
    try:
        own = float(policy.initial_delay) * float(policy.backoff_factor) ** retries
    except OverflowError:
        own = math.inf if policy.initial_delay else 0.0
    assert min(own, 120) <= wait <= min(own * 1.25, 120) or math.isinf(own)


@given(policies, st.floats(0, 1))
def test_waits_never_shrink(policy: RetryConfig, jitter: float) -> None:
    """With the same jitter each wait is at least as long as the one before."""
    waits = [backoff_seconds(policy, retries, jitter) for retries in range(12)]
    assert waits == sorted(waits)


@given(policies, st.integers(0, 50), st.sampled_from([429, 500, 502, 503]), st.text(max_size=10))
def test_waits_after_any_answer(
    policy: RetryConfig, retries: int, status: int, header: str
) -> None:
    """After any response, the wait is a number of 0 or more."""
    response = requests.Response()
    response.status_code = status
    response.headers["Retry-After"] = header
    asked = retry_after_of(response, NOW)
    wait = wait_after_response(policy, retries, status, asked, 0.5)
    assert wait >= 0


# --- URLs ------------------------------------------------------------------------------------------

identifiers = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text.strip() and text not in (".", "..")
)


@given(identifiers, identifiers)
def test_identifiers_come_back_from_the_url(one: str, other: str) -> None:
    """Any identifier becomes one part of the path, and can be decoded again."""
    url = resource_url("https://host/imports/", "{a}/segments/{b}", a=one, b=other)
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("https", "host", "", "")
    assert [unquote(part) for part in parts.path.split("/")] == [
        "",
        "imports",
        one,
        "segments",
        other,
    ]
    assert requests.Request("GET", url).prepare().url == url


@given(identifiers)
def test_identifiers_survive_another_origin(identifier: str) -> None:
    """Another origin does not change the path of a URL."""
    url = f"https://api.permutive.app/x/{quote(identifier, safe='')}?a={quote(identifier)}"
    assert actual_url(url, "http://h") == url.replace("https://api.permutive.app", "http://h", 1)


# --- Timestamps ------------------------------------------------------------------------------------


@given(moments, st.integers(0, 999))
def test_nanoseconds_are_cut(moment: datetime, nanoseconds: int) -> None:
    """Digits after the microseconds are cut, not rounded."""
    moment = moment.astimezone(timezone.utc)
    text = moment.strftime("%m-%dT%H:%M:%S") + f".{moment.microsecond:06}{nanoseconds:03}Z"
    assert parse_timestamp(f"{moment.year:04}-{text}") == moment


@given(st.text() | st.text(alphabet="0123456789-:TZ+., ", max_size=40))
def test_any_text_as_a_timestamp(text: str) -> None:
    """Any text becomes an aware datetime, or stays unchanged."""
    read = parse_timestamp(text)
    assert read is None or read.utcoffset() is not None
    kept = Cohort.from_json({"name": "c", "created_at": text}).created_at
    assert kept == (text if read is None else read)
