"""What all resources share: operations, fields that a response sets, timestamps, batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timezone
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

from .. import batch, http
from ..arguments import listed, require_iterable, require_kind
from ..codec.encoding import NotJSONError
from ..credentials import resolve_api_key
from ..json import JSONSerializable
from .responses import read_response

R = TypeVar("R", bound="Resource")
Item = TypeVar("Item", bound="Resource")
Built = TypeVar("Built")
Value = TypeVar("Value")


class Operation(NamedTuple):
    """A request that changes something; the same for a single object and in a batch.

    Attributes
    ----------
    method : str
        The HTTP method in lower case, which is also the request helper's function: post, patch or
        delete.
    url : str
        The URL.
    data : dict, optional
        The body.
    fields_from_response : tuple of str
        The fields that are set from the response.
    without_response : str, optional
        The error text for a request helper that returns None.
    journal_body : dict, optional
        The body that a journal recognises the request by, if the response changes `data`.
    """

    method: str
    url: str
    data: dict[str, Any] | None = None
    fields_from_response: tuple[str, ...] = ()
    without_response: str | None = None
    journal_body: dict[str, Any] | None = None


class Resource(JSONSerializable[dict[str, Any]]):
    """Base class of the models that the service stores.

    Every call of a single object goes through `_request_helper`, which users' own tests replace by
    stubs. So it is called with exactly the arguments of ``http``'s functions, and only ``json()`` of a
    response is used.
    """

    _request_helper: ClassVar[Any] = http
    # The fields with the times of creation and of the last change.
    _timestamps: ClassVar[tuple[str, ...]] = ()
    # The fields that the constructor requires.
    _required: ClassVar[tuple[str, ...]] = ("name",)
    # What error texts of batches call the objects.
    _plural: ClassVar[str] = "items"

    def __post_init__(self) -> None:
        """Fill in missing timestamps: one from the other, both with the current UTC time."""
        for name in self._timestamps:
            if getattr(self, name) is None:
                known = self._known_timestamp()
                setattr(self, name, datetime.now(timezone.utc) if known is None else known)

    def _known_timestamp(self) -> Any:
        known = (getattr(self, name) for name in self._timestamps)
        return next((value for value in known if value is not None), None)

    def __repr__(self) -> str:
        """Show the fields that are neither None nor the default."""
        shown = (
            f"{each.name}={_shown(value)}"
            for each in fields(cast("Any", self))
            if (value := getattr(self, each.name)) is not None
            # A default is a number or nothing. An array or pandas' NA cannot be compared with it.
            and not (isinstance(value, (int, float)) and value == each.default)
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def _from_content(cls: type[R], content: Any) -> R:
        """Make an object. The constructor fills in a timestamp that is absent; one that is null stays None."""
        made = super()._from_content(content)
        made._keep_empty_timestamps(content)
        return made

    @classmethod
    def _from_row(cls: type[R], row: dict[str, Any]) -> R:
        """Make an object from a row of a table. The cells count as arguments of the constructor."""
        made = cls(**row)
        made._keep_empty_timestamps(row)
        return made

    def _keep_empty_timestamps(self, given: Mapping[str, Any]) -> None:
        """Set timestamps that were given as None to None again. The constructor has set them to a time."""
        for name in self._timestamps:
            if given.get(name, self) is None:
                setattr(self, name, None)

    @classmethod
    def _from_response(cls: type[R], data: Any) -> R:
        """Make an object from the JSON data of a response, with only the timestamps that are in it."""
        if isinstance(data, dict):
            data = {**dict.fromkeys(cls._timestamps), **cast("dict[str, Any]", data)}
        return cls.from_json(data)

    def _set_from_response(self: R, names: Iterable[str], data: Any) -> R:
        """Set fields from a response, and return the object that the response describes.

        A field that is not in the response stays as it is; a timestamp becomes None.
        """
        if isinstance(data, dict):
            required = {name: getattr(self, name) for name in self._required}
            described = self._from_response({**required, **cast("dict[str, Any]", data)})
        else:
            described = self._from_response(data)  # Raises an error that says what is wrong.
        for name in names:
            if name in data or name in self._timestamps:
                setattr(self, name, getattr(described, name))
        return described

    @classmethod
    def _fetch(cls: type[R], url: str, api_key: str, without_response: str) -> R:
        """Fetch one object."""
        api_key = resolve_api_key(api_key)
        response = cls._request_helper.get(api_key=api_key, url=url)
        return read_response(cls._from_response, response, without_response)

    def _perform(self, operation: Operation, api_key: str) -> None:
        """Send the request of an operation on this object, and read the response."""
        api_key = resolve_api_key(api_key)
        body = {} if operation.data is None else {"data": operation.data}
        send = getattr(self._request_helper, operation.method)
        self._finish(operation, send(api_key=api_key, url=operation.url, **body))

    def _finish(self, operation: Operation, response: Any) -> None:
        """Set fields from the response to an operation."""
        if operation.fields_from_response:
            read = partial(self._set_from_response, operation.fields_from_response)
            read_response(read, response, operation.without_response or "Response is None")
        elif response is None and operation.without_response:
            raise ValueError(operation.without_response)

    @classmethod
    def _batch(
        cls,
        items: Iterable[Item],
        operation_of: Callable[[Item], Operation],
        options: batch.BatchOptions,
    ) -> batch.Responses:
        """Send one request for each object. All objects are checked before the first request."""
        built = built_from(cls._plural, items, cls, operation_of)
        requests = [
            batch.ReadingRequest(
                operation.method.upper(),
                operation.url,
                json=operation.data,
                item=item,
                read=partial(item._finish, operation),
                journal_body=operation.journal_body,
            )
            for item, operation in built
        ]
        return http.batch_runner().collect(requests, options)

    @classmethod
    def _batch_fetch(
        cls: type[R],
        ids: Iterable[str],
        url_of: Callable[[str], str],
        without_response: str,
        options: batch.BatchOptions,
    ) -> tuple[dict[str, Any], batch.Failures]:
        """Fetch one object for each different id, and return the objects by id."""
        given = listed("ids", ids)
        for position, each in enumerate(given):
            if not isinstance(each, Hashable):  # For instance an object instead of its id.
                raise TypeError(f"ids[{position}] must be an id, got {type(each).__name__}.")
        wanted: list[str] = [*dict.fromkeys(given)]
        read = partial(read_response, cls._from_response, without_response=without_response)
        requests = [
            batch.ReadingRequest("GET", url_of(id), item=id, read=partial(_with_id, id, read))
            for id in wanted
        ]
        found, failures = http.batch_runner().collect_values(requests, options)
        return dict(found), failures


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, datetime) else repr(value)


def _with_id(id: str, read: Callable[[Any], Value], response: Any) -> tuple[str, Value]:
    return id, read(response)


def built_from(
    name: str,
    items: Iterable[Item],
    kind: type,
    build: Callable[[Item], Built],
    refused: Callable[[Item, Exception], Built] | None = None,
) -> Iterator[tuple[Item, Built]]:
    """Check each item of a batch, and build something from it, when the iterator reaches it.

    Each item must be of the class `kind`. `name` is the argument's name, for error texts. If `build`
    raises an error, it is raised, unless `refused` builds something from the item and the error.

    Raises
    ------
    TypeError
        If `items` is not iterable, or an item is not of this class.
    Exception
        What `build` raises. Its text, or a note, says which item it is about.
    """
    require_iterable(name, items)
    return _built(name, items, kind, build, refused)


def _built(
    name: str,
    items: Iterable[Item],
    kind: type,
    build: Callable[[Item], Built],
    refused: Callable[[Item, Exception], Built] | None,
) -> Iterator[tuple[Item, Built]]:
    for position, item in enumerate(items):
        require_kind(f"{name}[{position}]", item, kind)
        try:
            built = build(item)
        except Exception as error:
            located = _located(error, name, position)
            if refused is None:
                raise located from None
            built = refused(item, located)
        yield item, built


def _located(error: Exception, name: str, position: int) -> Exception:
    """Return an error that says which item it is about."""
    if isinstance(error, NotJSONError):
        return error.below(position).below(name)
    # Notes are shown in tracebacks from Python 3.11 on; callers match the text.
    error.__notes__ = [f"That is {name}[{position}]."]
    return error
