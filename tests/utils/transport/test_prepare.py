"""prepare() makes the same request as requests itself."""

from __future__ import annotations

import string
from enum import Enum
from typing import Any, Dict, Mapping, Optional
from urllib.parse import parse_qsl

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI._Utils.redaction import HiddenText
from PermutiveAPI._Utils.transport.prepare import prepare
from tests.support.rows import for_each

searching = settings(max_examples=30, deadline=None, database=None, derandomize=True)
JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}


class Colour(str, Enum):
    """Texts of which str() makes others."""

    RED = "red"


def by_requests(
    verb: str, url: str, headers: Mapping[str, Any], params: Any, body: Any
) -> requests.PreparedRequest:
    """Prepare a request as requests does."""
    request = requests.Request(verb, url, headers=dict(headers), params=params, data=body)
    return request.prepare()


def assert_same(
    verb: str, url: str, headers: Mapping[str, Any], params: Optional[Dict[str, Any]], body: Any
) -> None:
    """Assert that both make the same request, or raise the same kind of error."""
    try:
        wanted = by_requests(verb, url, headers, params, body)
    except (requests.RequestException, UnicodeError) as error:
        with pytest.raises(type(error)):
            prepare(verb, url, headers, params, body)
        return
    made = prepare(verb, url, headers, params, body)
    assert made.url == wanted.url
    assert made.method == wanted.method
    assert (made.body or None) == (wanted.body or None)
    assert dict(made.headers) == dict(wanted.headers)


@for_each(
    "url",
    [
        "https://api.permutive.app/v2/cohorts/",
        "https://api.permutive.app/v2/cohorts/6d5c1a52-3a5c-4f0e",
        "https://api.permutive.app",
        "https://api.permutive.app/",
        "https://api.permutive.app:8443/a_b~c.d",
        "https://api.permutive.app/a//b",
        "https://api.permutive.app/a/./b/../c",
        "https://api.permutive.app/.hidden",
        "https://api.permutive.app/a b/ü/%41/%zz",
        "https://API.Permutive.App/A",
        "https://api.permutive.app/v2?x=1",
        "https://api.permutive.app/v2?x=1#part",
        "https://user:word@api.permutive.app/v2",
        "https://bücher.example/v2",
        "http://127.0.0.1:8080/v2",
        "http://[::1]:8080/v2",
        "http://[fe80::1%25eth0]/v2",
        "http://us%20er:word@h.example/v2",
        "https://-a.example/",
        "https://*.example/",
        "https:///v2",
        "https://",
        "ftp://api.permutive.app/v2",
        "api.permutive.app/v2",
        "https://api.permutive.app/v2\n",
        " https://api.permutive.app/v2",
        "https://" + "a" * 64 + ".example/",
        "https://a..b/",
        "https://a.b:99999/",
        "https://a.b:0080/",
    ],
)
@for_each("params", [None, {}, {"k": "key", "a b": "ü&="}])
def test_urls(url: str, params: Optional[Dict[str, Any]]) -> None:
    """Plain, odd and invalid URLs are prepared as by requests."""
    assert_same("GET", url, JSON_HEADERS, params, None)


@for_each(
    "params",
    [
        {"n": 1, "t": True, "f": 1.5},
        {"gone": None, "k": "key"},
        {"many": ["a", "b"], "k": "key"},
        {"empty": ""},
        {"bytes": b"x"},
        {"member": Colour.RED},
        {"k": HiddenText("a b&c")},
    ],
)
def test_parameters(params: Dict[str, Any]) -> None:
    """Parameters that are not texts, or have several values, are prepared as by requests."""
    assert_same("GET", "https://h.example/p", JSON_HEADERS, params, None)


@for_each("verb", ["GET", "POST", "PATCH", "DELETE"])
@for_each("body", [None, b'{"a": 1}', "text"])
def test_bodies(verb: str, body: Any) -> None:
    """Content-Length is the same as with requests, for every verb with and without a body."""
    assert_same(verb, "https://h.example/p", JSON_HEADERS, {"k": "key"}, body)


@for_each(
    "headers",
    [
        {},
        {"x-own": "a", "X-OWN": "b"},
        {"X-Own": b"bytes"},
        {"X-Own": " leading"},
        {"X-Own": "two\r\nlines"},
        {"X Own": "a"},
        {"X-Own": 5},
    ],
)
def test_headers(headers: Dict[str, Any]) -> None:
    """Repeated headers, headers that are not texts, and invalid headers are prepared as by requests."""
    assert_same("GET", "https://h.example/p", headers, None, None)


def test_headers_of_one_request_are_not_those_of_the_next() -> None:
    """Changing the headers of one request does not change those of the next."""
    first = prepare("GET", "https://h.example/p", JSON_HEADERS, None, None)
    first.headers["X-Own"] = "1"
    second = prepare("GET", "https://h.example/p", JSON_HEADERS, None, None)
    assert "X-Own" not in second.headers


paths = st.text(alphabet=string.ascii_letters + string.digits + "/._~-%ü ?#&=", max_size=30)
texts = st.text(max_size=12)


@searching
@given(path=paths, params=st.dictionaries(texts, texts, max_size=3))
def test_any_path_and_parameters(path: str, params: Dict[str, str]) -> None:
    """Any path and any parameter are prepared as by requests."""
    assert_same("GET", f"https://h.example/{path}", JSON_HEADERS, params, None)


@searching
@given(params=st.dictionaries(st.text(min_size=1), texts, max_size=4))
def test_parameters_arrive(params: Dict[str, str]) -> None:
    """The parameters that are read from the URL are those that were given."""
    try:
        url = prepare("GET", "https://h.example/p", {}, params, None).url or ""
    except UnicodeError:  # Half a surrogate pair.
        return
    query = url.partition("?")[2]
    assert dict(parse_qsl(query, keep_blank_values=True)) == params
