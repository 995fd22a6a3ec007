"""Models that know the service's values, so that an update sends only what differs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from ..codec.encoding import canonical
from ..json import to_payload
from .base import Operation, Resource

Tracked = TypeVar("Tracked", bound="ChangeTracking")


class ChangeTracking(Resource):
    """Base class of the models whose updates send only what differs from the service's values."""

    id: str | None
    # The fields that an update may send.
    _updated_fields: ClassVar[frozenset[str]] = frozenset()
    # The values that the service is known to have, as JSON.
    _known = dict[str, Any]()

    @classmethod
    def _from_response(cls: type[Tracked], data: Any) -> Tracked:
        made = super()._from_response(data)
        made._known = to_payload(made, cls._updated_fields)
        return made

    def _set_from_response(self: Tracked, names: Iterable[str], data: Any) -> Tracked:
        described = super()._set_from_response(names, data)
        if "id" in names:  # It was created.
            self._known = described._known
        return described

    def _finish(self, operation: Operation, response: Any) -> None:
        super()._finish(operation, response)
        if operation.method == "patch" and operation.data:
            self._note_sent(operation.data)

    def _known_of_service(self) -> dict[str, Any]:
        """Return the values that the service is known to have, unless the id has changed since."""
        known = self._known
        return known if known.get("id", self.id) == self.id else {}

    def _differing(self) -> dict[str, Any]:
        """Return the fields that differ from those that the service is known to have."""
        known = self._known_of_service()
        return {
            name: value
            for name, value in to_payload(self, self._updated_fields).items()
            if canonical(value) != canonical(known.get(name))
        }

    def _note_sent(self, sent: dict[str, Any]) -> None:
        """Note the service's new values.

        Of an object made by the constructor or ``from_json``, only the state can be known: from the
        file, or because ``enable`` or ``disable`` has set it.
        """
        known = self._known_of_service()
        if "id" not in sent:  # enable() or disable(): the object gets its state only now.
            for name, value in sent.items():
                setattr(self, name, value)
            known = {**dict.fromkeys(sent), **known}
        fetched = "id" in known
        now = {name: sent[name] for name in sent if fetched or name in known}
        self._known = {**known, **now}
