"""CSV as programs write it (RFC 4180): a header somewhere near the top, and rows of any length."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from taskapp_client.doors.rows import text_of
from taskapp_client.failures import Failure

# Some programs write about the file first.
LONGEST_PREAMBLE = 50


def records(content: bytes, needed: set[str], delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Each row by the names of the header, which is the first line with all the `needed` names.

    Columns of the same name become one, with commas between their cells.

    Raises:
        Failure: there is no such header, or it is no CSV.
    """
    reader = csv.reader(io.StringIO(text_of(content), newline=""), delimiter=delimiter, strict=True)
    try:
        header = _header(reader, needed)
        for cells in reader:
            yield _record(header, cells)
    except csv.Error as error:
        raise Failure(f"This is no CSV: line {reader.line_num}: {error}.") from None


def _header(rows: Iterator[list[str]], needed: set[str]) -> list[str]:
    first: list[str] = []
    for number, cells in enumerate(rows):
        names = [cell.strip() for cell in cells]
        first = first or names
        if {name.casefold() for name in needed} <= {name.casefold() for name in names}:
            return names
        if number == LONGEST_PREAMBLE:
            break
    missing = ", ".join(sorted(needed - set(first)))
    raise Failure(
        f"This is no such CSV. It lacks the columns: {missing}. It has: {', '.join(first)}."
    )


def _record(header: list[str], cells: list[str]) -> dict[str, str]:
    record: dict[str, str] = {}
    for name, cell in zip(header, cells, strict=False):
        parts = (record.get(name, ""), cell.strip())
        record[name] = ",".join(part for part in parts if part)
    return record
