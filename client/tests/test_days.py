"""Dates as people type them."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from taskapp_client import days
from taskapp_client.days import Due, parse_due, show, write

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)  # a Monday
DAYS = {
    "today": "2026-11-30",
    "Tomorrow": "2026-12-01",
    "friday": "2026-12-04",
    "fri": "2026-12-04",
    "next monday": "2026-12-07",
    "monday": "2026-12-07",
    "+3d": "2026-12-03",
    "in 2 weeks": "2026-12-14",
    "+3m": "2027-02-28",
    "2027-02-28": "2027-02-28",
}
MOMENTS = {
    "tomorrow 17:00": "2026-12-01T17:00",
    "friday at 5pm": "2026-12-04T17:00",
    "2027-07-01 at 17:00": "2027-07-01T17:00",
    "9:05": "2026-11-30T09:05",
    "2027-07-01 12am": "2027-07-01T00:00",
    "2027-07-01T08:30:00+02:00": "2027-07-01T08:30:00+02:00",
    "2027-07-01T06:30:00Z": "2027-07-01T06:30:00+00:00",
}


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()


@pytest.mark.parametrize("text", DAYS)
def test_a_day_is_a_day(text: str) -> None:
    assert parse_due(text, NOW) == Due(day=dt.date.fromisoformat(DAYS[text]))


@pytest.mark.parametrize("text", MOMENTS)
def test_a_time_makes_it_a_moment_on_this_machine(text: str) -> None:
    expected = dt.datetime.fromisoformat(MOMENTS[text]).astimezone()

    assert parse_due(text, NOW) == Due(moment=expected)


@pytest.mark.parametrize("text", ["none", "", "never"])
def test_none_is_no_date(text: str) -> None:
    assert parse_due(text, NOW).fields() == {"due_on": None, "due_at": None}


@pytest.mark.parametrize(
    "text", ["whenever", "2026-02-30", "25:00", "13", "fr", "2026-11-30T", "+99999d", "5 o'clock"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="Write one of: today, tomorrow"):
        parse_due(text, NOW)


@pytest.mark.parametrize("text", [*DAYS, *MOMENTS, "none"])
def test_what_the_editor_shows_is_read_back_as_it_was(text: str) -> None:
    due = parse_due(text, NOW)

    assert parse_due(write(due), NOW) == due


def test_a_table_names_nearby_days() -> None:
    today = NOW.date()

    assert show(Due(day=today), today) == "today"
    assert show(parse_due("tomorrow 17:00", NOW), today) == "tomorrow 17:00"
    assert show(parse_due("friday", NOW), today) == "2026-12-04"
    assert show(Due(), today) == ""


def test_a_moment_goes_out_in_utc() -> None:
    due = parse_due("2027-07-01 17:00", NOW)

    assert due.fields() == {"due_on": None, "due_at": "2027-07-01T15:00:00.000000Z"}


def test_the_zone_of_this_machine_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert days.local_zone() == "Europe/Berlin"
    monkeypatch.setenv("TZ", "nonsense")
    assert days.local_zone() == "UTC"
