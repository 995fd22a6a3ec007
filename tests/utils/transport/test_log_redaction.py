"""urllib3's log records while the library sends, and while other code does."""

from __future__ import annotations

import logging

import pytest

from PermutiveAPI._Utils.transport import log_redaction

urllib3_logger = logging.getLogger("urllib3.connectionpool")


@pytest.fixture(autouse=True)
def installed(caplog: pytest.LogCaptureFixture) -> None:
    """Install the filter, and capture every record."""
    log_redaction.install()
    caplog.set_level(logging.DEBUG)


@pytest.mark.parametrize(
    "name",
    [
        "urllib3",
        "urllib3.connection",
        "urllib3.connectionpool",
        "urllib3.poolmanager",
        "urllib3.response",
        "urllib3.util.retry",
        "urllib3.util.ssl_",
    ],
)
def test_records_of_this_library_show_no_key(caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Records of every urllib3 logger are redacted while this library sends, including their arguments."""
    with log_redaction.active():
        logging.getLogger(name).debug('"%s %s" %d', "GET", "/x?k=secret&page=2", 200)
    assert caplog.messages == ['"GET /x?k=[REDACTED]&page=2" 200']
    assert not caplog.records[0].args


def test_traceback_in_a_record_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """Tracebacks in urllib3's records are redacted while this library sends."""
    with log_redaction.active():
        try:
            raise OSError("https://h/x?k=secret")
        except OSError:
            urllib3_logger.debug("failed", exc_info=True)
    assert "secret" not in caplog.text
    assert "OSError: https://h/x?k=[REDACTED]" in caplog.text


def test_records_of_others_stay(caplog: pytest.LogCaptureFixture) -> None:
    """Records of other users of urllib3 do not change, even after a call of this library."""
    with log_redaction.active():
        with log_redaction.active():
            pass
        urllib3_logger.debug("k=%s", "inner")
    urllib3_logger.debug("k=%s", "theirs")
    assert caplog.messages == ["k=[REDACTED]", "k=theirs"]


def test_installed_once() -> None:
    """Installing the filter twice adds it once."""
    before = list(urllib3_logger.filters)
    log_redaction.install()
    assert urllib3_logger.filters == before
