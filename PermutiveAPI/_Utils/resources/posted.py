"""Models that are sent in a POST to one endpoint: alone, in batches and in streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .. import batch, http
from ..arguments import length_of
from ..credentials import resolve_api_key
from .base import Resource, built_from
from .responses import read_object

Item = TypeVar("Item", bound="Posted")
Params = dict[str, str] | None


class Posted(Resource):
    """Base class of the models that are sent in a POST. Most responses are JSON objects, returned unchanged."""

    @staticmethod
    def _endpoint() -> str:
        """Return the URL. The name ``_API_ENDPOINT`` is looked up for each call, since people's tests replace it."""
        raise NotImplementedError

    def _body(self) -> dict[str, Any]:
        """Check the object, and return what is sent."""
        raise NotImplementedError

    def _post(
        self,
        api_key: str,
        timeout: float | None,
        params: Params = None,
        *,
        url: str | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        """Send the object, and return the JSON object of the response.

        The URL is that of the class and the body is that of the object, unless the caller gives others.
        """
        response = self._request_helper.request(
            method="POST",
            api_key=resolve_api_key(api_key),
            url=url or self._endpoint(),
            params=params,
            json=self._body() if body is None else body,
            timeout=timeout,
        )
        return read_object(response)

    def _request(self, timeout: float | None, params: Params = None) -> batch.BatchRequest:
        """Return the request of a batch that sends the object."""
        return batch.ReadingRequest(
            "POST",
            self._endpoint(),
            params=params,
            json=self._body(),
            timeout=timeout,
            item=self,
            read=read_object,
        )

    @classmethod
    def _requests(
        cls, items: Iterable[Item], request_of: Callable[[Item], batch.BatchRequest]
    ) -> list[batch.BatchRequest]:
        """Make a request from each object. All objects are checked before the first request."""
        return [request for _, request in built_from(cls._plural, items, cls, request_of)]

    @classmethod
    def _batch_values(
        cls,
        items: Iterable[Item],
        request_of: Callable[[Item], batch.BatchRequest],
        options: batch.BatchOptions,
    ) -> tuple[list[Any], batch.Failures]:
        """Send one request for each object, and return the values of the responses and the failures."""
        return http.batch_runner().collect_values(cls._requests(items, request_of), options)

    @classmethod
    def _stream(
        cls,
        items: Iterable[Item],
        request_of: Callable[[Item], batch.BatchRequest],
        options: batch.BatchOptions,
    ) -> batch.Results:
        """Send one request for each object, made when its turn comes.

        An object that cannot be sent does not raise: its result has the error, and the stream goes on.
        """

        def refused(item: Item, error: Exception) -> batch.BatchRequest:
            return batch.ReadingRequest(
                "POST", cls._endpoint(), item=item, read=_nothing, refusal=error
            )

        built = built_from(cls._plural, items, cls, request_of, refused)
        requests = batch.MadeRequests((request for _, request in built), items)
        return http.batch_runner().stream(requests, options, length_of(items))


def _nothing(response: Any) -> None:
    """Read nothing: the request was never sent."""
