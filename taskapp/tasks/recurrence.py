"""Recurrence rules on days: the part of RFC 5545, section 3.3.10, that tasks repeat by.

dateutil expands rules, too, but for a rule that matches nothing a single `next()` examines every
day up to the year 9999, and cannot be stopped. Here each step is counted; tests compare the two.
"""

import calendar
import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

MAX_LENGTH = 500  # characters
MAX_PERIODS = 2000  # days, weeks, months or years that are examined to find one date
MAX_YEARS = 100
LAST_YEAR = 2999
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
PARTS = (
    *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"),
    *("BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"),
)
UNTIL_DAY = re.compile(r"(?a)\d{8}")
UNTIL_MOMENT = re.compile(r"(?a)\d{8}T\d{6}Z")
NUMBER = re.compile(r"(?a)\d{1,3}")
SIGNED_NUMBER = re.compile(r"(?a)[+-]?\d{1,3}")
ORDINAL_WEEKDAY = re.compile(rf"(?a)([+-]?\d{{1,2}})?({'|'.join(WEEKDAYS)})")
ONE_DAY = dt.timedelta(days=1)


class TooManySteps(Exception):
    """One request had too many rules that rarely match: no more periods are examined."""


@dataclass
class Steps:
    """How many periods one request may still examine, over all its rules."""

    left: int

    def take(self) -> None:
        if self.left == 0:
            raise TooManySteps
        self.left -= 1


class InvalidRule(ValueError):
    """The rule is not one that tasks repeat by; the message says which part, and why."""


@dataclass(frozen=True)
class Weekday:
    """A weekday of a period: each one (number 0), the second (2), the last (-1) …"""

    number: int
    weekday: int  # 0 is Monday


