"""The time zones that a calendar names: of the IANA database, of Windows, or defined in the file.

icalendar would look for them in files of any name, and expands the rules of a VTIMEZONE without a
bound; so their names are hidden from it, and looked up here.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from taskapp.tasks.recurrence import InvalidRule, Rule, Steps, TooManySteps, first_after, parse
from taskapp.web.dates import zone_names

MOST_ZONES = 100  # of a file
MOST_BYTES = 64 * 1024  # of a VTIMEZONE; one that lists a century of changes takes less
MOST_STEPS = 4_000  # periods of their rules that one file may examine; eight a year are usual
# `;TZID=` among the parameters of a property, before its value.
NAMED = re.compile(rb"^([\w-]+(?:;[^:\r\n]*?)?);TZID=", re.MULTILINE | re.IGNORECASE)
HIDDEN = "X-TZID"
LINE = re.compile(r"(?P<name>[\w-]+)(?:;[^:]*)?:(?P<value>.*)")
OFFSET = re.compile(r"(?a)(?P<sign>[+-])(?P<hours>[01]\d|2[0-3])(?P<minutes>[0-5]\d)")
ESCAPED = re.compile(r"\\([\\;,])")
ZERO = dt.timedelta(0)
Properties = list[tuple[str, str]]


class UnknownZone(Exception):
    """A time zone that nobody defines, or that cannot be read."""


@dataclass(frozen=True)
class Observance:
    """An offset of a zone (STANDARD or DAYLIGHT), and the local times at which it begins.

    Those are on the clock as it is before (RFC 5545, section 3.6.5).
    """

    begins: tuple[dt.datetime, ...]
    before: dt.timedelta
    offset: dt.timedelta
    rule: Rule | None

    def begins_until(self, last_year: int, steps: Steps) -> Iterator[dt.datetime]:
        """When it begins in this year and the one before, and all the times that are listed."""
        yield from self.begins
        first = self.begins[0]
        if self.rule is None:
            return
        year = max(first.year, last_year - 2)
        day = dt.date(year, first.month, min(first.day, 28))
        while day.year <= last_year:
            following = first_after(self.rule, day, steps)
            if following is None:
                return
            day = following
            begin = dt.datetime.combine(day, first.time())
            if self._is_over(begin):
                return
            yield begin

    def _is_over(self, begin: dt.datetime) -> bool:
        until = self.rule.until if self.rule else None
        if isinstance(until, dt.datetime):
            return (begin - self.before).replace(tzinfo=dt.UTC) > until
        return until is not None and begin.date() > until


class Begin(NamedTuple):
    """The first local time with an offset."""

    local: dt.datetime
    offset: dt.timedelta


class FileZone(dt.tzinfo):
    """A zone as a VTIMEZONE defines it."""

    def __init__(self, name: str, observances: list[Observance], steps: Steps) -> None:
        self.name = name
        self.observances = observances
        self.steps = steps
        self.begins: dict[int, list[Begin]] = {}  # by year

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        """A time that is missing on the clock has the offset before, one that comes twice is the
        first.

        Raises:
            UnknownZone: The file's rules have next to no dates, or its tasks too many years.
        """
        if moment is None:
            return ZERO
        local = moment.replace(tzinfo=None, fold=0)
        begun = [begin for begin in self._begins(local.year) if begin.local <= local]
        if begun:
            return max(begun).offset
        first = min(self.observances, key=lambda observance: observance.begins[0])
        return first.before

    def dst(self, _: dt.datetime | None) -> None:
        """Unknown: a file does not say how much of an offset is summer time."""

    def tzname(self, _: dt.datetime | None) -> str:
        return self.name

    def _begins(self, year: int) -> list[Begin]:
        try:
            if year not in self.begins:
                self.begins[year] = list(self._computed(year))
        except TooManySteps:
            detail = f"the rules of its time zone {self.name[:100]!r} are too long to follow"
            raise UnknownZone(detail) from None
        return self.begins[year]

    def _computed(self, year: int) -> Iterator[Begin]:
        for observance in self.observances:
            jump = max(observance.offset - observance.before, ZERO)
            for begin in observance.begins_until(year, self.steps):
                yield Begin(begin + jump, observance.offset)


class FileZones:
    """The zones that a file may name."""

    def __init__(self, components: Iterable[bytes]) -> None:
        """Read each VTIMEZONE, given without folded lines."""
        self.steps = Steps(MOST_STEPS)
        self.definitions: dict[str, Properties] = {}
        self.zones: dict[str, dt.tzinfo] = {}
        for component in components:
            if len(component) <= MOST_BYTES and len(self.definitions) < MOST_ZONES:
                properties = _properties(component)
                self.definitions.setdefault(_name_of(properties), properties)

    def find(self, name: str) -> dt.tzinfo:
        """The zone of this name.

        Raises:
            UnknownZone
        """
        zone = self.zones.get(name)
        if zone is None:
            zone = _known(name) or self._defined(name)
            self.zones[name] = zone
        return zone

    def _defined(self, name: str) -> FileZone:
        properties = self.definitions.get(name)
        if properties is None or not name:
            raise UnknownZone(f"its time zone {name[:100]!r} is not known, nor defined in the file")
        try:
            return FileZone(name, _observances(properties), self.steps)
        except (ValueError, KeyError):
            detail = f"the definition of its time zone {name[:100]!r} is not valid by RFC 5545"
            raise UnknownZone(detail) from None


def hide(component: bytes) -> bytes:
    """Rename the parameter TZID of its properties, so that icalendar looks for no zones."""
    return NAMED.sub(rb"\1;" + HIDDEN.encode() + b"=", component)


def database_name(zone: dt.tzinfo, year: int) -> str:
    """The name of a zone, or of one of the IANA database that has the same clock in this year.

    Raises:
        UnknownZone
    """
    if isinstance(zone, ZoneInfo):
        return zone.key
    if not isinstance(zone, FileZone):
        return "UTC"
    first = dt.datetime(year, 1, 1, 12)  # noqa: DTZ001 - it is local
    samples = [first + dt.timedelta(days=days) for days in range(0, 365, 14)]
    offsets = [zone.utcoffset(sample) for sample in samples]
    for name in _windows_zones().values():
        candidate = _known(name)
        if candidate and offsets == [candidate.utcoffset(sample) for sample in samples]:
            return name
    raise UnknownZone(f"no zone of the IANA database is like its time zone {zone.name[:100]!r}")


def in_utc(local: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """A local time of a zone, in UTC.

    Raises:
        UnknownZone: As `FileZone.utcoffset` says.
    """
    return local.replace(tzinfo=zone).astimezone(dt.UTC)


def _known(name: str) -> ZoneInfo | None:
    """A zone by its IANA name, by that of Windows, or at the end of a path of a program."""
    windows = _windows_zones().get(name)
    candidates = [name.strip("/"), windows]
    if name.startswith("/"):
        parts = name.split("/")
        candidates += ["/".join(parts[start:]) for start in range(2, len(parts))]
    for candidate in candidates:
        if candidate in zone_names():
            return ZoneInfo(candidate)
    return None


def _windows_zones() -> dict[str, str]:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return WINDOWS_TO_OLSON


def _properties(component: bytes) -> Properties:
    lines = component.decode("utf-8", "replace").splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    return [(match["name"].upper(), match["value"].strip()) for match in matches if match]


def _name_of(properties: Properties) -> str:
    name = dict(reversed(properties)).get("TZID", "")
    return ESCAPED.sub(r"\1", name).strip('"')


def _observances(properties: Properties) -> list[Observance]:
    found: list[Observance] = []
    current: Properties = []
    for name, value in properties:
        if name == "BEGIN":
            current = []
        elif name == "END" and value.upper() in {"STANDARD", "DAYLIGHT"}:
            found.append(_observance(current))
        else:
            current.append((name, value))
    if not found:
        raise ValueError("no offset")
    return found


def _observance(properties: Properties) -> Observance:
    only = dict(properties)
    listed = [value for name, value in properties if name == "RDATE"]
    moments = [only["DTSTART"], *",".join(listed).split(",")]
    begins = [_local(text) for text in moments if text]
    offsets = (_offset(only["TZOFFSETFROM"]), _offset(only["TZOFFSETTO"]))
    return Observance(tuple(begins), *offsets, _rule(only.get("RRULE")))


def _rule(text: str | None) -> Rule | None:
    if not text:
        return None
    try:
        rule = parse(text.rstrip(";"))
    except InvalidRule as error:
        raise ValueError(str(error)) from None
    if rule.frequency != "YEARLY" or rule.interval != 1:
        raise ValueError("a clock changes each year")
    return rule


def _local(text: str) -> dt.datetime:
    return dt.datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - it is local


def _offset(text: str) -> dt.timedelta:
    match = OFFSET.match(text)
    if match is None:
        raise ValueError("no offset")
    length = dt.timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
    return -length if match["sign"] == "-" else length
