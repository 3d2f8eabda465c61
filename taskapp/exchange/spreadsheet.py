"""CSV as spreadsheets and people write it: rows with the fields of tasks, one at a time."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple, Self

from marshmallow import Schema

from taskapp.errors import Invalid, MalformedRequest, Reason
from taskapp.exchange.cells import Read, field_name, reader_of, squeezed
from taskapp.exchange.charsets import UNICODE
from taskapp.exchange.lines import lines

SEPARATORS = ",;\t"
# As Excel writes it, and what other programs make of it: they add empty cells, by their separator.
FIRST_LINE = re.compile(r'"?sep=(?P<separator>[^\r\n"])"?(?P<cells>[,;\t]*)', re.IGNORECASE)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
HEAD = 64 * 1024  # bytes in which the header is looked for
MAX_RECORD = 1024 * 1024  # characters of a row; the longest task takes less
MAX_COLUMNS = 100  # a task has fewer fields
EXCEL_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # .xlsx and .xls


class Column(NamedTuple):
    """A column of the file, and how its cells are read."""

    heading: str  # as the file has it
    name: str  # the field
    read: Read


class TableRow(NamedTuple):
    """A row of the file, with the line it ends in."""

    line: int
    item: dict[str, Any]


class Table:
    """The rows of a file in CSV.

    Raises:
        MalformedRequest: It is not CSV, or not in UTF-8 or UTF-16.
        Invalid: The header has names that are not fields of a task.
    """

    def __init__(self, file: IO[bytes], codec: str, schema: Schema, ignored: set[str]) -> None:
        head = file.read(HEAD)
        file.seek(0)
        self.encoding = _encoding(head, codec)
        self.text = io.TextIOWrapper(file, encoding=self.encoding, newline="")
        self.schema = schema
        self.ignored = ignored
        self.fields = {squeezed(name): name for name in (*schema.fields, *ignored)}
        self.length = 0  # of the row that is being read

    def __enter__(self) -> Self:
        self.lines = self._open()
        self.columns = self._header()
        return self

    def __exit__(self, *_: object) -> None:
        self.text.detach()

    def rows(self) -> Iterator[TableRow]:
        """The rows that are not empty."""
        number = 0
        for cells in self._records():
            if self._is_blank(cells):
                continue
            number += 1
            self._refuse_surplus(cells, number)
            yield TableRow(self.lines.line_num, self._item(cells))

    def _open(self) -> Any:
        """A reader of the lines after `sep=`, if there is one."""
        try:
            first = self._first_line()
            named = FIRST_LINE.fullmatch(first.rstrip("\r\n").lstrip("\ufeff"))
            if named:
                separator = named["cells"][:1] or named["separator"]
            else:
                separator = self._separator(first)
                self.text.seek(0)
        except ValueError:
            raise self._not_text() from None
        # `title, "labels"`: quotes begin a cell although a space stands before them.
        padded = f"{separator} " in first
        lines = self._text_lines()
        return csv.reader(lines, delimiter=separator, skipinitialspace=padded, strict=True)

    def _first_line(self) -> str:
        """The first line that is not blank."""
        line = self.text.readline(HEAD)
        while line and not line.strip("\ufeff \t\r\n"):
            line = self.text.readline(HEAD)
        return line

    def _text_lines(self) -> Iterator[str]:
        for line in lines(self.text, MAX_RECORD):
            self.length += len(line)
            if self.length >= MAX_RECORD:
                raise csv.Error(f"its row is longer than {MAX_RECORD} characters")
            yield line

    def _separator(self, first: str) -> str:
        """The separator: the one that splits the header into the most fields of a task."""

        def known(separator: str) -> int:
            cells = first.strip("\ufeff\r\n").split(separator)
            return sum(squeezed(field_name(cell.strip('"'))) in self.fields for cell in cells)

        best = max(SEPARATORS, key=known)
        if known(best):
            return best
        return max(SEPARATORS, key=first.count)

    def _header(self) -> list[Column | None]:
        filled = (
            cells for cells in self._records() if any(cell.strip("\ufeff ") for cell in cells)
        )
        headings: list[str] = next(filled, [])
        while headings and not headings[-1].strip():
            headings.pop()
        if not headings:
            raise MalformedRequest("The file has no header: its first line must name the columns.")
        if len(headings) > MAX_COLUMNS:
            detail = f"The header has {len(headings)} columns: at most {MAX_COLUMNS} are allowed."
            raise MalformedRequest(detail)
        columns = [self._column(heading) for heading in headings]
        names = [column.name for column in columns if column is not None]
        for name in names:
            if names.count(name) > 1:
                raise MalformedRequest(f"The header names the column {name} twice.")
        known = set(self.fields.values())
        unknown = [column for column in columns if column and column.name not in known]
        if unknown:
            raise Invalid(errors=[self._unknown(column) for column in unknown[:100]])
        return columns

    def _column(self, heading: str) -> Column | None:
        name = field_name(heading)
        if not name:
            return None
        name = self.fields.get(squeezed(name), name)
        return Column(heading.strip("\ufeff "), name, reader_of(self.schema, name))

    def _unknown(self, column: Column) -> Reason:
        known = ", ".join(self.schema.fields)
        detail = f'Header: "{column.heading[:100]}" is not a field of a task. There are {known}.'
        return {"pointer": f"/items/0/{column.name[:100]}", "detail": detail}

    def _records(self) -> Iterator[list[str]]:
        try:
            for record in self.lines:
                self.length = 0
                yield record
        except csv.Error as error:
            raise self._malformed(self.lines.line_num, str(error)) from None
        except ValueError:
            raise self._not_text() from None

    def _malformed(self, line: int, reason: str) -> MalformedRequest:
        return MalformedRequest(f"Line {line} is not CSV (RFC 4180): {reason}.")

    def _not_text(self) -> MalformedRequest:
        """Name the line, where lines can be told: text is decoded many lines at once."""
        what = "The file"
        if self.encoding.startswith("utf-8"):
            what = f"Line {self._first_not_in_utf_8()}"
        detail = f"{what} is not text in {self.encoding.upper().replace('_', '-')}"
        return MalformedRequest(f'{detail}: save the file as "CSV UTF-8".')

    def _first_not_in_utf_8(self) -> int:
        file = self.text.buffer
        file.seek(0)
        number = 0
        for line in iter(lambda: file.readline(MAX_RECORD), b""):
            number += 1
            try:
                line.decode()
            except UnicodeDecodeError:
                break
        return number

    def _is_blank(self, cells: list[str]) -> bool:
        """Whether a row is empty; `""` alone is an empty title."""
        if len(cells) == 1 == len(self.columns):
            return False
        return not any(cell.strip() for cell in cells)

    def _refuse_surplus(self, cells: list[str], number: int) -> None:
        for place, cell in enumerate(cells):
            if not cell.strip():
                continue
            row = f"Row {number} (line {self.lines.line_num})"
            if place >= len(self.columns):
                hint = "Put quotes around text that contains the separator."
                counted = f"{len(cells)} cells, the header has {len(self.columns)}"
                raise MalformedRequest(f"{row} has {counted}. {hint}")
            if self.columns[place] is None:
                detail = f"has something in column {place + 1}, which has no name in the header"
                raise MalformedRequest(f"{row} {detail}: name it, or leave the column out.")

    def _item(self, cells: list[str]) -> dict[str, Any]:
        """The fields that a row sets; an empty cell is the default, or null if that is allowed."""
        item = {}
        for column, cell in zip(self.columns, cells, strict=False):
            if column is None or column.name in self.ignored:
                continue
            if cell.strip() or self._empties(column.name):
                item[column.name] = column.read(cell)
        if "due_on" in self.schema.fields:
            _settle_day(item)
        return item

    def _empties(self, name: str) -> bool:
        """Whether an empty cell of this column sets the field to null."""
        return name == "description" or self.schema.fields[name].allow_none


def _encoding(head: bytes, codec: str) -> str:
    """UTF-8, or UTF-16 as Excel's "Unicode text", which a byte order mark says; else what is named.

    Without a word nothing else is read: a guess would garble it.
    """
    if head.startswith(EXCEL_WORKBOOKS):
        raise MalformedRequest('This is an Excel workbook: save it as "CSV UTF-8".')
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if codec in {"utf_16_le", "utf_16_be"}:
        return codec
    if head[1:2] == b"\0":
        return "utf-16-le"
    if head[:1] == b"\0":
        return "utf-16-be"
    return "utf-8" if codec in UNICODE else codec


def _settle_day(item: dict[str, Any]) -> None:
    """A bare day in due_at is due_on."""
    due_at = item.get("due_at")
    if isinstance(due_at, str) and DAY.fullmatch(due_at) and not item.get("due_on"):
        item["due_at"] = None
        item["due_on"] = due_at
