"""The class ``Sandbox``: a local Permutive service that users start and stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike
from typing import Any

from .app import build_app
from .background import BackgroundServer, listening_socket
from .behaviour import Behaviour, switches_of
from .control import Control, is_loopback
from .environment import pointing_to
from .faults import Fault, FaultQueue
from .gate import RateLimit
from .loading import data_of_file, load
from .recording import RecordedRequest, RequestLog
from .rows import named
from .saving import StateFile
from .seed import seeded_state
from .state import State

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
    control : bool | None
        Whether requests below ``/_sandbox`` may control it; see the guide. None: only if it listens
        on loopback.
    seed_file : str | PathLike | None
        A JSON file with the arguments of ``seed()``, for its initial data.
    state_file : str | PathLike | None
        A file that keeps its data over restarts. If it exists, the sandbox starts with its data, not
        with the initial data.

    Raises
    ------
    ValueError
        If a file holds something else.
    OSError
        If a file cannot be read. On entering the block, if ``state_file`` cannot be written, or the
        address is in use or not available.
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
    control: bool | None = None
    seed_file: str | PathLike[str] | None = None
    state_file: str | PathLike[str] | None = None

    def __post_init__(self) -> None:
        """Fill the service with its initial data."""
        super().__post_init__()
        self._first_switches = switches_of(self)
        self._seed = None if self.seed_file is None else data_of_file(self.seed_file)
        self._state = self._first_state()
        self._kept = None if self.state_file is None else StateFile(self.state_file, self._state)
        workspaces = self._state.workspaces
        self._request_log = RequestLog(key for each in workspaces for key in each.keys)
        self._rate_limit = RateLimit(self)
        self._faults = FaultQueue()
        self._base_url: str | None = None
        self._running: ExitStack | None = None

    def _first_state(self) -> State:
        state = seeded_state()
        if self._seed is not None:
            with named(str(self.seed_file)):
                load(state, self._seed, self.check_queries)
        return state

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
        names = ("name", "organisation_id", "workspace_id", "api_key")
        return [{name: getattr(each, name) for name in names} for each in self._state.workspaces]

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

    def seed(
        self,
        *,
        cohorts: Iterable[Mapping[str, Any]] = (),
        imports: Iterable[Mapping[str, Any]] = (),
        segments: Iterable[Mapping[str, Any]] = (),
        empty: bool = False,
    ) -> dict[str, list[dict[str, Any]]]:
        """Add cohorts, imports and segments, as the service shows them, and return what was added.

        Only the name is required, and the import of a segment, as ``import_id`` or ``import_code``.
        Ids, codes and times are kept if they are given, and made if not. A cohort belongs to the
        top-level workspace unless it has a ``workspace_id``. A cohort without a query is a lookalike.

        Parameters
        ----------
        cohorts, imports, segments : iterable of dict
            JSON data. An import may also have its own list of ``segments``.
        empty : bool
            Whether everything else is removed first, users and their events, too.

        Raises
        ------
        ValueError
            If a row is refused; the message names the row and the field. Nothing is added then.

        Examples
        --------
        >>> added = sandbox.seed(
        ...     cohorts=[{"name": "Chess players", "query": {"in_segment": 12345}}],
        ...     segments=[{"name": "Club members", "import_code": "subscribercrm"}],
        ... )
        >>> added["cohorts"][0]["code"], added["segments"][0]["code"]
        (12387, 'Clubmembers')
        >>> Cohort.get_by_name("Chess players").state
        'Enabled'
        """
        data = {
            "cohorts": [*cohorts],
            "imports": [*imports],
            "segments": [*segments],
            "empty": empty,
        }
        return load(self._state, data, self.check_queries)

    def reset(self) -> None:
        """Go back to the initial data and the initial behaviour, without requests and faults.

        The data of ``seed_file`` is initial data; that of ``state_file`` and ``seed()`` is not.

        Examples
        --------
        >>> Cohort("Runners", query={"in_segment": 12345}).create()
        >>> sandbox.reset()
        >>> len(Cohort.list()), len(sandbox.requests)
        (28, 1)
        """
        with self._state.lock:
            for name, value in self._first_switches.items():
                setattr(self, name, value)
            self._state.adopt(self._first_state())
            self._faults.clear()
            self._rate_limit.forget()
            self._request_log.clear()

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
            if self._kept is not None:
                stack.enter_context(self._kept.writing())
            app = build_app(
                self._state,
                self,
                self._request_log,
                self._rate_limit,
                self._faults,
                self._control_at(listener.getsockname()[0]),
            )
            server = BackgroundServer(app, listener)
            server.start()
            stack.callback(server.stop)
            stack.enter_context(pointing_to(self._base_url, host))
            self._running = stack.pop_all()
        return self

    def _control_at(self, address: str) -> Control:
        is_local = is_loopback(address)
        is_on = is_local if self.control is None else self.control
        return Control(self, is_on, self.host if is_local else None)

    def __exit__(self, *exception: object) -> None:
        """Stop the server, close every connection, and restore the environment."""
        stack, self._running = self._running, None
        if stack is not None:
            stack.close()

    def __repr__(self) -> str:
        """Show the address, never a key."""
        place = f"at {self._base_url}" if self._running else "not running"
        return f"<Sandbox {place}>"
