"""What other programs export becomes tasks, and the report says what had no place."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from taskapp_client.commands import imports
from taskapp_client.days import Due
from taskapp_client.doors import ics, rows, spreadsheet, todoist, todotxt, vikunja
from taskapp_client.doors.rows import Conversion, Row
from taskapp_client.failures import Failure

from .conftest import Person

PIECES = (
    b"",
    b"\xff",
    b"\n",
    b",",
    b'"',
    b":",
    b"null",
    b"[]",
    b"{",
    b"9999-99-99",
    b"x" * 40,
    b"every 0 ",
)
SAMPLES = Path(__file__).parent / "samples"
EXPORTED = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)  # a Monday
DOORS = {
    "todotxt": "todo.txt",
    "todoist": "todoist.csv",
    "ics": "tasks.ics",
    "vikunja": "vikunja.json",
}
CONVERTERS = {
    "todotxt": todotxt.convert,
    "todoist": todoist.convert,
    "ics": ics.convert,
    "vikunja": vikunja.convert,
}


def converted(door: str) -> Conversion:
    content = (SAMPLES / DOORS[door]).read_bytes()
    return rows.fit(CONVERTERS[door](content, EXPORTED))


def titled(conversion: Conversion, title: str) -> Row:
    (row,) = [row for row in conversion.rows if row.title == title]
    return row


def day(text: str) -> Due:
    return Due(day=dt.date.fromisoformat(text))


def moment(text: str) -> Due:
    return Due(moment=dt.datetime.fromisoformat(text))


@pytest.mark.parametrize("door", DOORS)
def test_every_row_has_a_key_of_its_own_that_stays(door: str) -> None:
    keys = [row.key for row in converted(door).rows]

    assert len(set(keys)) == len(keys) > 2
    assert keys == [row.key for row in converted(door).rows]


def test_todotxt_is_read_by_its_rules() -> None:
    conversion = converted("todotxt")

    mom = titled(conversion, "Call Mom")
    assert (mom.priority, mom.labels, mom.due) == ("urgent", ["phone", "Family"], day("2026-12-24"))
    assert mom.created_at is not None
    assert mom.created_at.date() == dt.date(2026, 11, 2)
    rent = titled(conversion, "Pay the rent")
    assert (rent.status, rent.priority) == ("done", "high")
    assert rent.completed_at is not None
    assert rent.completed_at.date() == dt.date(2026, 11, 20)
    assert titled(conversion, "(b) is no priority").priority == "none"
    assert titled(conversion, "xylophone lesson").key == "todotxt:xylo-1"
    address = "2+2 is four, mail me@example.com or see https://example.com/a:b"
    assert titled(conversion, address).labels == []
    assert [row.title for row in conversion.rows].count("Buy bread") == 2


def test_todotxt_repeats_from_when_it_was_done_or_from_when_it_was_due() -> None:
    conversion = converted("todotxt")
    fern = titled(conversion, "Water the fern").repeat or {}
    report = titled(conversion, "Report")

    assert (fern["rule"], fern["from"]) == ("FREQ=WEEKLY;INTERVAL=1", "done")
    assert report.repeat
    assert (report.repeat["rule"], report.repeat["from"]) == ("FREQ=MONTHLY;INTERVAL=1", "due")
    assert report.description == "t:2026-11-28"


def test_a_todotxt_task_keeps_its_key_when_it_is_done_or_gets_another_priority() -> None:
    keys = set()
    for line in ("Pay the rent", "(A) Pay the rent", "x 2026-11-20 2026-11-01 Pay the rent"):
        (row,) = todotxt.convert(line.encode(), EXPORTED).rows
        keys.add(row.key)

    assert len(keys) == 1


def test_todoist_is_read_as_its_help_says() -> None:
    conversion = converted("todoist")

    fern = titled(conversion, "Water the fern")
    assert (fern.priority, fern.labels, fern.due) == (
        "urgent",
        ["home", "plants"],
        day("2026-12-01"),
    )
    can = titled(conversion, "Fill the can")
    tap = titled(conversion, "Not from the tap")
    assert (can.parent, tap.parent) == (fern, can)
    assert tap.description == "The can is in the shed, left of the door"
    accountant = titled(conversion, "Call the accountant")
    assert accountant.due == moment("2027-08-17T16:00:00+02:00")
    assert accountant.labels == ["Later"]
    assert accountant.description == "Deadline: 2027-08-31"
    assert titled(conversion, "Something vague").description == "Date: when the time comes"


def test_todoist_repeats() -> None:
    conversion = converted("todoist")
    stretch, meeting = titled(conversion, "Stretch"), titled(conversion, "Team meeting")

    assert stretch.repeat == {
        "rule": "FREQ=DAILY;INTERVAL=3",
        "from": "done",
        "timezone": "Europe/Berlin",
    }
    assert stretch.due == day("2026-11-30")
    assert meeting.repeat is not None
    assert meeting.repeat["rule"] == "FREQ=WEEKLY;BYDAY=MO,TH"
    assert meeting.due == moment("2026-11-30T09:30:00+01:00")


def test_a_zone_that_is_unknown_here_is_that_of_this_machine() -> None:
    text = b"TYPE,CONTENT,DATE,TIMEZONE\ntask,Water the fern,2026-12-01 17:00,Nowhere/Land\n"

    (row,) = todoist.convert(text, EXPORTED).rows

    assert row.due.moment is not None
    assert f"{row.due.moment:%H:%M}" == "17:00"


def test_todoist_words_are_read_as_on_the_day_of_the_export() -> None:
    text = b"TYPE,CONTENT,DATE\ntask,Water the fern,tomorrow\n"

    (row,) = todoist.convert(text, EXPORTED).rows

    assert row.due == day("2026-12-01")


def test_icalendar_is_read_by_rfc_5545() -> None:
    conversion = converted("ics")

    plants, fern = titled(conversion, "Look after the plants"), titled(conversion, "Water the fern")
    assert (plants.priority, plants.status) == ("urgent", "in_progress")
    assert (plants.labels, plants.due) == (["home", "plants"], day("2026-12-24"))
    assert fern.parent is plants
    assert fern.due == moment("2027-03-31T18:00:00+02:00")
    assert fern.repeat == {
        "rule": "FREQ=WEEKLY;BYDAY=WE",
        "from": "due",
        "timezone": "Europe/Berlin",
    }
    assert fern.reminders == ["-PT1H"]
    assert fern.description == "First line\nsecond line, with a comma\n\nLocation: Kitchen"
    assert titled(conversion, "Pay the rent").status == "done"
    assert conversion.left_out["VEVENT, which is no task"] == ["A party"]


@pytest.mark.parametrize(
    ("lines", "reminders"),
    [
        ("DUE:20300131T170000Z\nTRIGGER:-PT15M", ["-PT15M"]),
        ("DTSTART:20300130T170000Z\nDUE:20300131T170000Z\nTRIGGER:-PT15M", ["-P1DT15M"]),
        ("DTSTART:20300130T170000Z\nDUE:20300131T170000Z\nTRIGGER;RELATED=END:-PT15M", ["-PT15M"]),
        ("DUE;VALUE=DATE:20300131\nTRIGGER:PT9H", ["P0D"]),
        ("DUE;VALUE=DATE:20300131\nTRIGGER:-PT15H", ["-P1D"]),
        ("DUE;VALUE=DATE:20300131\nTRIGGER:PT10H", []),
        ("DUE:20300131T170000Z\nACTION:NONE\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z", []),
    ],
)
def test_alarms_of_a_calendar_count_as_by_the_service(lines: str, reminders: list[str]) -> None:
    dates = [line for line in lines.splitlines() if line.startswith(("DT", "DUE"))]
    alarm = [line for line in lines.splitlines() if line not in dates]

    (row,) = ics.convert(calendar(*dates, "BEGIN:VALARM", *alarm, "END:VALARM"), EXPORTED).rows

    assert row.reminders == reminders


@pytest.mark.parametrize(
    ("due", "until", "expected"),
    [
        ("DUE:20300131T170000Z", "20310101", "20310101T235959Z"),
        ("DUE;TZID=Europe/Berlin:20300131T170000", "20310101T120000", "20310101T110000Z"),
        ("DUE;VALUE=DATE:20300131", "20310101T000000Z", "20310101"),
    ],
)
def test_until_of_a_calendar_is_taken_as_programs_write_it(
    due: str, until: str, expected: str
) -> None:
    (row,) = ics.convert(calendar(due, f"RRULE:FREQ=DAILY;UNTIL={until}"), EXPORTED).rows

    assert row.repeat is not None
    assert row.repeat["rule"] == f"FREQ=DAILY;UNTIL={expected}"


def test_a_zone_with_the_name_of_a_folder_is_a_line_and_no_traceback() -> None:
    with pytest.raises(Failure, match="no iCalendar file"):
        ics.convert(calendar("DUE;TZID=Europe:20300131T170000"), EXPORTED)


def calendar(*lines: str) -> bytes:
    """A calendar with one VTODO of these lines."""
    todo = ["BEGIN:VTODO", "UID:a", "SUMMARY:x", *lines, "END:VTODO"]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *todo, "END:VCALENDAR", ""]).encode()


def test_vikunja_is_read_with_its_projects_comments_and_subtasks() -> None:
    conversion = converted("vikunja")

    fern, can = titled(conversion, "Water the fern"), titled(conversion, "Fill the can")
    assert fern.description == (
        "Twice, but gently.\n\n- [x] fill the can\n- [ ] pour\n\n"
        "See the book (https://example.com/fern)\n\nbob, 2026-11-03:\nWhich fern?"
    )
    assert (fern.priority, fern.reminders) == ("urgent", ["-PT60M"])
    assert fern.repeat is not None
    assert (fern.repeat["rule"], fern.repeat["from"]) == ("FREQ=WEEKLY;INTERVAL=1", "done")
    assert (can.parent, can.status) == (fern, "done")
    bought = titled(conversion, "Buy a can")
    assert (bought.project, bought.description) == ("Garden", "5 < 6 & green")


def test_vikunja_says_what_had_no_place() -> None:
    left_out = converted("vikunja").left_out

    assert left_out["assignees"] == ["Fill the can"]
    assert left_out["start dates"] == ["Fill the can"]
    assert left_out["relations of the kind 'blocked'"] == ["Water the fern"]
    assert left_out["a repetition by hours, or without a due date"] == ["Buy a can"]


def test_vikunja_may_be_the_zip_as_it_was_downloaded(tmp_path: Path) -> None:
    archive = tmp_path / "vikunja.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.write(SAMPLES / "vikunja.json", "data.json")
        out.writestr("VERSION", "2.0.0")

    conversion = vikunja.convert(archive.read_bytes(), EXPORTED)

    assert len(conversion.rows) == 3


def test_a_csv_of_another_program_is_read_by_columns_that_are_named() -> None:
    columns = {
        "title": "Name",
        "external_id": "Task ID",
        "due": "Due Date",
        "labels": "tags",
        "description": "Notes",
        "completed_at": "Completed At",
        "project": "Projects",
    }
    content = (SAMPLES / "asana.csv").read_bytes()

    conversion = rows.fit(spreadsheet.convert(content, EXPORTED, columns))

    fern = titled(conversion, "Water the fern")
    assert (fern.key, fern.due, fern.labels) == ("csv:1201", day("2026-12-01"), ["home", "plants"])
    assert titled(conversion, "Pay the rent").status == "done"
    assert titled(conversion, "Someday").description == "Due: next year or so"
    assert conversion.left_out["the column 'Assignee'"] == ["Water the fern"]


JIRA = b"""\
Summary,Issue key,Issue id,Parent id,Status,Priority,Resolved,Due date,Labels,Labels
Fix the payment,PAY-1,101,,In Review,Highest,,28/Feb/27,backend,web
Write tests,PAY-2,102,101,Closed,Low,15/Nov/26 9:00 AM,,,
"""
TICKTICK = b"""\
"Date: 2026-11-30+0000"
"Version: 7.2"
"Status:
0 Normal
1 Completed
2 Archived"
"List Name","Title","Tags","Content","Due Date","Priority","Status","taskId","parentId"
"Home","Water the fern","plants, home","Twice","2026-12-01T17:00:00+0000","5","0","t1",""
"Home","Fill the can","","","","0","1","t2","t1"
"""


def test_jira_repeats_a_column_for_each_label() -> None:
    columns = {
        "title": "Summary",
        "external_id": "Issue id",
        "parent": "Parent id",
        "due": "Due date",
    }
    columns |= {"status": "Status", "priority": "Priority", "labels": "Labels"}
    columns["completed_at"] = "Resolved"

    conversion = rows.fit(spreadsheet.convert(JIRA, EXPORTED, columns))

    payment, tests = conversion.rows
    assert (payment.status, payment.priority) == ("in_progress", "urgent")
    assert (payment.labels, payment.due) == (["backend", "web"], day("2027-02-28"))
    assert (tests.parent, tests.status) == (payment, "done")


def test_ticktick_writes_about_the_file_before_its_header() -> None:
    columns = {"title": "Title", "external_id": "taskId", "parent": "parentId", "due": "Due Date"}
    columns |= {
        "status": "Status",
        "priority": "Priority",
        "labels": "Tags",
        "project": "List Name",
    }

    conversion = rows.fit(spreadsheet.convert(TICKTICK, EXPORTED, columns))

    fern, can = conversion.rows
    assert (fern.labels, fern.due) == (["plants", "home"], moment("2026-12-01T17:00:00+00:00"))
    assert (fern.priority, fern.project) == ("high", "Home")
    assert (can.parent, can.status) == (fern, "done")
    assert list(conversion.left_out) == ["the column 'Content'"]


@pytest.mark.parametrize("content", [b"\xff\xfe\xff", b"\x89PNG\r\n\x1a\n\xff", b"PK\x03\x04\xff"])
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_such_file_is_refused_with_a_sentence(door: str, content: bytes) -> None:
    with pytest.raises(Failure, match=r"This is no|The file is not"):
        CONVERTERS[door](content, EXPORTED)


def test_what_is_too_long_is_cut_and_kept_in_the_description() -> None:
    row = Row(key="k" * 300, title="t" * 600, labels=["l" * 80, "L" * 50, *map(str, range(30))])
    conversion = rows.fit(Conversion([row]))

    assert (len(row.title), len(row.key) <= 200, len(row.labels)) == (500, True, 20)
    assert row.description == "t" * 600
    assert "".join(conversion.report()).count("t" * 40) == 2


def test_a_tree_of_tasks_stays_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART_ROWS", 4)
    parent = Row(key="p", title="p")
    children = [Row(key=f"c{n}", title="c", parent=parent) for n in range(3)]
    others = [Row(key=f"o{n}", title="o") for n in range(5)]

    parts = list(rows.parts([others[0], children[0], parent, *children[1:], *others[1:]]))

    assert [size for size, _ in parts] == [1, 4, 4]
    held = [json.loads(line) for line in parts[1][1].splitlines()]
    assert {item["external_id"] for item in held} == {"p", "c0", "c1", "c2"}


@pytest.mark.parametrize("door", DOORS)
def test_whatever_is_in_a_file_it_ends_in_rows_or_in_a_sentence(door: str) -> None:
    content = (SAMPLES / DOORS[door]).read_bytes()
    chance = random.Random(7)  # noqa: S311 - no secret
    converted = 0
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.randint(0, 12)] = chance.choice(PIECES)
        with suppress(Failure):
            imports.convert(door, {}, bytes(damaged), EXPORTED)
            converted += 1

    assert converted > 3


# The service.


def sample(person: Person, name: str, *keep: str) -> Path:
    """A copy of a sample, with only those lines that hold one of `keep`."""
    lines = (SAMPLES / name).read_text().splitlines(keepends=True)
    chosen = [line for line in lines if not keep or any(word in line for word in keep)]
    file = person.home / name
    file.write_text("".join(chosen))
    os.utime(file, (EXPORTED.timestamp(), EXPORTED.timestamp()))
    return file


def test_twice_is_once(alice: Person) -> None:
    file = sample(alice, "todo.txt", "rent", "xylophone", "bread")

    first = alice.does("import", "--from", "todotxt", str(file))
    second = alice.does("import", "--from", "todotxt", str(file))

    assert first == "4 created, 0 updated, 0 unchanged.\n"
    assert second == "0 created, 0 updated, 4 unchanged.\n"
    assert len(alice.all_tasks()) == 4


def test_what_the_file_says_anew_is_updated(alice: Person) -> None:
    file = sample(alice, "todo.txt", "bread")
    alice.does("import", "--from", "todotxt", str(file))
    file.write_text("x 2026-12-01 Buy bread\nBuy bread\n")

    out = alice.does("import", "--from", "todotxt", str(file))

    assert out == "0 created, 1 updated, 1 unchanged.\n"
    assert [task["status"] for task in alice.all_tasks()] == ["done", "todo"]


def test_subtasks_are_below_their_parents(alice: Person) -> None:
    file = sample(alice, "todoist.csv", "TYPE", "Fill", "tap", "accountant")

    alice.does("import", "--from", "todoist", str(file))
    alice.does("import", "--from", "todoist", str(file))

    can, tap, accountant = alice.all_tasks()
    assert tap["parent_id"] == can["id"]
    assert accountant["due_at"] == "2027-08-17T14:00:00.000000Z"


def test_projects_of_the_file_become_projects(alice: Person) -> None:
    tasks = [{"id": 1, "title": "Water the fern"}, {"id": 2, "title": "Feed the fern"}]
    file = alice.home / "data.json"
    file.write_text(
        json.dumps(
            [{"title": "Inbox", "tasks": tasks[:1]}, {"title": "Garden", "tasks": tasks[1:]}]
        )
    )

    first = alice.does("import", "--from", "vikunja", str(file))
    alice.does("import", "--from", "vikunja", str(file))

    names = {p["id"]: p["name"] for p in alice.api.get("/projects").json()["items"]}
    assert [names[task["project_id"]] for task in alice.all_tasks()] == ["Inbox", "Garden"]
    assert "1 projects created" in first


def test_one_project_may_take_them_all(alice: Person) -> None:
    tasks = [{"id": 1, "title": "Water the fern"}]
    file = alice.home / "data.json"
    file.write_text(json.dumps([{"title": "Garden", "tasks": tasks}]))

    alice.does("import", "--from", "vikunja", "--project", "inbox", str(file))

    assert [p["name"] for p in alice.api.get("/projects").json()["items"]] == ["Inbox"]


def test_the_report_goes_to_standard_error(alice: Person) -> None:
    file = sample(alice, "todoist.csv", "TYPE", "Call", "Something")

    ran = alice.run("import", "--from", "todoist", str(file), "--json")

    counts = {"created": 2, "updated": 0, "unchanged": 0, "ignored": 0}
    assert json.loads(ran.stdout) == counts
    assert ran.stderr.startswith("Kept in the description:\n")
    assert "1  dates in words that are unknown here ('Something vague')" in ran.stderr


def test_the_rows_can_be_written_to_a_file_instead(stranger: Person) -> None:
    file = sample(stranger, "todo.txt", "bread")
    target = stranger.home / "rows.ndjson"

    stranger.does("import", "--from", "todotxt", str(file), "-o", str(target))

    held = [json.loads(line) for line in target.read_text().splitlines()]
    assert [item["title"] for item in held] == ["Buy bread", "Buy bread"]
    assert all(item["external_id"].startswith("todotxt:") for item in held)


def test_a_column_that_is_not_there_is_named(stranger: Person) -> None:
    file = sample(stranger, "asana.csv")

    ran = stranger.run("import", "--from", "csv", "--column", "title=Task", str(file))

    assert ran.returncode == 1
    assert "It lacks the columns: Task. It has: Task ID, Created At" in ran.stderr


def test_an_export_comes_back_as_it_was(alice: Person) -> None:
    alice.add("Water the fern", external_id="fern", labels=["home"], priority="high")
    for kind in ("ndjson", "csv"):
        file = alice.home / f"tasks.{kind}"
        alice.does("export", "-o", str(file))

        out = alice.does("import", str(file))

        assert out == "0 created, 0 updated, 1 unchanged.\n"


def test_many_rows_go_in_parts(alice: Person) -> None:
    file = alice.home / "many.txt"
    file.write_text("".join(f"Task {n}\n" for n in range(2_500)))

    out = alice.does("import", "--from", "todotxt", str(file))

    assert out == "2500 created, 0 updated, 0 unchanged.\n"


ELSEWHERE = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Nextcloud Tasks v0.16//EN
BEGIN:VTODO
UID:garden@example.com
SUMMARY:Garden\\, all of it
CATEGORIES:home,"outside"
CREATED:20260101T080000Z
END:VTODO
BEGIN:VTODO
UID:fern@example.com
RELATED-TO:garden@example.com
SUMMARY:Water the fern
DESCRIPTION:first\\nthen
STATUS:IN-PROCESS
PRIORITY:3
DUE;TZID=Europe/Berlin:20300131T170000
RRULE:FREQ=WEEKLY
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
END:VALARM
END:VTODO
BEGIN:VTODO
UID:fern@example.com
RECURRENCE-ID;TZID=Europe/Berlin:20300207T170000
SUMMARY:Water the fern twice
DTSTART;VALUE=DATE:20300207
DURATION:P1D
END:VTODO
BEGIN:VTODO
UID:task-17@taskapp
COMPLETED:20260102T030405Z
END:VTODO
END:VCALENDAR
"""


