"""Parts of errors' texts that a program around the library says in words of its own."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, eq=False)
class Phrase:
    """A part of errors' texts that only users of Python understand, such as the name of an argument.

    A program whose users write no Python replaces the phrase, whatever the text around it says.

    Attributes
    ----------
    text : str
        The words for users of Python, with the names of values in braces.

    Examples
    --------
    >>> limit = Phrase("max_delete_share={share}")
    >>> limit(share=0.5)
    'max_delete_share=0.5'
    >>> with in_other_words({limit: "--max-delete-share {share}"}):
    ...     limit(share=0.5)
    '--max-delete-share 0.5'
    """

    text: str

    def __call__(self, **values: object) -> str:
        """Return the words for the present users, with these values."""
        return _words.get().get(self, self.text).format(**values)


_words: ContextVar[Mapping[Phrase, str]] = ContextVar("words", default=MappingProxyType({}))


@contextmanager
def in_other_words(words: Mapping[Phrase, str]) -> Generator[None, None, None]:
    """Let errors that are made in the block say these words in place of the phrases' own."""
    token = _words.set({**_words.get(), **words})
    try:
        yield
    finally:
        _words.reset(token)
