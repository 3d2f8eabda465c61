"""GET /api/v1/tasks as CSV, NDJSON and iCalendar"""

from __future__ import annotations

import csv
import io
import json
import subprocess
from typing import Any

import pytest
from icalendar import Calendar

from tests import servers
from tests.conftest import Client, Json, add, named, refused

URL = "/api/v1/tasks"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def todos_of(data: bytes) -> dict[str, Any]:
    calendar = Calendar.from_ical(data)
    return {str(todo["summary"]): todo for todo in calendar.walk("VTODO")}


@pytest.fixture
def pair(alice: Client) -> list[Json]:
    """A task with everything in it, and the one above it."""
    parent = alice.post(URL, json={"title": "Garden", "status": "in_progress"}).get_json()
    body = {
        "title": "Water; the, \\n fern in C:\\New",
        "description": 'Say "when",\nthen stop \\\\N. ' + "ä" * 80,
        "external_id": "crm/1",
        "status": "done",
        "priority": "urgent",
        "due_at": "2030-01-31T17:00:00.5+01:00",
        "assignee_id": alice.user["id"],
        "parent_id": parent["id"],
        "labels": ["home, sweet", "b;c", "c\\N"],
    }
    return [parent, alice.post(URL, json=body).get_json()]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv, application/json", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("text/csv;q=0.9, application/json;q=0.5", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("application/json;q=0, application/*", "application/x-ndjson"),
        ("text/calendar, */*;q=0.1", "text/calendar"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "application/json"),
        ("*", "application/json"),
    ],
)
def test_accept_chooses_with_its_weights(alice: Client, accept: str | None, media: str) -> None:
    response = alice.get(URL, headers={"Accept": accept} if accept else {})

    assert (response.status_code, response.mimetype) == (200, media)
    assert "Accept" in response.headers["Vary"]


def test_format_wins_over_accept(alice: Client) -> None:
    response = alice.get(f"{URL}?format=ndjson", headers={"Accept": "text/csv"})

    assert response.mimetype == "application/x-ndjson"


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "nonsense"])
def test_what_it_cannot_make_is_406(alice: Client, accept: str) -> None:
    response = alice.get(URL, headers={"Accept": accept})

    assert refused(response) == (406, "not-acceptable")
    assert refused(alice.get(f"{URL}?format=xml")) == (406, "not-acceptable")


def test_csv_has_the_fields_as_columns(alice: Client, pair: list[Json]) -> None:
    response = alice.get(f"{URL}?format=csv&sort=id")

    parent, child = rows_of(response.text)
    assert response.headers["Content-Disposition"] == 'attachment; filename="tasks.csv"'
    assert list(child) == list(pair[1])
    assert json.loads(child["labels"]) == pair[1]["labels"]
    assert child["due_at"] == "2030-01-31T16:00:00.500000Z"
    assert (child["title"], child["description"]) == (pair[1]["title"], pair[1]["description"])
    assert (parent["external_id"], parent["parent_id"], parent["completed_at"]) == ("", "", "")


def test_csv_cannot_run_in_a_spreadsheet(alice: Client) -> None:
    wild = [f"{sign}cmd|' /C calc'!A0" for sign in "=+-@\t\n'＝＋－＠"]  # noqa: RUF001 - some programs take the wide ones
    for text in wild:
        alice.post(URL, json={"title": "x", "description": text})

    rows = rows_of(alice.get(f"{URL}?format=csv&sort=id").text)

    assert [row["description"] for row in rows] == [f"'{text}" for text in wild]


def test_csv_cannot_run_where_a_spreadsheet_splits_a_cell(alice: Client) -> None:
    for text, cell in (
        ("x;=1+1", "x;'=1+1"),
        ("x;\t=1", "x;'\t'=1"),
        ("\ufeff=1", "\ufeff'=1"),
        ("x; -1", "x; '-1"),
        ('x;"=1', "x;\"'=1"),  # its quotes are in the middle of a cell then, and protect nothing
        ("x\n=1", "x\n'=1"),  # so a row ends at each line break
        ('x\n" +1', "x\n\" '+1"),
        ("x\n''-1", "x\n'''-1"),
        ("x\n\n'tis =1", "x\n\n'tis =1"),
        ("a;b", "a;b"),
        ("1-1", "1-1"),
    ):
        task = add(alice, "x", description=text, labels=["x;=1"])

        rows = rows_of(alice.get(f"{URL}?format=csv").text)
        row = next(each for each in rows if each["id"] == str(task["id"]))
        assert (row["description"], row["labels"]) == (cell, '["x;\'=1"]')


def test_ndjson_is_a_task_a_line_as_in_the_list(alice: Client, pair: list[Json]) -> None:
    lines = alice.get(f"{URL}?format=ndjson").text.splitlines()

    assert [json.loads(line) for line in lines] == alice.get(URL).get_json()["items"]


