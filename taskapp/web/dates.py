"""Days and time zones on the wire."""

import datetime as dt
import re
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from marshmallow import fields
from marshmallow.exceptions import ValidationError

from taskapp.web.fields import YEARS, Text, example

HOST_ZONE = "localtime"  # a file beside those of the database, which is another on each machine
FULL_DATE = re.compile(r"(?a)\d{4}-\d\d-\d\d")


class Day(fields.Date):
    """A day, as a full-date of RFC 3339: `2026-01-31`."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {**example("2030-12-31"), "minLength": 10, "maxLength": 10, "pattern": YEARS}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dt.date:
        if not isinstance(value, str) or not FULL_DATE.fullmatch(value):
            raise ValidationError("Not a day, as 2026-01-31.")
        try:
            day = dt.date.fromisoformat(value)
        except ValueError:
            raise ValidationError("There is no such day.") from None
        if not 1970 <= day.year <= 2999:
            raise ValidationError("Years go from 1970 to 2999.")
        return day


@cache
def zone_names() -> frozenset[str]:
    """Every name of the IANA time zone database that is installed here."""
    return frozenset(available_timezones() - {HOST_ZONE})


class TimeZone(Text):
    """The name of a time zone of the IANA database: `Europe/Berlin`."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = example("Europe/Berlin")
        super().__init__(min=1, max=64, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        name = super()._deserialize(value, attr, data, **kwargs)
        if name not in zone_names():
            raise ValidationError("Not a time zone of the IANA database, as Europe/Berlin.")
        return name
