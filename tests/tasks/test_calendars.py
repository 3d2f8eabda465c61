"""POST /api/v1/tasks/import: calendars as other programs write them (RFC 5545)"""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.conftest import Client, Json, add, made, named, refused

URL = "/api/v1/tasks"


def send(client: Client, *todos: str, query: str = "") -> TestResponse:
    """Import VTODOs, each given by its lines."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN"]
    for todo in todos:
        lines += ["BEGIN:VTODO", *todo.strip().splitlines(), "END:VTODO"]
    lines += ["END:VCALENDAR", ""]
    body = "\r\n".join(lines)
    return client.post(f"{URL}/import{query}", data=body, content_type="text/calendar")


def taken(client: Client, *todos: str) -> list[Json]:
    """The tasks that they became."""
    response = send(client, *todos)
    assert response.get_json().get("created") == len(todos), response.get_json()
    items: list[Json] = client.get(f"{URL}?sort=id").get_json()["items"]
    return items


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("UID:a", {"title": "(no title)", "status": "todo", "priority": "none"}),
        ("SUMMARY:x", {"external_id": None, "due_at": None, "due_on": None}),
        ("COMPLETED:20260102T030405Z", {"status": "done"}),
        ("STATUS:NEEDS-ACTION\nCOMPLETED:20260102T030405Z", {"status": "todo"}),
        ("STATUS:X-LATER", {"status": "todo"}),
        ("DUE;VALUE=DATE:20300131", {"due_on": "2030-01-31", "due_at": None}),
        ("DUE:20300131T170000Z", {"due_at": "2030-01-31T17:00:00.000000Z"}),
        ("DUE;TZID=Europe/Berlin:20300131T170000", {"due_at": "2030-01-31T16:00:00.000000Z"}),
        ("DUE:20300131T170000", {"due_at": "2030-01-31T11:15:00.000000Z"}),
        ("DTSTART:20300131T170000Z\nDURATION:PT90M", {"due_at": "2030-01-31T18:30:00.000000Z"}),
        ("DTSTART;VALUE=DATE:20300131\nDURATION:P2D", {"due_on": "2030-02-02"}),
        ("DTSTART:20300131T170000Z", {"due_at": None}),
        ("RRULE:FREQ=DAILY", {"repeat": None}),
        (
            "DUE;VALUE=DATE:20300131\nRRULE:FREQ=DAILY",
            {"repeat": {"rule": "FREQ=DAILY", "from": "due", "timezone": "Asia/Kathmandu"}},
        ),
        (
            "DUE;TZID=Europe/Berlin:20300131T170000\nRRULE:FREQ=WEEKLY;COUNT=3",
            {"repeat": {"rule": "FREQ=WEEKLY;COUNT=3", "from": "due", "timezone": "Europe/Berlin"}},
        ),
        ("DESCRIPTION:one\nDESCRIPTION:two", {"description": "one\n\ntwo"}),
        (
            "SUMMARY:a\\, b\\; c\\\\d\nDESCRIPTION:x\\ny",
            {"title": "a, b; c\\d", "description": "x\ny"},
        ),
        ("SUMMARY:Water\n  the fern", {"title": "Water the fern"}),
        ("CATEGORIES:home,garden\nCATEGORIES:Büro", {"labels": ["Büro", "garden", "home"]}),
        ("CATEGORIES:a\\,b", {"labels": ["a,b"]}),
        ("PRIORITY:2", {"priority": "high"}),
        ("PRIORITY:9", {"priority": "low"}),
        ("PRIORITY:42", {"priority": "none"}),
        ("summary:lower\nstatus:in-process", {"title": "lower", "status": "in_progress"}),
        ("SUMMARY;LANGUAGE=de:Farn", {"title": "Farn"}),
        ("X-APPLE-SORT-ORDER:7\nSUMMARY:y\nPERCENT-COMPLETE:50", {"title": "y"}),
        (f"UID:{'u' * 200}", {"external_id": "u" * 200}),
        ("UID:a\nRECURRENCE-ID:20300131T170000Z", {"external_id": "a 20300131T170000Z"}),
        ("RELATED-TO:nobody@example.com", {"parent_id": None}),
        ("CATEGORIES:\nPRIORITY:\nDUE:\nSTATUS:\nDESCRIPTION:", {"labels": [], "due_at": None}),
        ("CATEGORIES:a,,b", {"labels": ["a", "b"]}),
        (
            "DTSTART;TZID=Europe/Berlin:20300330T170000\nDURATION:P1D",
            {"due_at": "2030-03-31T15:00:00.000000Z"},
        ),
    ],
)
def test_what_a_todo_says_is_in_the_task(alice: Client, lines: str, expected: Json) -> None:
    alice.patch("/api/v1/users/me", json={"timezone": "Asia/Kathmandu"})

    (task,) = taken(alice, lines)

    assert {name: task[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("trigger", "reminder"),
    [
        ("TRIGGER:-PT15M", "-PT15M"),
        ("TRIGGER;RELATED=END:PT0S", "P0D"),
        ("TRIGGER;VALUE=DATE-TIME:20300131T080000Z", "2030-01-31T08:00:00"),
        ("TRIGGER:PT15M", None),
        ("DESCRIPTION:no trigger", None),
    ],
)
def test_an_alarm_is_a_reminder(alice: Client, trigger: str, reminder: str | None) -> None:
    alarm = f"BEGIN:VALARM\nACTION:DISPLAY\n{trigger}\nEND:VALARM"

    (task,) = taken(alice, f"SUMMARY:x\nDUE:20300131T170000Z\n{alarm}")

    assert [text[:19] for text in task["reminders"]] == ([reminder] if reminder else [])


@pytest.mark.parametrize(
    ("trigger", "reminders"),
    [
        ("TRIGGER:-PT15M", ["-P1DT15M"]),
        ("TRIGGER;RELATED=START:-PT15M", ["-P1DT15M"]),
        ("TRIGGER;RELATED=END:-PT15M", ["-PT15M"]),
        ("TRIGGER:PT15M", ["-PT23H45M"]),
        ("TRIGGER:P1D", ["P0D"]),
        ("TRIGGER:P1DT1S", []),
    ],
)
def test_an_alarm_counts_from_the_start_where_there_is_one(
    alice: Client, trigger: str, reminders: list[str]
) -> None:
    alarm = f"BEGIN:VALARM\nACTION:DISPLAY\n{trigger}\nEND:VALARM"

    (task,) = taken(alice, f"DTSTART:20300130T170000Z\nDUE:20300131T170000Z\n{alarm}")

    assert task["reminders"] == reminders


@pytest.mark.parametrize(
    ("trigger", "reminders"),
    [
        ("TRIGGER:PT9H", ["P0D"]),  # as phones set it
        ("TRIGGER:-PT15H", ["-P1D"]),
        ("TRIGGER;RELATED=END:P0D", ["-PT9H"]),
        ("TRIGGER:PT10H", []),
    ],
)
def test_an_alarm_of_a_day_counts_from_its_midnight(
    alice: Client, trigger: str, reminders: list[str]
) -> None:
    alarm = f"BEGIN:VALARM\nACTION:DISPLAY\n{trigger}\nEND:VALARM"

    (task,) = taken(alice, f"SUMMARY:x\nDUE;VALUE=DATE:20300131\n{alarm}")

    assert task["reminders"] == reminders


def test_an_alarm_at_a_moment_needs_no_due_date(alice: Client) -> None:
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER;VALUE=DATE-TIME:20300101T080000Z\nEND:VALARM"

    (task,) = taken(alice, f"SUMMARY:x\n{alarm}")

    assert task["reminders"] == ["2030-01-01T08:00:00.000000Z"]


def test_reminders_of_ours_come_back(alice: Client) -> None:
    moment = "2030-01-01T08:00:00.000000Z"
    repeat = {"rule": "FREQ=DAILY", "from": "due", "timezone": "Europe/Berlin"}
    add(alice, "a", due_at="2030-01-31T17:00:00Z", reminders=["-PT15M", "P0D", moment])
    add(alice, "b", due_on="2030-01-31", reminders=["P0D", "-P1D"], repeat=repeat)
    add(alice, "c", reminders=[moment])
    file = alice.get(f"{URL}?format=ics").data
    copy = made(alice, "projects", name="Copy")["id"]

    url = f"{URL}/import?project_id={copy}"
    assert alice.post(url, data=file, content_type="text/calendar").get_json()["created"] == 3
    tasks = alice.get(f"{URL}?project_id={copy}&sort=title").get_json()["items"]
    assert [sorted(task["reminders"]) for task in tasks] == [
        sorted(["-PT15M", "P0D", moment]),
        ["-P1D", "P0D"],
        [moment],
    ]


def test_an_alarm_of_apple_that_is_none_reminds_nobody(alice: Client) -> None:
    alarm = "BEGIN:VALARM\nACTION:NONE\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z\nEND:VALARM"

    (task,) = taken(alice, f"SUMMARY:x\nDUE:20300131T170000Z\n{alarm}")

    assert task["reminders"] == []


@pytest.mark.parametrize(
    ("due", "until", "expected"),
    [
        ("DUE:20300131T170000Z", "20310101T120000Z", "20310101T120000Z"),
        ("DUE:20300131T170000Z", "20310101", "20310101T235959Z"),
        ("DUE;TZID=Europe/Berlin:20300131T170000", "20310101", "20310101T225959Z"),
        ("DUE;TZID=Europe/Berlin:20300131T170000", "20310101T120000", "20310101T110000Z"),
        ("DUE;VALUE=DATE:20300131", "20310101", "20310101"),
        ("DUE;VALUE=DATE:20300131", "20310101T000000Z", "20310101"),
    ],
)
def test_until_is_taken_as_programs_write_it(
    alice: Client, due: str, until: str, expected: str
) -> None:
    (task,) = taken(alice, f"SUMMARY:x\n{due}\nRRULE:FREQ=DAILY;UNTIL={until}")

    assert task["repeat"]["rule"] == f"FREQ=DAILY;UNTIL={expected}"


def test_a_line_may_be_folded_within_a_character(alice: Client) -> None:
    text = "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nSUMMARY:B\xfcro\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    body = text.encode().replace(b"\xc3", b"\xc3\r\n ")

    response = alice.post(f"{URL}/import", data=body, content_type="text/calendar")

    assert response.get_json()["created"] == 1, response.get_json()
    assert alice.get(URL).get_json()["items"][0]["title"] == "B\xfcro"


def test_parents_are_named_by_any_uid_above_or_below(alice: Client) -> None:
    long_uid = "0123456789" * 12 + "@example.com"  # folded by who writes it
    folded = f"UID:{long_uid[:60]}\n {long_uid[60:]}"
    tasks = taken(
        alice,
        f"UID:leaf\nSUMMARY:leaf\nRELATED-TO;RELTYPE=PARENT:{long_uid[:40]}\n {long_uid[40:]}",
        f"{folded}\nSUMMARY:branch\nRELATED-TO:root",
        "UID:root\nSUMMARY:root\nRELATED-TO;RELTYPE=CHILD:leaf",
        "UID:beside\nSUMMARY:beside\nRELATED-TO;RELTYPE=SIBLING:leaf\nRELATED-TO:root",
    )

    ids = {task["title"]: task["id"] for task in tasks}
    parents = {task["title"]: task["parent_id"] for task in tasks}
    assert parents == {
        "leaf": ids["branch"],
        "branch": ids["root"],
        "root": None,
        "beside": ids["root"],
    }


def test_another_date_of_a_series_is_a_task_of_its_own(alice: Client) -> None:
    series = "UID:a\nSUMMARY:Fern\nDUE:20300131T170000Z\nRRULE:FREQ=WEEKLY"
    moved = "UID:a\nRECURRENCE-ID:20300207T170000Z\nSUMMARY:Moved\nDUE:20300208T170000Z"

    assert len(taken(alice, series, moved)) == 2
    assert send(alice, series, moved).get_json()["unchanged"] == 2


def test_a_calendar_of_ours_makes_its_tasks_once(alice: Client) -> None:
    above = add(alice, "above", due_on="2030-01-31", labels=["a, b"])
    add(alice, "below", parent_id=above["id"], description="C:\\New")
    file = alice.get(f"{URL}?format=ics").data
    project = made(alice, "projects", name="Copy")["id"]

    def again() -> Any:
        url = f"{URL}/import?project_id={project}"
        return alice.post(url, data=file, content_type="text/calendar").get_json()

    assert (again()["created"], again()["unchanged"]) == (2, 2)
    tasks = alice.get(f"{URL}?project_id={project}&sort=id").get_json()["items"]
    keys = {task["title"]: task["external_id"] for task in tasks}
    parents = {task["title"]: task["parent_id"] for task in tasks}
    ids = {task["title"]: task["id"] for task in tasks}
    assert keys["above"] == f"task-{above['id']}@taskapp"
    assert parents == {"above": None, "below": ids["above"]}


def test_a_parent_of_ours_may_be_in_the_project_alone(alice: Client) -> None:
    above = add(alice, "above")

    below = taken(alice, f"SUMMARY:below\nRELATED-TO:task-{above['id']}@taskapp")[-1]

    assert below["parent_id"] == above["id"]


def test_a_uid_that_is_too_long_for_a_key_is_shortened_the_same_each_time(alice: Client) -> None:
    uid = "x" * 300

    (task,) = taken(alice, f"UID:{uid}")

    assert task["external_id"].startswith("long:")
    assert send(alice, f"UID:{uid}").get_json()["unchanged"] == 1


@pytest.mark.parametrize("lines", ["PRIORITY:high", "DUE:tomorrow", "BEGIN:VALARM", "COMPLETED:x"])
def test_what_is_no_todo_is_named_by_its_number(alice: Client, lines: str) -> None:
    response = send(alice, "SUMMARY:good", f"SUMMARY:bad\nDUE:20300131T170000Z\n{lines}")

    assert refused(response) == (400, "malformed-request")
    assert "VTODO 2" in response.get_json()["detail"]


def test_a_fault_names_the_row(alice: Client) -> None:
    response = send(alice, "SUMMARY:good", f"SUMMARY:{'x' * 501}")

    assert named(response) == ["/items/1/title"]


@pytest.mark.parametrize("begin", ["", "\r\n", "\n\n\ufeff", "\ufeff\r\n"])
def test_blank_lines_may_come_first(alice: Client, begin: str) -> None:
    body = f"{begin}BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:B\xfcro\nEND:VTODO\nEND:VCALENDAR\n"

    response = alice.post(f"{URL}/import", data=body.encode(), content_type="text/calendar")

    assert response.get_json()["created"] == 1
    assert alice.get(URL).get_json()["items"][0]["title"] == "B\xfcro"


def test_a_calendar_in_latin_1_is_refused_and_never_garbled(alice: Client) -> None:
    body = "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:B\xfcro\nEND:VTODO\nEND:VCALENDAR\n"

    response = alice.post(
        f"{URL}/import", data=body.encode("latin-1"), content_type="text/calendar"
    )

    assert refused(response) == (400, "malformed-request")
    assert "VTODO 1 is not text in UTF-8" in response.get_json()["detail"]
