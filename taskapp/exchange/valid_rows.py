"""The valid rows of an import, in a file, so that only a few are in memory at a time."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import orjson
from marshmallow import Schema

from taskapp.database.encoding import encode
from taskapp.database.session import Body
from taskapp.web.dates import Day
from taskapp.web.fields import Time
from taskapp.web.spool import spool

Read = Callable[[str], Any]


class ValidRows:
    """Rows as their schema loads them; they can be read several times."""

    def __init__(self, schema: Schema, rows: Iterable[Body]) -> None:
        """Write the rows into a file.

        Raises:
            StorageFull, and what reading the rows raises.
        """
        self.readers = _readers(schema)
        self.file: IO[bytes] = spool(encode(row) + b"\n" for row in rows)

    def __iter__(self) -> Iterator[Body]:
        self.file.seek(0)
        for line in self.file:
            yield self._row(line)

    def close(self) -> None:
        self.file.close()

    def _row(self, line: bytes) -> Body:
        row: Body = orjson.loads(line)
        for name, read in self.readers.items():
            if row.get(name) is not None:
                row[name] = read(row[name])
        return row


def _readers(schema: Schema) -> dict[str, Read]:
    """How to read the fields for which JSON has no type."""
    readers: dict[str, Read] = {}
    for name, spec in schema.fields.items():
        if isinstance(spec, Time):
            readers[name] = dt.datetime.fromisoformat
        elif isinstance(spec, Day):
            readers[name] = dt.date.fromisoformat
    return readers
