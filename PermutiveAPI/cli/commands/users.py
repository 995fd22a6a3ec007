"""``permutive identify`` and ``permutive segment``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from functools import partial
from typing import Any, cast

import click

from PermutiveAPI import Alias, BatchResult, Event, Identity, Segmentation
from PermutiveAPI._Utils.codec.decoding import parse_timestamp
from PermutiveAPI.Tables.identities import identity_from_row
from PermutiveAPI.Tables.texts import shown

from ..exits import ExitStatus
from ..lines import LineFile, Members
from ..options import workspace_option
from ..output import Row
from ..sending import Sending, file_argument, send, sending_options

_USER = ("user_id", "alias", "aliases")
_RESULT = ("user_id", "cohorts", "activations")


def _priorities(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[str, int]:
    priorities: dict[str, int] = {}
    for value in values:
        column, _, priority = value.rpartition("=")
        if not column.strip() or not priority.strip().isdecimal():
            raise click.BadParameter(f"{value!r} is not COLUMN=PRIORITY, such as email=0")
        priorities[column.strip()] = int(priority)
    return priorities


_IDENTITY_LINES = """
A whole identity, in NDJSON:

\b
{"user_id": "u-1", "aliases":
  [{"id": "ada@example.com", "tag": "email", "priority": 0}]}

It must be on one line.
"""


@click.command(epilog=_IDENTITY_LINES)
@file_argument
@click.option(
    "--user-id",
    default="user_id",
    show_default=True,
    metavar="COLUMN",
    help="The column with the users' ids.",
)
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="COLUMN=PRIORITY",
    callback=_priorities,
    help="A column with aliases, and their priority: 0 comes first. The column's name is their tag. It can "
    "be given several times.",
)
@sending_options
@workspace_option
def identify(file: str, user_id: str, aliases: Mapping[str, int], **options: Any) -> ExitStatus:
    """Send the identities in FILE: one user on each line, any number of lines.

    FILE is CSV with a header, or NDJSON, which begins with "{"; "-" is stdin. An object of NDJSON has the
    same members as the columns of CSV, or it is a whole identity, as Identity.to_json() writes it.

    A file is checked before anything is sent. In a pipe, a bad line ends the run: the lines before it
    are sent, it and the lines after it are not. The result of a line is its user_id. Results go to
    stdout, but to a terminal only with --format.
    """
    return send(
        Sending(
            file=LineFile(file),
            read=partial(_identity, user_id, aliases),
            stream=Identity.stream_identify,
            columns=("user_id",),
            row_of=_row_of_identity,
            is_shown=False,
            advice="Give that file to the same command.",
        ),
        **options,
    )


def _identity(user_id: str, priorities: Mapping[str, int], members: Members) -> Identity:
    if isinstance(members.get("aliases"), list):
        return _checked_identity(Identity.from_json(members))
    if not priorities:
        raise ValueError("it has no list of aliases, and no --alias names a column with them")
    return identity_from_row(members, user_id, priorities)


def _checked_identity(identity: Identity) -> Identity:
    _require_text("user_id", identity.user_id)
    for alias in cast("list[Any]", identity.aliases):
        _check_alias(alias)
    return identity


def _check_alias(alias: Any) -> None:
    if not isinstance(alias, Alias):
        raise ValueError("an alias must be an object")
    _require_text("the id of an alias", alias.id)
    _require_text("the tag of an alias", alias.tag)
    priority: Any = alias.priority
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise ValueError(f"the priority of an alias must be a whole number, got {shown(priority)}")


def _require_text(name: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text that is not empty, got {shown(value)}")


def _row_of_identity(result: BatchResult[Identity]) -> Row:
    return {"user_id": result.item.user_id}


_SEGMENT_LINES = """
A line with several events, and one with a single event:

\b
{"user_id": "u-1", "events":
  [{"name": "Pageview", "time": "2027-01-31T12:00:00Z", "properties": {}}]}
{"user_id": "u-1", "name": "Pageview", "time": "2027-01-31T12:00:00Z"}

