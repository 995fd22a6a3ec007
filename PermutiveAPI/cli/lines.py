"""Read the lines of a file of CSV or NDJSON one by one, in constant memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, NoReturn, TypeVar, cast

from .stdin import open_binary

_BOM = "\ufeff"
_ONE_LINE = ". Each object must be on one line"

Item = TypeVar("Item")
Members = dict[str, Any]
Numbered = tuple[int, str]


class Line(NamedTuple):
    """A line. In CSV, it may go over several lines of the file.

    Attributes
    ----------
    number : int
        The number of the file's line in which it begins, from 1.
    text : str
        The line as it is in the file, with a line break at the end.
    members : dict
        Its members: the cells by column, or the JSON object.
    """

    number: int
    text: str
    members: Members


class BadLineError(ValueError):
    """A line that cannot be sent. The text names its number."""


class Counted(Iterable[Item]):
    """Items whose number is known, so that the progress has a total."""

    def __init__(self, items: Iterator[Item], number: int) -> None:
        self._items = items
        self._number = number

    def __iter__(self) -> Iterator[Item]:
        """Return the items. They can be read once."""
        return self._items

    def __len__(self) -> int:
        """Return their number."""
        return self._number


@dataclass
class LineFile:
    """A file of CSV, whose first line names the columns, or of NDJSON, which begins with "{".

    Attributes
    ----------
    path : str
        The path; "-" is stdin.
    only_ndjson : bool
        Whether CSV is refused.
    header : str
        The first line of CSV, as it is in the file. It is known when the first line was read.
    ending : str
        "csv" or "ndjson", known at the same time.
    """

    path: str
    only_ndjson: bool = False
    header: str = ""
    ending: Literal["csv", "ndjson"] = "ndjson"

    @property
    def can_be_read_twice(self) -> bool:
        """Whether it is a file on a disk, and not a pipe."""
        return self.path != "-" and Path(self.path).is_file()

    def __str__(self) -> str:
        """Return its name for people."""
        return "stdin" if self.path == "-" else self.path

    def bad(self, number: int, reason: object) -> BadLineError:
        """Return the error for a line."""
        return BadLineError(f"{self}, line {number}: {reason}".rstrip(".") + ".")

    def lines(self) -> Generator[Line, None, None]:
        """Yield the lines that are not empty.

        BadLineError names the first line that is not in UTF-8, or is neither CSV nor a JSON object.
        """
        with open_binary(self.path) as file, closing(self._decoded(file)) as decoded:
            first = next(decoded, None)
            if first is None:
                return
            is_ndjson = self.only_ndjson or first[1].lstrip()[0] in "{["
            read = self._objects if is_ndjson else self._records
            yield from read(chain([first], decoded))

    def _decoded(self, file: BinaryIO) -> Generator[Numbered, None, None]:
        """Yield numbered lines, from the first that is not empty."""
        has_begun = False
        for number, line in enumerate(file, 1):
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError:
                raise self.bad(number, "it is not in UTF-8") from None
            if number == 1:
                text = text.removeprefix(_BOM)
            has_begun = has_begun or bool(text.strip())
            if has_begun:
                yield number, text if text.endswith("\n") else f"{text}\n"

    # --- NDJSON ----------------------------------------------------------------------------------

    def _objects(self, lines: Iterator[Numbered]) -> Iterator[Line]:
        self.ending = "ndjson"
        for number, text in lines:
            if text.strip():
                yield Line(number, text, self._object(number, text))

    def _object(self, number: int, text: str) -> Members:
        try:
            found = json.loads(text, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            is_table = self.only_ndjson and text.lstrip()[0] not in "{["
            is_cut = error.pos >= len(text.rstrip())
            hint = ". This command reads no CSV" if is_table else _ONE_LINE if is_cut else ""
            reason = f"it is not JSON: {error.msg}, column {error.colno}{hint}"
            raise self.bad(number, reason) from None
        except (ValueError, RecursionError) as error:
            raise self.bad(number, f"it is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise self.bad(number, f"a JSON object is expected, not {_kind_of(found)}")
        return cast("Members", found)

    # --- CSV -------------------------------------------------------------------------------------

    def _records(self, lines: Iterator[Numbered]) -> Iterator[Line]:
        self.ending = "csv"
        taken: list[Numbered] = []  # The file's lines of the present record.
        reader = csv.reader(_noting(lines, taken), strict=True)
        columns: list[str] | None = None
        while (cells := self._next_record(reader, taken)) is not None:
            number, text = taken[0][0], "".join(text for _, text in taken)
            taken.clear()
            if columns is None:
                columns, self.header = self._columns(number, cells), text
            elif any(cells):  # Excel writes a row of cleared cells as commas.
                yield Line(number, text, self._named(number, columns, cells))

    def _next_record(self, reader: Iterator[list[str]], taken: list[Numbered]) -> list[str] | None:
        try:
            return next(reader, None)
        except csv.Error as error:
            # Python's own error says how to open the file in Python.
            is_return = str(error).startswith("new-line character")
            reason = "a carriage return stands outside of quotes" if is_return else error
            raise self.bad(taken[0][0], f"it is not CSV: {reason}") from None

    def _columns(self, number: int, header: list[str]) -> list[str]:
        columns = [name.strip() for name in header]
        repeated = {name for name in columns if name and columns.count(name) > 1}
        if repeated:
            raise self.bad(number, f"several columns have the name {', '.join(sorted(repeated))}")
        for separator in (";", "\t"):
            if len(columns) == 1 and separator in columns[0]:
                raise self.bad(number, f"the columns are separated by {separator!r}, not by commas")
        return columns

    def _named(self, number: int, columns: list[str], cells: list[str]) -> Members:
        if len(cells) > len(columns):
            raise self.bad(number, f"it has {len(cells)} cells, but the header has {len(columns)}")
        cells += [""] * (len(columns) - len(cells))
        return {name: cell for name, cell in zip(columns, cells, strict=True) if name}


def _noting(lines: Iterator[Numbered], taken: list[Numbered]) -> Iterator[str]:
    """Yield the texts of lines, and note the lines. A CSV reader takes only those that it needs."""
    for line in lines:
        taken.append(line)
        yield line[1]


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    kinds = ((list, "an array"), (str, "a text"), (bool, "a truth value"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a number")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
