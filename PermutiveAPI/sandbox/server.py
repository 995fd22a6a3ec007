"""The class ``Sandbox``: a local Permutive service that users start and stop."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from .app import build_app
from .background import BackgroundServer, listening_socket
from .behaviour import Behaviour
from .environment import pointing_to
from .faults import Fault, FaultQueue
from .recording import RecordedRequest, RequestLog
from .seed import seeded_state

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(kw_only=True, repr=False, eq=False)
class Sandbox(Behaviour):
    """A local Permutive service with state and believable data.

    Inside the ``with`` block it serves ``base_url``, and the environment variable
    ``PERMUTIVE_API_BASE_URL`` points to it. After the block the variable has its old value
    again. Any thread may use the object.

    It covers what Permutive documents for cohorts, imports and segments, identities, events,
    segmentation and contextual targeting. What Permutive does not publish is assumed. Each
    assumption is a switch, listed in ``help(Behaviour)``: a keyword argument here, and an
    attribute that may be changed at any time. A user belongs to about a third of the enabled
    cohorts, always the same, whatever the user's events are. If ``check_queries`` is true, the
    cohorts' queries decide instead.

    Attributes
    ----------
    host : str
        Address to listen on, loopback by default.
    port : int
        Port to listen on; 0 takes a free one.

    Raises
    ------
    OSError
        On entering the block, if the address is in use or not available.
    RuntimeError
        On entering the block, if the sandbox is already running.

    Examples
    --------
    >>> with Sandbox() as sandbox:
    ...     cohorts = Cohort.list(api_key=sandbox.api_key)
    >>> cohorts[0].name
    'Football Fans'
    >>> sandbox.requests[0].path
    '/cohorts-api/v2/cohorts/'
    """

    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        """Fill the service with its first data."""
        super().__post_init__()
        self._state = seeded_state()
        workspaces = self._state.workspaces
        self._request_log = RequestLog(key for each in workspaces for key in each.keys)
        self._faults = FaultQueue()
        self._base_url: str | None = None
        self._running: ExitStack | None = None

    @property
    def base_url(self) -> str:
        """The origin of its URLs, for instance ``http://127.0.0.1:8080``."""
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

        The response to a change of a cohort or segment with this key is 403.
        """
        return self._state.workspaces[0].read_only_api_key

    @property
    def requests(self) -> list[RecordedRequest]:
        """The newest 100,000 requests in order of arrival, without their keys."""
        return self._request_log.requests()

    @property
    def aliases(self) -> dict[tuple[str, str], str]:
        """The user id of each known alias, by tag and id."""
        return dict(self._state.aliases)

    def credentials(self) -> list[dict[str, str]]:
        """Return the content of a credentials file: the workspaces with their keys.

        Examples
        --------
        >>> [workspace["name"] for workspace in Sandbox().credentials()]
        ['Meridian Media Group', 'Meridian Regional News']
        """
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
        """Let the next requests fail. They change nothing in the sandbox.

        Parameters
        ----------
        status : int
            The HTTP status, 200 to 599.
        times : int
            How many requests fail.
        retry_after : str | None
            The ``Retry-After`` header, for instance "2" for two seconds; None: no header.
        method : str | None
            Only requests with this HTTP method; None: any.
        path : str | None
            Only requests whose path starts with this text; None: any.
        body : str | None
            The body; None: Permutive's error envelope, nothing for a status below 400.
        content_type : str
            The content type of ``body``.

        Raises
        ------
        ValueError
            If ``status`` is outside that range, or ``times`` is below 1.

        Examples
        --------
        >>> sandbox.fail_next(status=503, retry_after="0", path="/cohorts-api/")
        >>> cohorts = Cohort.list()
        >>> [request.status for request in sandbox.requests]
        [503, 200]
        """
        method = method.upper() if method else None
        fault = Fault(status, retry_after, method, path, body, content_type)
        self._faults.add(fault, times)

    def clear_requests(self) -> None:
        """Forget the requests that have arrived so far.

        Examples
        --------
        >>> cohorts = Cohort.list()
        >>> sandbox.clear_requests()
        >>> sandbox.requests
        []
        """
        self._request_log.clear()

    def __enter__(self) -> Sandbox:
        """Start the server, and point ``PERMUTIVE_API_BASE_URL`` to it."""
        if self._running is not None:
            raise RuntimeError("The sandbox is running already.")
        with ExitStack() as stack:
            listener = stack.enter_context(listening_socket(self.host, self.port))
            host = _WILDCARDS.get(self.host, self.host)
            port = listener.getsockname()[1]
            self._base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            app = build_app(self._state, self, self._request_log, self._faults)
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
        """Stop the server, close every connection, and restore the environment."""
        stack, self._running = self._running, None
        if stack is not None:
            stack.close()

    def __repr__(self) -> str:
        """Show the address, never a key."""
        place = f"at {self._base_url}" if self._running else "not running"
        return f"<Sandbox {place}>"