@dataclass(frozen=True)
class Rule:
    """A recurrence rule; empty tuples stand for parts that it does not have."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: dt.date | dt.datetime | None = None  # a moment has a time zone
    by_day: tuple[Weekday, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_month: tuple[int, ...] = ()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0


def parse(text: str) -> Rule:
    """Read a rule as `FREQ=WEEKLY;BYDAY=MO,TH`.

    Raises:
        InvalidRule
    """
    parts = _parts(text)
    frequency = parts.get("FREQ")
    if frequency not in FREQUENCIES:
        raise InvalidRule(f"FREQ must be one of {', '.join(FREQUENCIES)}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise InvalidRule("A rule can have COUNT or UNTIL, not both.")
    interval = _number(parts, "INTERVAL", 999) or 1
    count = _number(parts, "COUNT", 999)
    until = _until(parts)
    by_day = _by_day(parts)
    by_month_day = _numbers(parts, "BYMONTHDAY", 31, negative=True)
    by_month = _numbers(parts, "BYMONTH", 12)
    by_set_pos = _numbers(parts, "BYSETPOS", 366, negative=True)
    days = (by_day, by_month_day, by_month, by_set_pos)
    rule = Rule(frequency, interval, count, until, *days, week_start=_week_start(parts))
    _check_together(rule)
    return rule


def first_after(rule: Rule, start: dt.date, steps: Steps | None = None) -> dt.date | None:
    """The first date of the rule after its start; INTERVAL counts from the period of the start.

    None if there is none within 2,000 periods, 100 years and the year 2999. COUNT and UNTIL are
    not looked at: the caller compares with them.

    Raises:
        TooManySteps
    """
    rule = _with_what_the_start_implies(rule, start)
    last_year = min(start.year + MAX_YEARS, LAST_YEAR)
    for days in _periods(rule, start, last_year):
        if steps is not None:
            steps.take()
        matching = [day for day in days if _matches(rule, day)]
        for day in _at_positions(matching, rule.by_set_pos):
            if day > start:
                if day.year > last_year:
                    return None
                return day
    return None


def _parts(text: str) -> dict[str, str]:
    if len(text) > MAX_LENGTH:
        raise InvalidRule(f"A rule can have at most {MAX_LENGTH} characters.")
    parts: dict[str, str] = {}
    for part in text.upper().split(";"):
        name, _, value = part.partition("=")
        if name not in PARTS:
            known = ", ".join(PARTS)
            raise InvalidRule(f"The parts of a rule are {known}: for example FREQ=WEEKLY;BYDAY=MO.")
        if name in parts:
            raise InvalidRule(f"The rule has {name} twice.")
        parts[name] = value
    return parts


def _number(parts: dict[str, str], name: str, highest: int) -> int | None:
    if name not in parts:
        return None
    numbers = _numbers(parts, name, highest)
    if len(numbers) != 1:
        raise InvalidRule(f"{name} must be a single number.")
    return numbers[0]


def _numbers(
    parts: dict[str, str], name: str, highest: int, *, negative: bool = False
) -> tuple[int, ...]:
    if name not in parts:
        return ()
    form, lowest, also = NUMBER, 1, ""
    if negative:
        form, lowest, also = SIGNED_NUMBER, -highest, f", or from -{highest} to -1"
    numbers = []
    for text in parts[name].split(","):
        number = 0
        if form.fullmatch(text):
            number = int(text)
        if number == 0 or not lowest <= number <= highest:
            raise InvalidRule(f"{name} must be from 1 to {highest}{also}.")
        numbers.append(number)
    return tuple(numbers)


def _until(parts: dict[str, str]) -> dt.date | dt.datetime | None:
    if "UNTIL" not in parts:
        return None
    text = parts["UNTIL"]
    try:
        if UNTIL_DAY.fullmatch(text):
            return dt.datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day
        if UNTIL_MOMENT.fullmatch(text):
            return dt.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        pass
    raise InvalidRule("UNTIL must be a date (20301231) or a time in UTC (20301231T170000Z).")


def _by_day(parts: dict[str, str]) -> tuple[Weekday, ...]:
    if "BYDAY" not in parts:
        return ()
    days = []
    for text in parts["BYDAY"].split(","):
        match = ORDINAL_WEEKDAY.fullmatch(text)
        if match is None:
            known = ", ".join(WEEKDAYS)
            raise InvalidRule(f"BYDAY must list days of {known}: for example MO, 2TU or -1FR.")
        number = int(match[1] or 0)
        if match[1] and number == 0:
            raise InvalidRule("A number in BYDAY counts from 1, or from -1 at the end.")
        days.append(Weekday(number, WEEKDAYS.index(match[2])))
    return tuple(days)


def _week_start(parts: dict[str, str]) -> int:
    name = parts.get("WKST", "MO")
    if name not in WEEKDAYS:
        raise InvalidRule(f"WKST must be one of {', '.join(WEEKDAYS)}.")
    return WEEKDAYS.index(name)


def _check_together(rule: Rule) -> None:
    """Refuse parts that RFC 5545 does not allow together."""
    numbered = max((abs(day.number) for day in rule.by_day), default=0)
    if numbered and rule.frequency in {"DAILY", "WEEKLY"}:
        raise InvalidRule("BYDAY can have numbers only with FREQ=MONTHLY or FREQ=YEARLY.")
    of_a_year = rule.frequency == "YEARLY" and not rule.by_month
    highest = 5
    if of_a_year:
        highest = 53
    if numbered > highest:
        raise InvalidRule(f"A number in BYDAY can be at most {highest} in this rule.")
    if rule.by_month_day and rule.frequency == "WEEKLY":
        raise InvalidRule("BYMONTHDAY cannot be used with FREQ=WEEKLY.")
    if rule.by_set_pos and not (rule.by_day or rule.by_month_day or rule.by_month):
        raise InvalidRule("BYSETPOS needs BYDAY, BYMONTHDAY or BYMONTH, whose dates it picks from.")


def _with_what_the_start_implies(rule: Rule, start: dt.date) -> Rule:
    """The rule with the days that it takes from its start: MONTHLY alone means on that day."""
    if rule.by_day or rule.by_month_day or rule.frequency == "DAILY":
        return rule
    if rule.frequency == "WEEKLY":
        return replace(rule, by_day=(Weekday(0, start.weekday()),))
    if rule.frequency == "MONTHLY" or rule.by_month:
        return replace(rule, by_month_day=(start.day,))
    return replace(rule, by_month_day=(start.day,), by_month=(start.month,))


def _periods(rule: Rule, start: dt.date, last_year: int) -> Iterator[list[dt.date]]:
    """The days of each period of the rule, beginning with the period of the start."""
    for number in range(MAX_PERIODS):
        first = _first_of_period(rule, start, number * rule.interval)
        if first is None or first.year > last_year:
            return
        if rule.frequency == "YEARLY":
            months = [_month(rule, first.year, month) for month in range(1, 13)]
            yield list(chain.from_iterable(months))
        elif rule.frequency == "MONTHLY":
            yield _month(rule, first.year, first.month)
        elif rule.frequency == "WEEKLY":
            yield [first + ONE_DAY * offset for offset in range(7)]
        else:
            yield [first]


def _first_of_period(rule: Rule, start: dt.date, ahead: int) -> dt.date | None:
    """The first day of the period that is `ahead` periods later; None after the year 9999."""
    try:
        if rule.frequency == "YEARLY":
            return dt.date(start.year + ahead, 1, 1)
        if rule.frequency == "MONTHLY":
            years, month = divmod(start.month - 1 + ahead, 12)
            return dt.date(start.year + years, month + 1, 1)
        if rule.frequency == "WEEKLY":
            into_the_week = (start.weekday() - rule.week_start) % 7
            return start + ONE_DAY * (7 * ahead - into_the_week)
        return start + ONE_DAY * ahead
    except (OverflowError, ValueError):
        return None


def _month(rule: Rule, year: int, month: int) -> list[dt.date]:
    """The days of a month that BYMONTH and BYMONTHDAY allow."""
    if rule.by_month and month not in rule.by_month:
        return []
    length = calendar.monthrange(year, month)[1]
    numbers: Iterable[int] = range(1, length + 1)
    if rule.by_month_day:
        wanted = {each if each > 0 else length + 1 + each for each in rule.by_month_day}
        numbers = sorted(wanted.intersection(numbers))
    return [dt.date(year, month, number) for number in numbers]


def _matches(rule: Rule, day: dt.date) -> bool:
    if rule.by_month and day.month not in rule.by_month:
        return False
    if rule.by_month_day:
        length = calendar.monthrange(day.year, day.month)[1]
        from_the_end = day.day - length - 1
        if not {day.day, from_the_end}.intersection(rule.by_month_day):
            return False
    return not rule.by_day or any(_is_weekday(rule, each, day) for each in rule.by_day)


def _is_weekday(rule: Rule, wanted: Weekday, day: dt.date) -> bool:
    if day.weekday() != wanted.weekday:
        return False
    if wanted.number == 0:
        return True
    if rule.frequency == "YEARLY" and not rule.by_month:
        place = day.timetuple().tm_yday
        length = 365
        if calendar.isleap(day.year):
            length = 366
    else:
        place = day.day
        length = calendar.monthrange(day.year, day.month)[1]
    if wanted.number > 0:
        return (place - 1) // 7 + 1 == wanted.number
    return (length - place) // 7 + 1 == -wanted.number


def _at_positions(days: list[dt.date], positions: tuple[int, ...]) -> list[dt.date]:
    """The days of a period that BYSETPOS picks, in order; all of them without BYSETPOS."""
    if not positions:
        return days
    picked = set()
    for position in positions:
        index = position - 1
        if position < 0:
            index = len(days) + position
        if 0 <= index < len(days):
            picked.add(days[index])
    return sorted(picked)
