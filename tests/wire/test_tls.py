"""TLS: certificates, and the errors for invalid ones."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any

import pytest

from PermutiveAPI import PermutiveConnectionError
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.redaction import hide_user_ids
from tests.support.calls import ALL_CALLS, KEY, WireCall, every
from tests.support.fake_service import FakeService, answer, reset
from tests.support.secrets import assert_no_secret


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_authorities_of_the_environment_count(
    secure: Any, bundle: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A certificate of an authority in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is valid, and the connection is kept alive."""
    server = secure("valid")
    monkeypatch.setenv(name, bundle)
    calls = ALL_CALLS if name == "REQUESTS_CA_BUNDLE" else ALL_CALLS[::20]
    for call in calls:
        server.default = answer(call.status, call.answer)
        call(api_key=KEY)
    assert len(server.received) == len(calls)
    assert server.connections == 1


def test_a_certificate_of_an_unknown_authority(
    secure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """If the authority is unknown, no request is sent, and no call is repeated."""
    caplog.set_level("DEBUG")
    server = secure("valid")
    # test_fault_matrix.py makes all calls under certificates that are invalid in other ways.
    for number, call in enumerate(ALL_CALLS[::6], start=1):
        error = call.error()
        assert type(error) is PermutiveConnectionError, call
        assert "certificate verify failed" in str(error).lower(), call
        assert "outcome is unknown" not in str(error), call
        assert server.connections == number, call
        errors = [one for one in caplog.records if one.levelname == "ERROR"]
        assert [one.getMessage() for one in errors] == [hide_user_ids(str(error))], call
        assert_no_secret(error, caplog.records, KEY)
        caplog.clear()
    assert server.received == []


@pytest.mark.parametrize(
    "refusal",
    [
        ssl.SSLCertVerificationError("“127.0.0.1” certificate is not trusted"),
        ssl.SSLError("bad handshake: [('SSL routines', '', 'certificate verify failed')]"),
    ],
    ids=["truststore", "pyOpenSSL"],
)
def test_an_invalid_certificate_in_other_words(
    secure: Any, bundle: str, monkeypatch: pytest.MonkeyPatch, refusal: ssl.SSLError
) -> None:
    """A certificate that another TLS library or the system refuses is invalid, too: no call is repeated."""
    server = secure("valid")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    wrap = ssl.SSLContext.wrap_socket

    def refusing(context: ssl.SSLContext, *args: Any, **options: Any) -> Any:
        if options.get("server_side"):
            return wrap(context, *args, **options)
        raise refusal

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", refusing)
    with pytest.raises(PermutiveConnectionError, match="after 1 attempts"):
        http.post(KEY, "https://api.permutive.app/x", {})
    assert server.received == []


def test_authorities_are_read_at_every_call(
    secure: Any, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is not used any more if its authority is no longer known."""
    server = secure("valid")
    [call] = [call for call in ALL_CALLS if call.name == "http.get"]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    call(api_key=KEY)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert type(call.error()) is PermutiveConnectionError
    assert len(server.received) == 1


def test_authorities_that_are_missing(secure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If REQUESTS_CA_BUNDLE names no file, the error is a ValueError that names the variable."""
    secure("valid")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/ca.pem")
    with pytest.raises(ValueError, match="^REQUESTS_CA_BUNDLE must name .* '/no/such/ca.pem'"):
        http.get(KEY, "https://api.permutive.app/x")


def test_authorities_that_are_not_needed(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without TLS, a REQUESTS_CA_BUNDLE that names no file does no harm."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/ca.pem")
    assert http.get(KEY, "https://api.permutive.app/x").status_code == 200


@every([call for call in ALL_CALLS if call.name in ("Cohort.create", "Cohort.list")])
def test_faults_count_as_without_tls(
    secure: Any, bundle: str, monkeypatch: pytest.MonkeyPatch, call: WireCall
) -> None:
    """After a reset of a TLS connection, the outcome is unknown, as without TLS."""
    server = secure("valid")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    server.default = reset()
    error = call.error()
    assert type(error) is PermutiveConnectionError
    assert len(server.received) == (3 if call.harmless else 1)
    assert ("outcome is unknown" in str(error)) is not call.harmless


@pytest.mark.parametrize(
    ("reads", "reply"),
    [(2**16, b"HTTP/1.1 400 Bad Request\r\n\r\n"), (2**16, b""), (1, b"")],
    ids=["speaks no TLS", "hangs up", "resets"],
)
def test_a_handshake_that_fails(monkeypatch: pytest.MonkeyPatch, reads: int, reply: bytes) -> None:
    """If a TLS handshake fails, the request and its key were surely not sent, so a create is repeated."""
    heard: list[bytes] = []

    def serve() -> None:
        for _ in range(3):
            with listener.accept()[0] as sock:
                heard.append(sock.recv(reads))
                sock.sendall(reply)

    [call] = [call for call in ALL_CALLS if call.name == "Cohort.create"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"https://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", origin)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        error = call.error()
        thread.join(5)
    assert type(error) is PermutiveConnectionError
    assert "outcome is unknown" not in str(error)
    assert_no_secret(error, [], KEY)
    assert len(heard) == 3 and KEY.encode() not in b"".join(heard)


def test_a_request_is_one_record(
    contexts: Any, port: int, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Headers and body are written at once: one system call, and one TLS record, for each request."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", f"https://127.0.0.1:{port}")
    records: list[bytes] = []

    def serve_one() -> None:
        connection, _ = listener.accept()
        with contexts["valid"].wrap_socket(connection, server_side=True) as secure:
            records.append(secure.recv(2**16))  # At most one record.
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", port)) as listener:
        service = threading.Thread(target=serve_one)
        service.start()
        http.post(KEY, "https://api.permutive.app/v2.0/identify", {"user_id": "u1"})
        service.join()
    assert records[0].startswith(b"POST /v2.0/identify?k=")
    assert records[0].endswith(b'{"user_id": "u1"}')
