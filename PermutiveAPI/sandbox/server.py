"""The sandbox as its users see it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from .app import build_app
from .background import BackgroundServer, listening_socket
from .behaviour import Behaviour
from .environment import pointing_to
from .faults import Fault, FaultQueue
from .recording import Journal, RecordedRequest
from .seed import seeded_state

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(kw_only=True, repr=False, eq=False)
class Sandbox(Behaviour):
    """A local Permutive service with state and believable data.

    Inside the ``with`` block it answers on ``base_url``, and the environment variable
    ``PERMUTIVE_API_BASE_URL`` points to it; what was set before is restored after the
    block. Any thread may use the object. It covers what Permutive documents for
    cohorts, imports and segments, identify and CCS segmentation; what Permutive does
    not publish is assumed: each point is a switch, listed in ``help(Behaviour)``, that is
    a keyword argument here and an attribute that may be changed at any time. Whatever
    its events, a user falls into about a third of the enabled cohorts, always the same,
    unless ``check_queries`` is true.

    Attributes
    ----------
    host : str
        Address to listen on, loopback by default.
    port : int
        Port to listen on; 0 takes a free one.

    Raises
    ------
    OSError
        On entering the block, when the address is in use or cannot be had.
    RuntimeError
        On entering the block of a sandbox that is running already.

    Examples
    --------
    >>> import requests
    >>> with Sandbox() as sandbox:
    ...     url = f"{sandbox.base_url}/cohorts-api/v2/cohorts/"
    ...     answer = requests.get(url, params={"k": sandbox.api_key})
    >>> answer.status_code, sandbox.requests[0].query
    (200, {'k': '[REDACTED]'})
    """

    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        """Fill the service with its data."""
        super().__post_init__()
        self._state = seeded_state()
        workspaces = self._state.workspaces
        self._journal = Journal(key for each in workspaces for key in each.keys)
        self._faults = FaultQueue()
        self._base_url: str | None = None
        self._running: ExitStack | None = None

    @property
    def base_url(self) -> str:
        """The origin to call, for instance ``http://127.0.0.1:8080``."""
        if self._base_url is None:
            raise RuntimeError("The sandbox has no address before its with block.")
        return self._base_url

    @property
    def api_key(self) -> str:
        """The key of the top-level workspace."""
        return self._state.workspaces[0].api_key

    @property
    def child_api_key(self) -> str:
        """The key of the child workspace."""
        return self._state.workspaces[1].api_key

    @property
    def read_only_api_key(self) -> str:
        """A key of the top-level workspace that may read cohorts and imports, but not change them.

        Changes of cohorts and segments are 403 with it.
        """
        return self._state.workspaces[0].read_only_api_key

    @property
    def requests(self) -> list[RecordedRequest]:
        """What arrived, in order of arrival, keys masked; the newest 100,000."""
        return self._journal.requests()

    @property
    def aliases(self) -> dict[tuple[str, str], str]:
        """The user id of each known alias, by tag and id."""
        return dict(self._state.aliases)

    def credentials(self) -> list[dict[str, str]]:
        """Return what a credentials file holds: the workspaces with their keys."""
        return [
            {
                "name": workspace.name,
                "organisation_id": workspace.organisation_id,
                "workspace_id": workspace.workspace_id,
                "api_key": workspace.api_key,
            }
            for workspace in self._state.workspaces
        ]

    def fail_next(
        self,
        *,
        status: int = 503,
        times: int = 1,
        retry_after: str | None = None,
        method: str | None = None,
        path: str | None = None,
        body: str | None = None,
        content_type: str = "text/plain",
    ) -> None:
        """Answer the next requests with a failure; they change nothing.

        Parameters
        ----------
        status : int
            Status to answer, 200 to 599.
        times : int
            How many requests fail.
        retry_after : str | None
            Text of the ``Retry-After`` header; None: no header.
        method : str | None
            Only requests with this verb; None: any.
        path : str | None
            Only requests whose path starts so; None: any.
        body : str | None
            Text to answer; None: Permutive's error envelope.
        content_type : str
            Type of ``body``.

        Raises
        ------
        ValueError
            For a status outside that range, or ``times`` below 1.
        """
        verb = method.upper() if method else None
        fault = Fault(status, retry_after, verb, path, body, content_type)
        self._faults.add(fault, times)

    def clear_requests(self) -> None:
        """Forget the requests recorded so far."""
        self._journal.clear()

    def __enter__(self) -> Sandbox:
        """Start answering and point ``PERMUTIVE_API_BASE_URL`` here."""
        if self._running is not None:
            raise RuntimeError("The sandbox is running already.")
        with ExitStack() as stack:
            listener = stack.enter_context(listening_socket(self.host, self.port))
            host = _WILDCARDS.get(self.host, self.host)
            port = listener.getsockname()[1]
            self._base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            app = build_app(self._state, self, self._journal, self._faults)
            server = BackgroundServer(app, listener)
            server.start()
            stack.callback(server.stop)
            stack.enter_context(pointing_to(self._base_url, host))
            self._running = stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the environment, close every connection and stop."""
        stack, self._running = self._running, None
        if stack is not None:
            stack.close()

    def __repr__(self) -> str:
        """Show the address, never a key."""
        place = f"at {self._base_url}" if self._running else "not running"
        return f"<Sandbox {place}>"
