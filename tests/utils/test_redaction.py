"""What a secret looks like, and what only looks similar."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import requests

from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.redaction import (
    redact_and_shorten,
    redact_headers,
    redact_message,
    redact_secret,
    redact_sensitive_data,
    redact_url,
)
from tests.support.fakes import KEY
from tests.support.rows import for_each

NAMES = ["k", "api_key", "token", "access_token", "key"]
SECRET = "5f3c-secret-9a"

FORMS = {
    "bare": "{name}={secret}",
    "double quotes": '{name}="{secret}"',
    "single quotes": "{name}='{secret}'",
    "spaces around =": "{name} = {secret}",
    "JSON member": '{{"{name}": "{secret}"}}',
    "JSON member without a space": '{{"{name}":"{secret}"}}',
    "Python member": "{{'{name}': '{secret}'}}",
    "JSON inside JSON": '{{\\"{name}\\": \\"{secret}\\"}}',
    "percent-encoded =": "{name}%3D{secret}",
    "lower-case percent-encoded =": "{name}%3d{secret}",
    "twice percent-encoded =": "{name}%253D{secret}",
    "query": "https://host/x?a=1&{name}={secret}&b=2",
    "query, encoded as a whole": "url=https%3A%2F%2Fhost%2Fx%3F{name}%3D{secret}%26b%3D2",
    "query, encoded twice": "https%253A%252F%252Fhost%253Fa%253D1%2526{name}%253D{secret}%2526b%253D2",
    "escaped ampersand": "https://host/x?a=1\\u0026{name}={secret}",
}


@for_each("name", NAMES)
@for_each("form", FORMS)
def test_value_of_secret_name_is_replaced(form: str, name: str) -> None:
    """The value of a secret name is replaced in every form, and nothing else. Doing so twice changes nothing more."""
    message = "before " + form.format(name=name, secret=SECRET) + " after"
    redacted = redact_message(message)
    assert redacted == message.replace(SECRET, "[REDACTED]")
    assert redact_message(redacted) == redacted


@for_each(
    "message",
    [
        "task=42",
        "monkey=7",
        "tokens=3",
        "risk=high",
        "token_type=bearer",
        "keyword=shoes",
        "primary-key=12",
        "my_key=12",
        "https://host/x?task=42&page=k",
        '{"task": "42", "monkey": "x", "tokens": 3}',
        "task%3D42",
        "the key is missing",
        "k",
        "key",
        "",
    ],
)
def test_whole_names_only(message: str) -> None:
    """A name that only contains a secret name is not secret."""
    assert redact_message(message) == message


@for_each(
    ("message", "expected"),
    [
        ("X-API-Key: abc", "X-API-Key: [REDACTED]"),
        ("x-api-key: abc\r\nAccept: y", "x-api-key: [REDACTED]\r\nAccept: y"),
        ("Authorization: Bearer abc", "Authorization: [REDACTED]"),
        ("{'X-API-Key': 'abc', 'A': 'b'}", "{'X-API-Key': '[REDACTED]', 'A': 'b'}"),
        ("[('X-API-Key', 'abc')]", "[('X-API-Key', '[REDACTED]')]"),
        ("(b'X-API-Key', b'abc')", "(b'X-API-Key', b'[REDACTED]')"),
    ],
)
def test_headers(message: str, expected: str) -> None:
    """The values of the key's header and of Authorization are replaced."""
    assert redact_message(message) == expected


@for_each(
    ("message", "expected"),
    [
        ('"key": null, "token": true', '"key": null, "token": true'),
        ('{"key": 12345}', '{"key": [REDACTED]}'),
        ('k="a b, c" d', 'k="[REDACTED]" d'),
        (r'k="a\"b" d', 'k="[REDACTED]" d'),
        ('{"token": "a\\"b, c"}', '{"token": "[REDACTED]"}'),
        ("k='unfinished, to the end", "k='[REDACTED]'"),
        ("k=a&token=b;key=c", "k=[REDACTED]&token=[REDACTED];key=[REDACTED]"),
        ("?%6B=abc&x=1", "?%6B=[REDACTED]&x=1"),
        ("?%70age=abc", "?%70age=abc"),
        ("https://user:pw@host/x", "https://[REDACTED]@host/x"),
        ("mail me@host about k=v", "mail me@host about k=[REDACTED]"),
    ],
)
def test_edges_of_values(message: str, expected: str) -> None:
    """A value ends where its form ends; null, true and false are not secret."""
    assert redact_message(message) == expected


