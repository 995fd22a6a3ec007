"""Search for a secret everywhere that an error or a log may show it."""

from __future__ import annotations

import inspect
import io
import logging
import pickle
import traceback
from typing import Any, Iterable, Iterator, List, Tuple
from urllib.parse import quote, quote_plus


def assert_no_secret(
    error: BaseException, records: Iterable[logging.LogRecord], secret: str
) -> None:
    """Assert that neither an error nor a log record shows a secret, plain or encoded."""
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    places = [*_of_error(error), *_of_records(records)]
    leaks = [f"{place}: {text}" for place, text in places if any(form in text for form in forms)]
    assert not leaks, "\n".join(leaks)


def _of_error(error: BaseException) -> Iterator[Tuple[str, str]]:
    yield "pickle", pickle.dumps(error).decode("latin-1")
    # Without the frames of the error itself: they only repeat lines of code.
    yield "traceback", "".join(traceback.format_exception(type(error), error, None))
    for link in _chain(error):
        where = type(link).__name__
        yield f"{where} repr", repr(link)
        yield f"{where} str", str(link)
        yield f"{where} args", repr(link.args)
        yield f"{where} attributes", repr(vars(link))
        response: Any = getattr(link, "response", None)
        request: Any = getattr(response, "request", None) or getattr(link, "request", None)
        for name, holder in (("error", link), ("response", response), ("request", request)):
            yield f"{where} {name}.url", str(getattr(holder, "url", ""))
            yield f"{where} {name}.headers", str(getattr(holder, "headers", ""))
        yield f"{where} request.path_url", str(getattr(request, "path_url", ""))
        yield f"{where} response.history", repr(getattr(response, "history", ""))


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting: List[Any] = [error]
    seen: List[BaseException] = []
    while waiting:
        link = waiting.pop()
        if isinstance(link, BaseException) and not any(link is one for one in seen):
            seen.append(link)
            yield link
            waiting += [link.__cause__, link.__context__, *link.args]


def _of_records(records: Iterable[logging.LogRecord]) -> Iterator[Tuple[str, str]]:
    for record in records:
        stream = io.StringIO()
        logging.StreamHandler(stream).handle(record)
        yield f"log {record.name}", stream.getvalue()
        yield f"log {record.name} attributes", repr(vars(record))


def arguments_in_frames(error: BaseException) -> List[str]:
    """Return the arguments of an error's frames, as cgitb shows them: it fails if one was deleted."""
    return [
        inspect.formatargvalues(*inspect.getargvalues(frame))
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