def test_a_calendar_is_the_same_by_its_door_and_by_the_service(alice: Person) -> None:
    file = alice.home / "tasks.ics"
    file.write_text(ELSEWHERE)

    by_its_door = alice.does("import", "--from", "ics", str(file))
    as_it_is = alice.does("import", str(file))

    assert by_its_door == "4 created, 0 updated, 0 unchanged.\n"
    assert as_it_is == "0 created, 0 updated, 4 unchanged.\n"


def test_a_file_as_it_is_can_be_tried(alice: Person) -> None:
    file = alice.home / "tasks.csv"
    file.write_text('Title;Labels\nWater the fern;"home, garden"\n;\nRest;\n')

    tried = alice.does("import", "--dry-run", str(file))

    assert tried == "Would be: 2 created, 0 updated, 0 unchanged.\n"
    assert alice.api.get("/tasks").json()["items"] == []
    assert alice.does("import", str(file)) == "2 created, 0 updated, 0 unchanged.\n"


def test_a_label_with_a_comma_is_one_label_everywhere(alice: Person) -> None:
    alice.add("Water the fern", external_id="fern", labels=["home, garden", "a\\b"])
    alice.add("Rest", labels=["home"])

    for label in ("home, garden", "a\\b"):
        shown = alice.does("ls", "--label", label)
        assert "Water the fern" in shown
        assert "Rest" not in shown
    for kind in ("csv", "ndjson"):
        file = alice.home / f"tasks.{kind}"
        alice.does("export", "--label", "home, garden", "-o", str(file))
        assert alice.does("import", str(file)) == "0 created, 0 updated, 1 unchanged.\n"
