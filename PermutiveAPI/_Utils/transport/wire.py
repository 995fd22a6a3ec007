"""A response as it comes from the wire, read within the bounds of its attempt."""

from __future__ import annotations

import http.client
import io
import math
from typing import Any, cast

from urllib3.exceptions import DecodeError, ProtocolError

from ..cancellation import monotonic
from . import bounds
from .response import WholeResponse

_PIECE_BYTES = 65_536
# The largest factor by which decoding makes a body larger. For other encodings, no limit is known.
_MOST_GROWTH = {None: 1, "gzip": 1100, "deflate": 1100}


class BoundedResponse(http.client.HTTPResponse):
    """A response; http.client takes every status but 100 for the final one."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        self._wire = Wire(sock)
        self._interim_responses = 0
        super().__init__(cast("Any", self._wire), *args, **kwargs)

    def begin(self) -> None:
        """Read the status and the headers, and skip interim responses such as Early Hints.

        Otherwise the final response would be left for the next request of this connection.
        """
        super().begin()
        while self.status < 200:
            self.headers = self.msg = cast("Any", None)
            super().begin()
        # http.client takes the end of the stream for the end of the headers. It reads nothing after a
        # blank line.
        if self._wire.ended:
            raise http.client.RemoteDisconnected(
                "Remote end closed connection inside the headers of its response"
            )

    def _read_status(self) -> tuple[str, int, str]:
        """Read a status line. http.client itself skips any number of 100 Continue."""
        version, status, reason = cast("Any", super())._read_status()
        self._interim_responses += status < 200
        if self._interim_responses > bounds.MOST_INTERIM_RESPONSES:
            raise bounds.OutOfBounds(
                f"More than {bounds.MOST_INTERIM_RESPONSES} interim (1xx) responses came "
                "in place of the final response."
            )
        return version, status, reason


class Wire(io.RawIOBase):
    """The bytes of a response as they come from a socket, until the attempt's time is over.

    ``ended`` is true when the other end has closed the connection.
    """

    def __init__(self, sock: Any) -> None:
        # By position: stand-ins for sockets, such as mocket's, have another name for the argument.
        self._bytes: Any = sock.makefile("rb", 0)
        self._sock = sock
        # pyOpenSSL's sockets have no gettimeout(); the sockets that they wrap do.
        timeout_of = getattr(sock, "gettimeout", None) or sock.socket.gettimeout
        timeout: float | None = timeout_of()
        self._timeout = math.inf if timeout is None else timeout
        self._attempt = bounds.current()
        self.ended = False

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the bytes as a buffered file. http.client takes an object with this method for a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read the bytes that have come, or wait for them as long as the timeout and the attempt allow."""
        attempt = self._attempt
        left = attempt.ends - monotonic()
        if left < self._timeout:
            if left <= 0:
                raise bounds.too_long(attempt)
            self._sock.settimeout(max(left, bounds.SHORTEST_WAIT_SECONDS))
        try:
            count: int = self._bytes.readinto(buffer)
        except TimeoutError:
            if monotonic() < attempt.ends:
                raise
            raise bounds.too_long(attempt) from None
        self.ended = count == 0
        return count

    def close(self) -> None:
        """Release the socket."""
        self._bytes.close()
        super().close()


def read_whole(response: Any) -> WholeResponse:
    """Read a response. If it is read to its end, its connection goes back to the pool; if not, it is closed."""
    is_whole = False
    try:
        body, is_whole = _read_body(response)
    except (DecodeError, ValueError) as error:  # ValueError: a chunk has a negative size.
        raise ProtocolError(str(error), error) from error
    finally:
        if not is_whole:
            response.close()
            response.release_conn()
    pairs = tuple(response.headers.iteritems())  # The view of items() would count them first.
    return WholeResponse(response.status, response.reason, pairs, body, is_whole)


def _read_body(response: Any) -> tuple[bytes, bool]:
    """Read the body of a response of urllib3, and decode it; tell whether it is whole.

    If it is too large, only its beginning is returned, and more may be left to read.
    """
    most = bounds.current().most_bytes
    length: int | None = response.length_remaining
    growth = _MOST_GROWTH.get(response.headers.get("content-encoding"), math.inf)
    if length is not None and length * growth <= most:
        return response.read(), True
    if length is not None and growth == 1:  # Content-Length says that it is too large.
        return response.read(_PIECE_BYTES), False
    pieces: list[bytes] = []
    size = 0
    while piece := response.read(_PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return pieces[0], False
    return b"".join(pieces), True
