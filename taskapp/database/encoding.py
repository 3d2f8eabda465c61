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
        return value.isoformat(timespec="microseconds")[:26] + "Z"  # a third of strftime's time
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, sa.Row):
        return by_name(value)
    raise TypeError(type(value).__name__)


def by_name(row: sa.Row[Any]) -> dict[str, Any]:
    """The values of a row, under names that JSON takes; its own mapping is slower to unpack."""
    names = map(str, row._fields)
    return dict(zip(names, row, strict=True))
