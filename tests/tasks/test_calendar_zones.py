"""POST /api/v1/tasks/import: the time zones that calendars name or define (RFC 5545, 3.6.5)"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from taskapp.exchange.file_zones import FileZones, UnknownZone, database_name, in_utc
from tests.conftest import Client, Json, refused

URL = "/api/v1/tasks"
CENTRAL_EUROPE = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""
LISTED = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:DAYLIGHT
DTSTART:20290325T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RDATE:20300331T020000,20310330T020000
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20281029T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RDATE:20291028T030000
RDATE:20301027T030000
END:STANDARD
END:VTIMEZONE
"""
FIXED = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0545
TZOFFSETTO:+0545
END:STANDARD
END:VTIMEZONE
"""


def sent(client: Client, zone: str, lines: str) -> Any:
    client.patch("/api/v1/users/me", json={"timezone": "America/New_York"})
    todo = f"BEGIN:VTODO\nUID:a\nSUMMARY:x\n{lines}\nEND:VTODO\n"
    body = f"BEGIN:VCALENDAR\nVERSION:2.0\n{zone}{todo}END:VCALENDAR\n".replace("\n", "\r\n")
    return client.post(f"{URL}/import", data=body.encode(), content_type="text/calendar")


def taken(client: Client, zone: str, lines: str) -> Json:
    response = sent(client, zone, lines)
    assert response.get_json().get("created") == 1, response.get_json()
    task: Json = client.get(URL).get_json()["items"][0]
    return task


@pytest.mark.parametrize(
    ("definition", "name", "parameter"),
    [
        (CENTRAL_EUROPE, "Customized Time Zone", "Customized Time Zone"),
        (CENTRAL_EUROPE, "tzone://Microsoft/Custom", '"tzone://Microsoft/Custom"'),
        (CENTRAL_EUROPE, r"(UTC+01:00) Amsterdam\, Berlin", '"(UTC+01:00) Amsterdam, Berlin"'),
        (CENTRAL_EUROPE, "GMT+0100", "GMT+0100"),
        (LISTED, "Somewhere", "Somewhere"),
    ],
)
@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("20300131T170000", "2030-01-31T16:00"),
        ("20300731T170000", "2030-07-31T15:00"),
        ("20300331T013000", "2030-03-31T00:30"),
        ("20300331T023000", "2030-03-31T01:30"),  # it is missing: by the offset before
        ("20300331T030000", "2030-03-31T01:00"),
        ("20301027T023000", "2030-10-27T00:30"),  # it comes twice: the first
        ("20301027T030000", "2030-10-27T02:00"),
    ],
)
def test_a_zone_that_the_file_defines_is_read_from_it(
    alice: Client, definition: str, name: str, parameter: str, local: str, utc: str
) -> None:
    zone = definition.format(name=name)

    task = taken(alice, zone, f"DUE;TZID={parameter}:{local}")

    assert task["due_at"] == f"{utc}:00.000000Z"


@pytest.mark.parametrize(
    ("definition", "name", "utc", "zone"),
    [
        ("", "W. Europe Standard Time", "16:00", "Europe/Berlin"),
        (CENTRAL_EUROPE, "W. Europe Standard Time", "16:00", "Europe/Berlin"),
        ("", "/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", "16:00", "Europe/Berlin"),
        ("", "/mozilla.org/20050126_1/America/Argentina/Salta", "20:00", "America/Argentina/Salta"),
        ("", "Asia/Tokyo", "08:00", "Asia/Tokyo"),
        (CENTRAL_EUROPE, "Asia/Tokyo", "08:00", "Asia/Tokyo"),
        (CENTRAL_EUROPE, "Office", "16:00", "Europe/Budapest"),
        (FIXED, "Office", "11:15", "Asia/Katmandu"),
    ],
)
def test_what_repeats_in_it_does_so_in_a_zone_of_the_database(
    alice: Client, definition: str, name: str, utc: str, zone: str
) -> None:
    lines = f"DUE;TZID={name}:20300131T170000\nRRULE:FREQ=DAILY"

    task = taken(alice, definition.format(name=name), lines)

    assert task["due_at"] == f"2030-01-31T{utc}:00.000000Z"
    assert task["repeat"]["timezone"] == zone


NONSENSE = """BEGIN:VTIMEZONE
TZID:Office
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:{offset}
TZOFFSETTO:+0000
RRULE:{rule}
END:STANDARD
END:VTIMEZONE
"""


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        *[("", name) for name in ("Office", "Europe", "US", "a" * 300, '"../x"', '"."', '""')],
        ("BEGIN:VTIMEZONE\nTZID:Office\nEND:VTIMEZONE\n", "Office"),
        (NONSENSE.format(offset="+9900", rule="FREQ=YEARLY"), "Office"),
        (NONSENSE.format(offset="one", rule="FREQ=YEARLY"), "Office"),
        (NONSENSE.format(offset="+0000", rule="FREQ=SECONDLY"), "Office"),
        (NONSENSE.format(offset="+0000", rule="FREQ=DAILY"), "Office"),
    ],
)
def test_a_zone_that_nobody_defines_is_refused_and_named(
    alice: Client, definition: str, name: str
) -> None:
    response = sent(alice, definition, f"DUE;TZID={name}:20300131T170000")

    assert refused(response) == (400, "malformed-request")
    detail = response.get_json()["detail"]
    assert "VTODO 1" in detail
    assert name.strip('"')[:50] in detail


def test_a_rule_without_dates_is_given_up_soon(alice: Client) -> None:
    rule = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"
    zone = NONSENSE.format(offset="+0100", rule=rule)
    due = [f"UID:{year}\nDUE;TZID=Office:{year}0101T000000" for year in range(1970, 2999)]
    lines = "\nEND:VTODO\nBEGIN:VTODO\n".join(due)

    response = sent(alice, zone, f"DESCRIPTION:first\nEND:VTODO\nBEGIN:VTODO\n{lines}")

    assert refused(response) == (400, "malformed-request")


def test_a_file_of_too_many_years_is_refused_wherever_its_zone_is_asked() -> None:
    """A day may be in another year in UTC: to name its zone for a repeat then needs that year."""
    rule = "FREQ=YEARLY;BYMONTH=11;BYDAY=1SU"
    zones = FileZones([NONSENSE.format(offset="+0000", rule=rule).encode()])
    zone = zones.find("Office")

    with pytest.raises(UnknownZone):
        [in_utc(dt.datetime(year, 12, 31), zone) for year in range(2000, 2900)]  # noqa: DTZ001 - it is local

    with pytest.raises(UnknownZone):
        database_name(zone, 2900)


def test_a_name_in_a_text_is_left_alone(alice: Client) -> None:
    text = "see DUE\\;TZID=Office:20300131 and X;TZID=y"

    task = taken(alice, "", f"DESCRIPTION;LANGUAGE=en:{text}")

    assert task["description"] == "see DUE;TZID=Office:20300131 and X;TZID=y"
