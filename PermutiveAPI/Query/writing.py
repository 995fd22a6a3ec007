"""Write the Python code that makes a query, for ``repr()``."""

from __future__ import annotations

from typing import Any, cast


def literal(value: Any) -> str:
    """Write JSON data as Python code, with quotes as black writes them."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        pairs = (f"{literal(name)}: {literal(inner)}" for name, inner in members)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, cast('list[Any]', value)))}]"
    if isinstance(value, str):
        return _quoted(value)
    return repr(value)


def _quoted(text: str) -> str:
    code = str.__repr__(text)  # A subclass, such as NumPy's, has a different repr().
    if code[0] == '"' or text.count('"') > text.count("'"):
        return code
    inner = code[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inner}"'


def refined(start: str, condition: object = None, *refinements: object) -> str:
    """Write a call and the method calls on its result, except those that are None."""
    calls = [start] if condition is None else [start, f"where({condition!r})"]
    calls += [repr(each) for each in refinements if each is not None]
    return ".".join(calls)
