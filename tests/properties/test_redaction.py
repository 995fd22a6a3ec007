"""No secret remains, and no other text is lost."""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI._Utils.redaction import (
    redact_message,
    redact_secret,
    redact_sensitive_data,
    redact_url,
)

names = st.sampled_from(["k", "api_key", "token", "access_token", "key", "K", "Api_Key", "apiKey"])
# The characters of keys, and those of secrets that are quoted or encoded.
plain_secrets = st.text(
    string.ascii_letters + string.digits + "-_.~:/+=!*", min_size=1, max_size=40
)
any_secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
words = st.lists(
    st.sampled_from(["the", "task=42", "monkey:", "risk", "x", "GET", "/path", "{1}"]), max_size=3
)
surroundings = words.map(" ".join)

PLAIN_FORMS = [
    "{name}={secret}",
    "{name} = {secret}",
    "?a=1&{name}={secret}&b=2",
    '{name}="{secret}"',
    "{name}='{secret}'",
    '"{name}": "{secret}"',
    "'{name}': '{secret}'",
    '\\"{name}\\": \\"{secret}\\"',
    "X-API-Key: {secret}",
    "<{name}={secret}>",
    "({name}={secret})",
]


@settings(max_examples=100)
@given(
    form=st.sampled_from(PLAIN_FORMS),
    name=names,
    secret=plain_secrets,
    before=surroundings,
    after=surroundings,
)
def test_plain_secrets(form: str, name: str, secret: str, before: str, after: str) -> None:
    """A secret with the characters of keys is replaced, and the text around it stays."""
    message = f"{before} {form.format(name=name, secret=secret)}\n{after}"
    expected = f"{before} {form.format(name=name, secret='[REDACTED]')}\n{after}"
    assert redact_message(message) == expected
    assert redact_message(expected) == expected


MARK = "5ecret"


@given(name=names, before=any_secrets, after=any_secrets)
def test_any_secret_as_a_json_member(name: str, before: str, after: str) -> None:
    """Any secret is replaced as a JSON member."""
    secret = before + MARK + after
    for ascii_only in (True, False):
        text = json.dumps({"x": 1, name: secret, "y": "z"}, ensure_ascii=ascii_only)
        expected = json.dumps({"x": 1, name: "[REDACTED]", "y": "z"})
        assert redact_message(text) == expected
        assert MARK not in redact_message(json.dumps(text))


@given(name=names, before=any_secrets, after=any_secrets)
def test_any_secret_as_a_python_member(name: str, before: str, after: str) -> None:
    """Any secret is replaced in the repr of a dictionary."""
    shown = repr({"x": 1, name: before + MARK + after, "y": "z"})
    assert redact_message(shown).replace('"', "'") == repr({"x": 1, name: "[REDACTED]", "y": "z"})


@given(name=names, before=any_secrets, after=any_secrets)
def test_any_secret_in_a_url(name: str, before: str, after: str) -> None:
    """Any secret is replaced in a URL, even if the whole URL is encoded."""
    url = "https://h/p?" + urlencode({"a": "1", name: before + MARK + after, "b": "2"})
    expected = f"https://h/p?a=1&{name}=[REDACTED]&b=2"
    assert redact_url(url) == expected
    assert redact_message(url) == expected
    once = quote(url, safe="")
    assert MARK not in redact_message(f"url={once}")
    assert MARK not in redact_message(f"url={quote(once, safe='')}")


@given(secret=any_secrets, before=surroundings)
def test_known_secret(secret: str, before: str) -> None:
    """A known secret is replaced, whether it is plain, percent-encoded or escaped."""
    secret = f"{secret}{MARK}{secret}"
    forms = [
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret),
        repr(secret),
    ]
    message = before + " | ".join(forms)
    redacted = redact_secret(message, secret)
    assert MARK not in redacted
    assert redacted.startswith(before)


@given(secret=any_secrets)
def test_secret_of_the_request(secret: str) -> None:
    """The key of the request is removed from the service's words."""
    secret = f"{secret}{MARK}"
    response = requests.Response()
    response.url = "https://h/p?" + urlencode({"a": "1", "k": secret})
    said = f"your key is {secret}, as in {response.url}"
    assert MARK not in redact_sensitive_data(said, response)


@given(st.text(max_size=60) | st.text(alphabet="k=&?\"'\\:%3D token[REDACTED]{}", max_size=60))
def test_any_text(text: str) -> None:
    """Any text can be redacted, and doing so twice changes nothing."""
    for redact in (redact_message, redact_url):
        once = redact(text)
        assert redact(once) == once


@given(st.text(alphabet=string.ascii_letters + string.digits + " .,;:/?&-_()", max_size=80))
def test_text_without_assignments(text: str) -> None:
    """A text without an assignment stays as it is."""
    assert redact_message(text) == text


@given(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), plain_secrets)
def test_other_names(name: str, value: str) -> None:
    """The value of any other name stays."""
    secret_names = {
        "k",
        "api_key",
        "token",
        "access_token",
        "key",
        "apikey",
        "privatekey",
        "private_key",
    }
    secret_names |= {"authorization"}
    message: Any = f"{name}={value}"
    if name not in secret_names and "=" not in value:
        assert redact_message(message) == message