def test_icalendar_says_the_same_in_its_own_words(alice: Client, pair: list[Json]) -> None:
    response = alice.get(f"{URL}?format=ics&fields=id")

    todos = todos_of(response.data)
    todo, parent = todos[pair[1]["title"]], todos["Garden"]
    assert str(todo["description"]) == pair[1]["description"]
    assert (todo["status"], todo["priority"], todo["sequence"]) == (
        "COMPLETED",
        1,
        pair[1]["revision"],
    )
    assert (parent["status"], parent["priority"]) == ("IN-PROCESS", 0)
    assert todo["related-to"] == parent["uid"] == f"task-{pair[0]['id']}@taskapp"
    assert list(todo.categories) == pair[1]["labels"]
    assert todo["due"].dt.isoformat() == "2030-01-31T16:00:00+00:00"
    for name, field in (("completed", "completed_at"), ("last-modified", "updated_at")):
        assert todo[name].dt.isoformat()[:19] == pair[1][field][:19]
    assert max(map(len, response.data.split(b"\r\n"))) <= 75


def test_an_export_is_whole(alice: Client) -> None:
    lines = "".join(f"t{number}\n" for number in range(2200))
    made = alice.post(f"{URL}/import", data=f"title\n{lines}", content_type="text/csv")
    assert made.get_json()["created"] == 2200
    for shape in ("csv", "ndjson", "ics"):
        query = f"{URL}?format={shape}&sort=-priority,due_at,updated_at,-title"

        text = alice.get(query).text

        for number in (0, 1999, 2000, 2199):
            said = (f"t{number}\r\n", f'"t{number}"', f",t{number},")
            assert sum(map(text.count, said)) == 1


@pytest.mark.parametrize("shape", ["csv", "ndjson", "ics"])
def test_an_unchanged_export_is_304_and_byte_for_byte_the_same(
    alice: Client, pair: list[Json], shape: str
) -> None:
    first, second = (alice.get(f"{URL}?format={shape}") for _ in range(2))
    again = {"If-None-Match": first.headers["ETag"]}

    assert first.data == second.data
    assert alice.get(f"{URL}?format={shape}", headers=again).status_code == 304
    alice.delete(f"{URL}/{pair[0]['id']}")
    assert alice.get(f"{URL}?format={shape}", headers=again).status_code == 200


def test_the_shapes_do_not_share_an_etag(alice: Client) -> None:
    tags = {alice.get(f"{URL}?format={s}").headers["ETag"] for s in ("json", "csv", "ndjson")}

    assert len(tags) == 3


def test_filters_sorts_and_fields_hold_in_every_shape(alice: Client, pair: list[Json]) -> None:
    query = "?status=done&fields=title,id"

    rows = rows_of(alice.get(f"{URL}{query}&format=csv").text)
    lines = alice.get(f"{URL}{query}&format=ndjson").text

    assert rows == [{"id": str(pair[1]["id"]), "title": pair[1]["title"]}]
    assert json.loads(lines) == {"id": pair[1]["id"], "title": pair[1]["title"]}
    assert list(todos_of(alice.get(f"{URL}{query}&format=ics").data)) == [pair[1]["title"]]


def test_hides_other_peoples_tasks_and_projects(
    charlie: Client, shared: Json, pair: list[Json]
) -> None:
    hidden = charlie.get(f"{URL}?format=csv&project_id={shared['id']}")

    assert refused(hidden) == (404, "not-found")
    assert charlie.get(f"{URL}?format=ndjson").text == ""
    assert rows_of(charlie.get(f"{URL}?format=csv").text) == []
    calendar = Calendar.from_ical(charlie.get(f"{URL}?format=ics").data)
    assert [part.name for part in calendar.subcomponents] == ["VTIMEZONE"]  # one there must be


def test_a_wrong_filter_is_named_before_the_first_byte(alice: Client) -> None:
    assert named(alice.get(f"{URL}?format=csv&status=later")) == ["status"]


def test_an_export_has_no_pages(alice: Client) -> None:
    for shape in ("csv", "ndjson", "ics"):
        refusal = alice.get(f"{URL}?format={shape}&limit=1&total=true")
        assert named(refusal) == ["limit", "total"]
    assert alice.get(f"{URL}?format=json&limit=1&total=true").status_code == 200


def test_over_http_1_0_an_export_has_a_length(alice: Client, pair: list[Json]) -> None:
    streamed = alice.get(f"{URL}?format=csv")
    spooled = alice.get(f"{URL}?format=csv", environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"})

    assert "Content-Length" not in streamed.headers
    assert spooled.headers["Content-Length"] == str(len(spooled.data))
    assert spooled.data == streamed.data


def test_a_byte_order_mark_is_there_for_excel(alice: Client, pair: list[Json]) -> None:
    plain, marked = (alice.get(f"{URL}?format=csv&bom={bom}").data for bom in ("false", "true"))

    assert marked == b"\xef\xbb\xbf" + plain


def test_head_has_the_headers_alone(alice: Client, pair: list[Json]) -> None:
    response = alice.head(f"{URL}?format=csv")

    assert (response.mimetype, response.data) == ("text/csv", b"")


def test_a_real_server_sends_it_piece_by_piece(fresh_environment: dict[str, str]) -> None:
    with servers.gunicorn(**fresh_environment) as base:
        token = servers.sign_up(base, "alice@example.com")
        for shape in ("csv", "ndjson", "ics"):
            command = ["curl", "-fsSi", "--http1.1", f"{base}{URL}?format={shape}"]
            command += ["-H", f"Authorization: Bearer {token}"]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert "Transfer-Encoding: chunked" in answer
