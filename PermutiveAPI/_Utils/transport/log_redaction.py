"""Keep the key out of urllib3's log while this library sends a request.

urllib3 writes the path and query of every request to its log at DEBUG. The filter here rewrites such
records; it acts only in a thread that is sending for this library, so that the records of other
users of urllib3 stay as they are.
"""

from __future__ import annotations

import logging
import threading
from contextlib import AbstractContextManager

from ..redaction import redact_and_shorten

# A filter sees the records of its own logger only, not those of the loggers below it.
_LOGGERS = (
    "urllib3",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
    "urllib3.util.ssl_",
)

_here = threading.local()


def active() -> AbstractContextManager[None]:
    """Redact what the calling thread logs through urllib3 inside the block."""
    return _Active()


class _Active(AbstractContextManager[None]):
    def __enter__(self) -> None:
        self._before = getattr(_here, "active", False)
        _here.active = True

    def __exit__(self, *exception: object) -> None:
        _here.active = self._before


def install() -> None:
    """Add the filter to urllib3's loggers, once."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)  # Adding it twice has no effect.


class _RedactingFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(_here, "active", False):
            record.msg, record.args = redact_and_shorten(record.getMessage(), ()), None
            if record.exc_info:
                told = logging.Formatter().formatException(record.exc_info)
                record.exc_text = redact_and_shorten(told, ())
                record.exc_info = None
        return True


_FILTER = _RedactingFilter()
