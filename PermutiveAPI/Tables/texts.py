"""Texts of plans, reports and errors: names, values, and long lists of lines."""

from __future__ import annotations

import json
import re
from itertools import takewhile
from typing import Any

from .._Utils.resources.cells import LONGEST_TEXT, cut
from .._Utils.resources.display import first_lines

__all__ = ["first_lines", "one_line", "shown", "shown_both"]

# Control characters, line separators, changes of the direction of writing, and lone surrogates.
_MISLEADING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTEXT = 20  # Characters before the first difference of two long texts.


def one_line(text: str) -> str:
    r"""Return a text in one line. Characters that could hide or move other text are escaped.

    Examples
    --------
    >>> print(one_line("North\n- South"))
    North\n- South
    """
    return _MISLEADING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shown(value: Any) -> str:
    """Return a value for people to read: JSON text, shortened."""
    return cut(_whole(value))


def shown_both(old: Any, new: Any) -> tuple[str, str]:
    """Return two different values for people to read.

    If the difference is far from the beginning of a long text, both texts begin shortly before it.

    Examples
    --------
    >>> shown_both(1.0, 2.0)
    ('1.0', '2.0')
    >>> shown_both("x" * 100 + "a", "x" * 100 + "b")
    ('...xxxxxxxxxxxxxxxxxxxxa"', '...xxxxxxxxxxxxxxxxxxxxb"')
    """
    texts = _whole(old), _whole(new)
    equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False)))
    is_far = equal > LONGEST_TEXT - _CONTEXT and max(map(len, texts)) > LONGEST_TEXT
    one, other = (cut(f"...{text[equal - _CONTEXT :]}" if is_far else text) for text in texts)
    return one, other


def _whole(value: Any) -> str:
    return "(empty)" if value is None else one_line(json.dumps(value, ensure_ascii=False))
