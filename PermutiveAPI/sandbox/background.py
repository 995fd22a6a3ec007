"""A uvicorn server in its own thread that starts and stops quickly."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from concurrent.futures import Future

import uvicorn
from starlette.types import ASGIApp

_THREAD_NAME = "permutive-sandbox"
_START_TIMEOUT_SECONDS = 10.0
_TICK_SECONDS = 1.0
# Longer than clients keep idle connections, so that the server never closes one first.
_KEEP_ALIVE_SECONDS = 75
_BACKLOG = 2048


class BackgroundServer:
    """Serve an application on a listening socket until ``stop()`` is called."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        self._listener = listener
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._run, name=_THREAD_NAME, daemon=True)

    def start(self) -> None:
        """Start the thread, and wait until the server is ready."""
        logging.getLogger("uvicorn.error").addFilter(_no_chatter)
        self._thread.start()
        self._server.started_on.result(_START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Close every connection, even those in use, and wait for the thread to end."""
        self._server.stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listener]))
        except Exception as error:
            self._server.started_on.set_exception(error)


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket. If the address is not available, raise an OSError that says why."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        plain = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OSError(error.errno, _refusal(host, port, error)) from None
    # asyncio sets TCP_NODELAY only if the protocol is named. Without TCP_NODELAY each response
    # waits about 40 ms for the client's delayed acknowledgement.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=plain.detach())


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is already in use. Choose another port; 0 takes a free one."
    return f"Cannot listen on {host}, port {port}: {error.strerror}"


def _no_chatter(record: logging.LogRecord) -> bool:
    # Only this thread's records, so that a uvicorn of the user in the same process still logs.
    return record.threadName != _THREAD_NAME or record.levelno >= logging.ERROR


class _Server(uvicorn.Server):
    """uvicorn's server without its polling: it wakes up when ``stop()`` is called."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.started_on: Future[asyncio.AbstractEventLoop] = Future()
        self._told = asyncio.Event()

    def stop(self) -> None:
        self.started_on.result().call_soon_threadsafe(self._told.set)

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.started_on.set_result(asyncio.get_running_loop())
        while not self._told.is_set():
            try:
                await asyncio.wait_for(self._told.wait(), _TICK_SECONDS)
            except asyncio.TimeoutError:
                await self.on_tick(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            transport: asyncio.Transport = connection.transport
            transport.abort()
        # The connections need one turn of the loop to notice that they are closed.
        await asyncio.sleep(0)
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
