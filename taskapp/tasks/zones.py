"""Time zones as a calendar program reads them: VTIMEZONE (RFC 5545, section 3.6.5)."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

YEARS_BEFORE, YEARS_AFTER = 1, 10
DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


@lru_cache(1024)
def vtimezone(name: str, year: int) -> bytes:
    """A time zone, with each change of its clocks from last year to ten years from now."""
    zone = ZoneInfo(name)
    start = dt.datetime(year - YEARS_BEFORE, 1, 1, tzinfo=dt.UTC)
    end = dt.datetime(year + YEARS_AFTER, 1, 1, tzinfo=dt.UTC)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}"]
    lines += _observance(zone, start, start)
    for change in _changes(zone, start, end):
        lines += _observance(zone, change - SECOND, change)
    lines += ["END:VTIMEZONE", ""]
    return "\r\n".join(lines).encode()


def _changes(zone: ZoneInfo, start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """The moments at which the clocks of a zone are put forward or back, to the second."""
    changes = []
    moment = start
    while moment < end:
        following = moment + DAY
        if _offset(zone, moment) != _offset(zone, following):
            changes.append(_first_with_another_offset(zone, moment, following))
        moment = following
    return changes


def _first_with_another_offset(
    zone: ZoneInfo, before: dt.datetime, after: dt.datetime
) -> dt.datetime:
    offset = _offset(zone, before)
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _observance(zone: ZoneInfo, before: dt.datetime, start: dt.datetime) -> list[str]:
    """The offset that begins at a moment; DTSTART is its local time by the offset before."""
    offset_from = _offset(zone, before)
    local = start.astimezone(zone)
    offset_to = _offset(zone, start)
    kind = "DAYLIGHT" if local.dst() else "STANDARD"
    wall = start.replace(tzinfo=None) + offset_from
    lines = [f"BEGIN:{kind}", f"DTSTART:{wall:%Y%m%dT%H%M%S}"]
    lines += [f"TZOFFSETFROM:{_text(offset_from)}", f"TZOFFSETTO:{_text(offset_to)}"]
    lines += [f"TZNAME:{local.tzname()}", f"END:{kind}"]
    return lines


def _offset(zone: ZoneInfo, moment: dt.datetime) -> dt.timedelta:
    return moment.astimezone(zone).utcoffset() or dt.timedelta()


def _text(offset: dt.timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign = "-" if seconds < 0 else "+"
    minutes = abs(seconds) // 60
    hours, rest = divmod(minutes, 60)
    return f"{sign}{hours:02}{rest:02}"
