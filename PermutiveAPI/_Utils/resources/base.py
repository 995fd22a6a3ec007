"""What all resources share: calls through the request helper, answers adopted, timestamps, batches."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from .. import http
from ..arguments import iterated, listed, require_iterable, require_kind
from ..batch.types import (
    BatchOptions,
    BatchRequest,
    Failures,
    MadeRequests,
    ReadingRequest,
    Responses,
)
from ..credentials import resolve_api_key
from ..encoding import NotJSONError
from ..json import JSONSerializable, parsed
from .answers import read_answer

R = TypeVar("R", bound="Resource")
Item = TypeVar("Item", bound="Resource")
Built = TypeVar("Built")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Call:
    """One call that changes something: the same for a single object and in a batch.

    Attributes
    ----------
    verb : str
        The request helper's function: post, patch or delete.
    url : str
        The address.
    data : dict, optional
        The body.
    adopts : tuple of str
        The attributes that the object takes over from the answer.
    without_answer : str, optional
        What to say when the request helper returns None.
    """

    verb: str
    url: str
    data: dict[str, Any] | None = None
    adopts: tuple[str, ...] = ()
    without_answer: str | None = None


class Resource(JSONSerializable[dict[str, Any]]):
    """Base of the models that the service knows.

    Every call of a single object goes through `_request_helper`, which tests of users' own replace
    by stubs: it is called with exactly the arguments of ``http``'s functions, and answers are read
    through ``response.json()`` alone.
    """

    _request_helper: ClassVar[Any] = http
    # The names of the creation's and the last change's timestamp.
    _timestamps: ClassVar[tuple[str, ...]] = ()
    # The fields without which no object is made.
    _required: ClassVar[tuple[str, ...]] = ("name",)
    # What batches call their objects, for error texts.
    _plural: ClassVar[str] = "items"

    def __post_init__(self) -> None:
        """Fill in missing timestamps: one from the other, both with the current UTC time."""
        known = [getattr(self, name) for name in self._timestamps]
        if None in known:
            given = [value for value in known if value is not None]
            value = given[0] if given else datetime.now(timezone.utc)
            for name in self._timestamps:
                if getattr(self, name) is None:
                    setattr(self, name, value)

    def __repr__(self) -> str:
        """Show the fields that are not None and not the default."""
        shown = (
            f"{each.name}={_shown(value)}"
            for each in fields(cast("Any", self))
            if (value := getattr(self, each.name)) is not None and value != each.default
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def from_json(cls: type[R], data: Any) -> R:
        """Make an object from JSON data, JSON text or a file.

        A timestamp that is absent is filled in as by the constructor; one that is null stays None.

        Raises
        ------
        TypeError
            If `data` is not a dictionary, JSON text or path, is not valid JSON, or lacks a required member.
        """
        content = parsed(data) if isinstance(data, (str, Path)) else data
        made = super().from_json(content)
        for name in cls._timestamps:
            if content.get(name, made) is None:
                setattr(made, name, None)
        return made

    @classmethod
    def _from_answer(cls: type[R], data: Any) -> R:
        """Make an object from the JSON data of an answer, with only the timestamps that it has."""
        if isinstance(data, dict):
            data = {**dict.fromkeys(cls._timestamps), **cast("dict[str, Any]", data)}
        return cls.from_json(data)

    def _adopt(self: R, names: Iterable[str], data: Any) -> R:
        """Take attributes over from an answer, and return the object that it describes.

        What the answer does not tell stays as it is; only timestamps become None.
        """
        if isinstance(data, dict):
            required = {name: getattr(self, name) for name in self._required}
            answer = self._from_answer({**required, **cast("dict[str, Any]", data)})
        else:
            answer = self._from_answer(data)  # Says what is wrong with it.
        for name in names:
            if name in data or name in self._timestamps:
                setattr(self, name, getattr(answer, name))
        return answer

    @classmethod
    def _fetch(cls: type[R], url: str, api_key: str, without_answer: str) -> R:
        """Get one object."""
        api_key = resolve_api_key(api_key)
        response = cls._request_helper.get(api_key=api_key, url=url)
        return read_answer(cls._from_answer, response, without_answer)

    def _perform(self, call: Call, api_key: str) -> None:
        """Make a call for this object."""
        api_key = resolve_api_key(api_key)
        body = {} if call.data is None else {"data": call.data}
        send = getattr(self._request_helper, call.verb)
        self._finish(call, send(api_key=api_key, url=call.url, **body))

    def _finish(self, call: Call, response: Any) -> None:
        """Take over what the answer to a call says."""
        if call.adopts:
            without_answer = call.without_answer or "Response is None"
            read_answer(partial(self._adopt, call.adopts), response, without_answer)
        elif response is None and call.without_answer:
            raise ValueError(call.without_answer)

    @classmethod
    def _batch(
        cls, items: Iterable[Item], call_of: Callable[[Item], Call], options: BatchOptions
    ) -> Responses:
        """Make one call for each object. All are checked before the first one is sent."""
        calls = built_from(cls._plural, items, cls, call_of)
        batch = [
            ReadingRequest(
                call.verb.upper(),
                call.url,
                json=call.data,
                item=item,
                read=partial(item._finish, call),
            )
            for item, call in calls
        ]
        return http.batch_runner().collect(batch, options)

    @classmethod
    def _batch_fetch(
        cls: type[R],
        ids: Iterable[str],
        url_of: Callable[[str], str],
        without_answer: str,
        options: BatchOptions,
    ) -> tuple[dict[str, Any], Failures]:
        """Get one object for each different id, and return them by id."""
        given = listed("ids", ids)
        for position, each in enumerate(given):
            if not isinstance(each, Hashable):  # As objects of the models are.
                raise TypeError(f"ids[{position}] must be an id, got {type(each).__name__}.")
        wanted: list[str] = [*dict.fromkeys(given)]
        read = partial(read_answer, cls._from_answer, without_answer=without_answer)
        batch = [
            ReadingRequest("GET", url_of(id), item=id, read=partial(_with_id, id, read))
            for id in wanted
        ]
        found, failures = http.batch_runner().collect_values(batch, options)
        return dict(found), failures


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, datetime) else repr(value)


def _with_id(id: str, read: Callable[[Any], Value], response: Any) -> tuple[str, Value]:
    return id, read(response)


def built_from(
    name: str, items: Iterable[Item], kind: type, build: Callable[[Item], Built]
) -> Iterator[tuple[Item, Built]]:
    """Check the items of a batch and build something from each, as they are asked for.

    Parameters
    ----------
    name : str
        What the argument is called, for error texts.
    items : iterable
        The items.
    kind : type
        What each one must be.
    build : callable
        Called with each item.

    Returns
    -------
    iterator of (item, built)
        In the order of the items.

    Raises
    ------
    TypeError
        If `items` is no iterable, or one of them is of another kind.
    ValueError
        As `build` does. Its text, or its note where the text is a known one, says which item.
    """
    return _built(name, iterated(name, items), kind, build)


def streamed_from(
    name: str,
    items: Iterable[Item],
    kind: type,
    request_of: Callable[[Item], BatchRequest],
    url: str,
) -> MadeRequests:
    """Make a POST request of each item of a stream, as they are asked for.

    As for :func:`built_from`, but an item that cannot be sent becomes a request that fails with what is
    wrong with it, and the stream goes on.
    """

    def refused(item: Item, error: Exception) -> BatchRequest:
        return ReadingRequest("POST", url, item=item, read=_do_nothing, refusal=error)

    require_iterable(name, items)
    built = _built(name, items, kind, request_of, refused)
    return MadeRequests((request for _, request in built), items)


def _do_nothing(response: Any) -> None:
    """Read nothing: the request was never sent."""


def _built(
    name: str,
    items: Iterable[Item],
    kind: type,
    build: Callable[[Item], Built],
    refused: Callable[[Item, Exception], Built] | None = None,
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