def test_redact_message_takes_anything() -> None:
    """A value that is not a text is converted to a text first."""
    error: Any = ValueError("k=abc")
    assert redact_message(error) == "k=[REDACTED]"
    nothing: Any = None
    assert redact_message(nothing) == "None"


@for_each(
    ("url", "expected"),
    [
        ("https://h/x?k=a,b;c)d&page=2", "https://h/x?k=[REDACTED]&page=2"),
        ("https://h/x?page=2&k=abc#top", "https://h/x?page=2&k=[REDACTED]#top"),
        ("https://h/x?%6b=abc", "https://h/x?%6b=[REDACTED]"),
        ("https://h/x?Token=abc", "https://h/x?Token=[REDACTED]"),
        ("https://h/x?k=", "https://h/x?k=[REDACTED]"),
        ("https://h/x?k", "https://h/x?k"),
        ("https://h/x?task=42", "https://h/x?task=42"),
        ("https://h/x", "https://h/x"),
        ("https://me:pw@h/x?k=abc", "https://[REDACTED]@h/x?k=[REDACTED]"),
        ("/relative?k=abc", "/relative?k=[REDACTED]"),
        ("https://h/x#k=abc", "https://h/x#k=[REDACTED]"),
        ("", ""),
    ],
)
def test_redact_url(url: str, expected: str) -> None:
    """In a URL, a value ends at the next & or #."""
    assert redact_url(url) == expected


@for_each("secret", ["s3cr3t/key+with=signs", 'with"quote', "ünïcode-x"])
def test_known_secret_is_replaced_in_every_writing(secret: str) -> None:
    """A known secret is replaced if it is plain, percent-encoded in either case, or escaped."""
    plain = quote(secret, safe="")
    message = f"<{secret}> <{plain}> <{plain.lower()}> <{quote(plain, safe='')}>"
    assert redact_secret(message, secret) == " ".join(["<[REDACTED]>"] * 4)


def test_short_secret_is_replaced_as_a_word_only() -> None:
    """A secret as short as "k" is not replaced inside other words."""
    assert redact_secret("key k, task", "k") == "key [REDACTED], task"


def test_empty_secret_replaces_nothing() -> None:
    """An empty secret replaces nothing."""
    assert redact_secret("anything", "") == "anything"


def _response(url: str, **headers: Any) -> requests.Response:
    response = requests.Response()
    response.status_code = 400
    response.url = url
    response.request = requests.Request("GET", url, headers=headers).prepare()
    return response


def test_response_own_secret_is_removed_wherever_it_stands() -> None:
    """The key of the request is removed, even without a name before it."""
    response = _response("https://h/x?k=my%2Fown%20key&page=abcdefgh")
    said = "you sent my/own key (my%2Fown%20key) for page abcdefgh"
    assert redact_sensitive_data(said, response) == (
        "you sent [REDACTED] ([REDACTED]) for page abcdefgh"
    )


@for_each("value", ["header-secret", b"header-secret"])
def test_secret_of_a_header_is_removed_wherever_it_stands(value: Any) -> None:
    """A key that was sent in a header is removed, too, whether it was a text or bytes."""
    response = _response("https://h/x", **{"X-API-Key": value})
    assert redact_sensitive_data("bad header-secret", response) == "bad [REDACTED]"