Each object must be on one line.
"""


@click.command(epilog=_SEGMENT_LINES)
@file_argument
@click.option("--activations", is_flag=True, help="Also ask for the activated cohorts.")
@sending_options
@workspace_option
def segment(file: str, activations: bool, **options: Any) -> ExitStatus:
    """Send the events in FILE, and write the cohorts of their users.

    FILE is NDJSON; "-" is stdin. Each line is one request. It has up to 10 events of a user, as
    Segmentation.to_json() writes them, or a single event beside the user. Times are in ISO 8601.

    A user is named by user_id, alias or aliases. A result has the user_id, the cohorts and, on request,
    the activations. Lines are sent several at a time, so the results come in another order.

    A file is checked before anything is sent. In a pipe, a bad line ends the run: the lines before it
    are sent, it and the lines after it are not. If a request may have reached the service, it is not
    repeated, because its events would count twice; the line is then among those that failed. With a
    journal, the second run writes only the results of the rest. After Ctrl-C or SIGTERM, it sends those
    lines again that were under way, so their events may count twice.
    """
    columns = _RESULT if activations else _RESULT[:2]
    return send(
        Sending(
            file=LineFile(file, only_ndjson=True),
            read=partial(_segmentation, activations),
            stream=Segmentation.stream_send,
            columns=columns,
            row_of=partial(_row_of_segmentation, columns),
            is_shown=True,
            advice="First take out those whose outcome is unknown, because their events may count twice. "
            "Then give that file to the same command.",
        ),
        **options,
    )


def _segmentation(activations: bool, members: Members) -> Segmentation:
    if "events" not in members:
        user = {name: members[name] for name in _USER if name in members}
        event = {name: value for name, value in members.items() if name not in user}
        members = {**user, "events": [event]}
    _check_members(members, Segmentation)
    events = members["events"]
    for event in cast("list[Any]", events) if isinstance(events, list) else ():
        if isinstance(event, dict):
            _check_members(cast("Members", event), Event)
    made = Segmentation.from_json(members)
    _check_segmentation(made)
    return replace(made, activations=activations or made.activations)


def _check_members(members: Members, model: Any) -> None:
    """Raise ValueError for a missing member, and for a misspelt one, whose value would be lost."""
    unknown = [*members.keys() - {each.name for each in fields(model)}]
    if unknown:
        raise ValueError(
            f"{model.__name__} has no member {' or '.join(map(repr, sorted(unknown)))}"
        )
    needed = (
        each.name
        for each in fields(model)
        if each.default is MISSING and each.default_factory is MISSING
    )
    missing = [name for name in needed if name not in members]
    if missing:
        raise ValueError(f"{model.__name__} needs {' and '.join(map(repr, missing))}")


def _check_segmentation(made: Segmentation) -> None:
    given = [name for name in _USER if getattr(made, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise ValueError(f"exactly one of {', '.join(_USER)} is expected, got {found}")
    if made.user_id is not None:
        _require_text("user_id", made.user_id)
    elif made.aliases == []:
        raise ValueError("aliases must not be empty")
    else:
        for alias in made.aliases or [made.alias]:
            _check_alias(alias)
    _check_events(made)


def _check_events(made: Segmentation) -> None:
    if len(made.split()) > 1:
        count = len(made.events)
        raise ValueError(f"it has {count} events; the service takes at most 10 in one call")
    for event in cast("list[Any]", made.events):
        if not isinstance(event, Event):
            raise ValueError("an event must be an object")
        _require_text("the name of an event", event.name)
        _require_text("the time of an event", event.time)
        if parse_timestamp(event.time) is None:
            raise ValueError(
                "the time of an event must be in ISO 8601, such as 2027-01-31T12:00:00Z, got "
                f"{shown(event.time)}"
            )
        properties: Any = event.properties
        if not isinstance(properties, dict):
            raise ValueError(
                f"the properties of an event must be an object, got {shown(properties)}"
            )


def _row_of_segmentation(columns: Sequence[str], result: BatchResult[Any]) -> Row:
    body: Any = result.value
    return {name: body.get(name) for name in columns}
