"""Parts of error texts that a program around the library can replace with words of its own."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, eq=False)
class Phrase:
    """A part of error texts that only users of Python understand, such as the name of an argument.

    A program whose users write no Python replaces it with :func:`replaced_phrases`.

    Attributes
    ----------
    text : str
        The words for users of Python, with the names of values in braces.

    Examples
    --------
    >>> limit = Phrase("max_delete_share={share}")
    >>> limit(share=0.5)
    'max_delete_share=0.5'
    >>> with replaced_phrases({limit: "--max-delete-share {share}"}):
    ...     limit(share=0.5)
    '--max-delete-share 0.5'
    """

    text: str

    def __call__(self, **values: object) -> str:
        """Return the text, or what replaces it now, with these values."""
        return _replacements.get().get(self, self.text).format(**values)


_replacements: ContextVar[Mapping[Phrase, str]] = ContextVar(
    "replacements", default=MappingProxyType({})
)


@contextmanager
def replaced_phrases(words: Mapping[Phrase, str]) -> Generator[None, None, None]:
    """Replace phrases in the errors that are made inside the block."""
    token = _replacements.set({**_replacements.get(), **words})
    try:
        yield
    finally:
        _replacements.reset(token)