@for_each(
    "response",
    [
        None,
        requests.Response(),
        SimpleNamespace(),
        SimpleNamespace(request=SimpleNamespace(url=None)),
        SimpleNamespace(request=SimpleNamespace(url="https://h/x?page=1")),
        SimpleNamespace(request=SimpleNamespace(url=3, headers=4)),
        SimpleNamespace(request=SimpleNamespace(headers={"X-API-Key": 42})),
    ],
)
def test_answers_that_know_no_secret(response: Any) -> None:
    """The text of a response without a request, a URL or headers is redacted by name."""
    assert redact_sensitive_data("k=abc, 42", response) == "k=[REDACTED], 42"


@for_each(("length", "end"), [(19_999, "xx"), (20_000, "xx"), (20_001, "x...")])
def test_only_a_shortened_text_ends_with_dots(length: int, end: str) -> None:
    """A text of the greatest length is whole; a longer one is cut, and ends with dots."""
    shown = redact_and_shorten("x" * length, ())
    assert shown.endswith(end) and shown.count("x") == min(length, 20_000)


def test_kept_names() -> None:
    """http has the functions under their kept names."""
    assert http.redact_message is redact_message
    assert http.redact_url is redact_url
    assert http._redact_sensitive_data("k=abc", None) == "k=[REDACTED]"


@for_each(
    "text",
    [
        '{"token": ["SEKRET"], "x": 1}',
        "{'k': ['SEKRET']}",
        '{"token": {"a": "SEKRET"}}',
        "run --token=SEKRET",
        "--api_key=SEKRET",
        "-k=SEKRET",
    ],
)
def test_redacted_forms(text: str) -> None:
    """A secret in a list, an object or a command's option is found; redacting twice changes nothing more."""
    redacted = redact_message(text)
    assert "SEKRET" not in redacted
    assert redact_message(redacted) == redacted


@for_each("text", ["/x?k=k&a=1", '{"k": "k"}', "k: k"])
def test_a_key_that_is_also_a_name(text: str) -> None:
    """A short key that is also the name of a secret does not hide that name."""
    redacted = redact_message(redact_secret(text + " k=OTHER", "k"))
    assert "OTHER" not in redacted
    assert "k" in redacted


@for_each("depth", range(6))
@for_each("quote", ['"', "'"])
def test_members_in_escaped_json(depth: int, quote: str) -> None:
    """A member of JSON is redacted, however often the JSON was escaped."""
    mark = "\\" * (2**depth - 1) + quote
    text = f"{{{mark}api_key{mark}: {mark}{KEY}{mark}}}"
    assert KEY not in http.redact_message(text)


ALL_NAMES = (
    "k api_key token access_token key apikey api-key x-api-key privatekey private_key authorization "
    "proxy-authorization"
).split()


@for_each("name", ALL_NAMES)
def test_every_name_in_every_form(name: str) -> None:
    """Each name is found as a parameter, as a member, encoded and in capitals, but not inside another name."""
    for known in (name, name.upper()):
        assert redact_message(f"/x?{known}=s3cret&a=1") == f"/x?{known}=[REDACTED]&a=1"
        assert redact_message(f'{{"{known}": "s3cret"}}') == f'{{"{known}": "[REDACTED]"}}'
        assert redact_message(f"a%26{known}%3Ds3cret%26b") == f"a%26{known}%3D[REDACTED]%26b"
        assert (
            redact_url(f"https://h/x?{known}=s3cret,&a=1") == f"https://h/x?{known}=[REDACTED]&a=1"
        )
    assert redact_message(f"/x?a{name}=visible") == f"/x?a{name}=visible"


@for_each("name", ["x-api-key", "authorization", "proxy-authorization"])
def test_every_header(name: str) -> None:
    """Headers that hold a secret are found in texts and in mappings, in any case."""
    assert redact_message(f"{name}: Bearer s3cret\nNext: 1") == f"{name}: [REDACTED]\nNext: 1"
    headers = {name.title(): "s3cret", name.encode().upper(): b"s3cret", "Accept": "a"}
    redact_headers(headers)
    assert list(headers.values()) == ["[REDACTED]", "[REDACTED]", "a"]
