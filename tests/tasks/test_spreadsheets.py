"""POST /api/v1/tasks/import: files as spreadsheets, calendars and people make them"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.conftest import Client, Json, add, made, named, refused

URL = "/api/v1/tasks"


def send(
    client: Client, body: str | bytes, media: str = "text/csv", query: str = ""
) -> TestResponse:
    return client.post(f"{URL}/import{query}", data=body, content_type=media)


def listed(client: Client, query: str = "") -> list[Json]:
    items: list[Json] = client.get(f"{URL}?sort=id&limit=200{query}").get_json()["items"]
    return items


FERN = {"title": "Fern", "status": "in_progress", "priority": "high", "labels": ["garden", "home"]}


@pytest.mark.parametrize(
    "body",
    [
        'title,status,priority,labels\nFern,in_progress,high,"home, garden"\n',
        "title;status;priority;labels\r\nFern;in_progress;high;home, garden\r\n",
        "title\tstatus\tpriority\tlabels\nFern\tin_progress\thigh\thome, garden\n",
        "sep=;\r\ntitle;status;priority;labels\r\nFern;in_progress;high;home,garden\r\n",
        "sep=|\ntitle|status|priority|labels\nFern|in_progress|high|home;garden\n",
        '\ufeffTitle,Status,Priority,Labels\nFern,In progress,High,"[""home"",""garden""]"\n',
        ' Title , STATUS ,priority,labels,,\nFern, in progress ,HIGH,"home,garden",,\n,,,,,\n\n',
        'title,status,priority,labels\rFern,in_progress,high,"home,garden"\r',
        '"title","status","priority","labels"\n"Fern","in_progress","high","home,garden"',
        '\r\n;;;\r\ntitle;status;priority;labels\r\nFern;in_progress;high;"home, garden"\r\n',
        'title;"status";priority;\xa0labels\xa0;;\nFern;in_progress\xa0;high;home,garden;;\n',
        '"sep=;"\r\ntitle;status;priority;labels\r\nFern;in_progress;high;home,garden\r\n',
        "sep=;;;;\r\ntitle;status;priority;labels\r\nFern;in_progress;high;home,garden\r\n",
        'sep=;,,,\ntitle,status,priority,labels\nFern,in_progress,high,"home,garden"\n',
        '"title", "status", "priority", "labels"\n"Fern", "in_progress", "high", "home, garden"\n',
        'title; status; priority; labels\nFern; InProgress; High; "home; garden"\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_whatever_program_made_it(alice: Client, body: str, encoding: str) -> None:
    response = send(alice, body.encode(encoding))

    assert response.get_json() == {"created": 1, "updated": 0, "unchanged": 0, "ignored": 0}
    (task,) = listed(alice)
    assert {name: task[name] for name in FERN} == FERN


@pytest.mark.parametrize(
    "media",
    [
        "application/vnd.ms-excel",
        "application/csv",
        "application/excel",
        "application/vnd.msexcel",
        "text/x-csv",
        "text/csv; charset=utf8",
        "TEXT/CSV; header=present",
        "text/tab-separated-values",
        "text/tsv",
    ],
)
def test_whatever_windows_calls_it(alice: Client, media: str) -> None:
    assert send(alice, "title\nFern\n", media).get_json()["created"] == 1


@pytest.mark.parametrize(
    ("name", "media", "body"),
    [
        ("tasks.csv", "text/csv", b"title\nFern\n"),
        ("tasks.csv", "application/octet-stream", b"title\nFern\n"),
        ("TASKS.TSV", "application/octet-stream", b"title\tstatus\nFern\ttodo\n"),
        ("tasks.tab", "application/octet-stream", b"title\tstatus\nFern\ttodo\n"),
        ("tasks.ndjson", "application/octet-stream", b'\xef\xbb\xbf{"title": "Fern"}\r\n'),
        ("tasks.json", "application/json", b'{"items": [{"title": "Fern"}]}'),
    ],
)
def test_a_file_may_come_as_a_form(alice: Client, name: str, media: str, body: bytes) -> None:
    form = {"file": (io.BytesIO(body), name, media)}

    response = alice.post(f"{URL}/import", data=form, content_type="multipart/form-data")

    assert response.get_json()["created"] == 1
    assert listed(alice)[0]["title"] == "Fern"


def test_a_form_has_one_file(alice: Client) -> None:
    def post(**form: Any) -> TestResponse:
        return alice.post(f"{URL}/import", data=form, content_type="multipart/form-data")

    assert named(post(file="title")) == ["/file"]
    assert named(post(other=(io.BytesIO(b"title\nx"), "x.csv"))) == ["/file"]
    assert refused(post(file=(io.BytesIO(b"x"), "x.png"))) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("charset", "title"),
    [
        ("windows-1252", "Büro, 5 €"),
        ("CP1252", "Büro, 5 €"),
        ("ISO-8859-15", "Büro, 5 €"),
        ("windows-1251", "Ж"),
        ("ISO_8859-1", "Büro"),
        ("iso8859-1", "Büro"),
        ("utf-16LE", "Büro"),
        ("UTF_8", "Büro"),
        ("macintosh", "Büro"),
        ("Shift_JIS", "日本"),
        ("gb2312", "报告"),
        ("koi8-r", "Ж"),
    ],
)
def test_a_charset_that_is_named_is_read(alice: Client, charset: str, title: str) -> None:
    body = f'title;description\r\n"{title}";x\r\n'.encode(charset)
    form = {"file": (io.BytesIO(body), "x.csv", f"text/csv; charset={charset}")}

    send(alice, body, f"text/csv; charset={charset}")
    alice.post(f"{URL}/import", data=form, content_type="multipart/form-data")

    assert [task["title"] for task in listed(alice)] == [title, title]


@pytest.mark.parametrize("media", ["application/x-ndjson", "application/jsonl"])
def test_a_charset_of_json_has_no_effect(alice: Client, media: str) -> None:
    body = '{"title": "Büro"}\n'.encode()

    assert send(alice, body, f"{media}; charset=iso-8859-1").get_json().get("created") == 1
    assert listed(alice)[0]["title"] == "Büro"


@pytest.mark.parametrize("charset", ["utf-7", "rot13", "idna", "shift", "iso-8859-12"])
def test_a_charset_that_is_not_read_is_415(alice: Client, charset: str) -> None:
    response = send(alice, "title\nx\n", f"text/csv; charset={charset}")

    assert refused(response) == (415, "unsupported-media-type")


def test_a_coding_that_changes_nothing_has_a_name_in_any_case(alice: Client) -> None:
    headers = {"Content-Encoding": "Identity"}
    response = alice.post(
        f"{URL}/import", data="title\nFern\n", content_type="text/csv", headers=headers
    )

    assert response.get_json()["created"] == 1


def test_headings_are_fields_in_any_case(alice: Client) -> None:
    for heading in ("external_id", "External ID", "ExternalId", "externalID", "EXTERNAL-ID"):
        response = send(alice, f"Title,{heading}\nFern,{heading}\n")
        assert response.get_json().get("created") == 1, heading


@pytest.mark.parametrize(
    ("written", "status"),
    [("To Do", "todo"), ("In-Progress", "in_progress"), ("InProgress", "in_progress")],
)
def test_choices_are_taken_in_any_case_and_with_spaces(
    alice: Client, written: str, status: str
) -> None:
    assert send(alice, f"title,status\nFern,{written}\n").get_json()["created"] == 1
    assert listed(alice)[0]["status"] == status


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31 09:30:00+00:00",  # pandas
        "2026-01-31 11:30:00+02",  # PostgreSQL
        "2026-01-31 10:30:00.0 +0100",  # Ruby, SQL Server
        "2026-01-31 09:30:00 UTC",
        "2026-01-31 09:30:00z",
    ],
)
def test_a_time_may_have_a_space_before_its_clock(alice: Client, written: str) -> None:
    assert send(alice, f"title,due_at\nFern,{written}\n").get_json()["created"] == 1
    assert listed(alice)[0]["due_at"] == "2026-01-31T09:30:00.000000Z"


@pytest.mark.parametrize("written", ["2026-01-31 09:30:00", "2026-01-31 09:30:00 CET"])
def test_a_time_of_nobody_knows_which_zone_is_told(alice: Client, written: str) -> None:
    response = send(alice, f"title,due_at\nFern,{written}\n")

    assert "offset" in response.get_json()["errors"][0]["detail"]


def test_a_rule_and_reminders_may_stand_as_people_write_them(alice: Client) -> None:
    body = "title,due_on,repeat,reminders\nFern,2030-01-31,RRULE:FREQ=WEEKLY,-PT1H\n"
    body += 'Moss,2030-01-31,"FREQ=WEEKLY;BYDAY=MO,TH","-P1D; -PT1H"\n'

    assert send(alice, body).get_json()["created"] == 2
    fern, moss = listed(alice)
    assert (fern["repeat"]["rule"], fern["reminders"]) == ("FREQ=WEEKLY", ["-PT1H"])
    assert moss["repeat"]["rule"] == "FREQ=WEEKLY;BYDAY=MO,TH"
    assert moss["reminders"] == ["-P1D", "-PT1H"]
    wrong = send(alice, "title,due_on,repeat\nFern,2030-01-31,weekly\n")
    assert named(wrong) == ["/items/0/repeat/rule"]


def test_whole_numbers_may_have_a_point_as_pandas_writes_them(alice: Client) -> None:
    me = alice.user["id"]
    body = f"id,title,parent_id,assignee_id\n7.0,Garden,,\n8.0,Fern,7.0,{me}.0\n"

    assert send(alice, body).get_json()["created"] == 2
    garden, fern = listed(alice)
    assert (fern["parent_id"], fern["assignee_id"]) == (garden["id"], me)
    assert named(send(alice, "title,parent_id\nFern,7.5\n")) == ["/items/0/parent_id"]


def test_a_column_without_a_name_is_told(alice: Client) -> None:
    response = send(alice, ",title\n,Fern\n1,Moss\n")

    assert refused(response) == (400, "malformed-request")
    assert "Row 2 (line 3) has something in column 1" in response.get_json()["detail"]


def test_empty_cells_are_defaults_and_short_rows_end_in_them(alice: Client) -> None:
    body = "title,status,priority,due_at,labels,description\nFern,,,,,\nMoss\nRest,done\n"

    assert send(alice, body).get_json()["created"] == 3

    fern, moss, rest = listed(alice)
    for task in (fern, moss):
        assert (task["status"], task["priority"], task["due_at"]) == ("todo", "none", None)
    assert rest["status"] == "done"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("title,due_at\nFern,\n\nMoss,next week\n", ["Row 2", "line 4", "due_at", "2026-01-31"]),
        ("title;priority\nFern;highest\n", ["Row 1", "line 2", "priority", "urgent"]),
        (f"title\n{'x' * 501}\n", ["Row 1", "line 2", "title", "Length"]),
        ("title,colour\nFern,red\n", ["Header", '"colour"', "description"]),
    ],
)
def test_a_mistake_is_named_by_row_line_and_column(
    alice: Client, body: str, words: list[str]
) -> None:
    response = send(alice, body)

    (reason,) = response.get_json()["errors"]
    for word in words:
        assert word in reason["detail"]
    assert listed(alice) == []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"title\n\xe4pfel\n", "UTF-8"),
        (b"PK\x03\x04 and so on", "workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),
        (b"title\r\n" + b"Fern\r\n" * 20 + b"B\xfcro\r\n", "Line 22 "),
        (b"title\r\n" + b"Fern\r\n" * 5_000 + b"B\xfcro\r\n", "Line 5002 "),
        (b"\xff\xfet\x00i\x00\x00\xd8\n\x00", "UTF-16"),
        (b"title,status\nx,todo,y\n", "Row 1"),
        (b'title\n"x\n', "Line"),
        (b"title,Title\nx,y\n", "twice"),
        (b"\n\n", "header"),
    ],
)
def test_what_is_no_csv_says_what_would_be(alice: Client, body: bytes, word: str) -> None:
    response = send(alice, body)

    assert refused(response) == (400, "malformed-request")
    assert word in response.get_json()["detail"]


def test_line_ends_of_windows_are_those_of_everybody(alice: Client) -> None:
    send(alice, b'title,description\r\n"two\r\nlines","a\r\nb\rc"\r\n')
    added = add(alice, "two\r\nlines\rmore", description="a\r\nb\rc")

    imported = listed(alice)[0]
    assert (imported["title"], imported["description"]) == ("two lines", "a\nb\nc")
    assert (added["title"], added["description"]) == ("two lines more", "a\nb\nc")


def test_an_owner_keeps_the_times_of_the_file(alice: Client, bob: Client, shared: Json) -> None:
    row = {"title": "Fern", "status": "done", "external_id": "a"}
    row |= {"created_at": "2020-01-01T00:00:00Z", "completed_at": "2020-02-01T00:00:00Z"}
    query = f"?project_id={shared['id']}"

    def send_row(client: Client, **fields: Any) -> Json:
        body = json.dumps({**row, **fields})
        return dict(send(client, body, "application/x-ndjson", query).get_json())

    assert send_row(alice)["ignored"] == 0
    assert send_row(alice) == {"created": 0, "updated": 0, "unchanged": 1, "ignored": 0}
    assert send_row(bob, external_id="b")["ignored"] == 2
    mine, his = listed(alice, f"&project_id={shared['id']}")
    assert mine["created_at"] == "2020-01-01T00:00:00.000000Z"
    assert mine["completed_at"] == "2020-02-01T00:00:00.000000Z"
    assert his["created_at"] > "2025"
    assert his["completed_at"] > "2025"


def test_a_dry_run_counts_and_writes_nothing(alice: Client) -> None:
    inbox = alice.get("/api/v1/projects").get_json()["items"]

    response = send(alice, "title\nFern\n", query="?dry_run=true")

    assert response.get_json()["created"] == 1
    assert listed(alice) == []
    assert alice.get("/api/v1/projects").get_json()["items"] == inbox


def test_ones_are_refused_after_a_hundred(alice: Client) -> None:
    ones = "1," * 1_000_000 + "1"
    for body, media in (
        (f'{{"items": [{ones}]}}', "application/json"),
        ("1\n" * 1_000_000, "application/x-ndjson"),
        ("title,status\n" + "1,1\n" * 500_000, "text/csv"),
    ):
        response = send(alice, body, media)
        assert response.status_code == 422
        assert len(response.get_json()["errors"]) == 100


CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VTODO
UID:4711@example.com
SUMMARY:Water\\, the fern
DESCRIPTION:first\\nthen
STATUS:IN-PROCESS
PRIORITY:1
DUE:20300131T170000Z
CATEGORIES:home,garden
END:VTODO
END:VCALENDAR
""".replace("\n", "\r\n")


def test_takes_the_todos_of_a_calendar_once(alice: Client) -> None:
    for expected in ("created", "unchanged"):
        response = send(alice, CALENDAR, "text/calendar")
        assert response.get_json()[expected] == 1, response.get_json()

    (task,) = listed(alice)
    assert (task["title"], task["description"]) == ("Water, the fern", "first\nthen")
    assert (task["status"], task["priority"]) == ("in_progress", "urgent")
    assert task["due_at"] == "2030-01-31T17:00:00.000000Z"
    assert (task["labels"], task["external_id"]) == (["garden", "home"], "4711@example.com")


def test_a_calendar_of_ours_comes_back(alice: Client) -> None:
    parent = add(alice, "Garden", priority="low", labels=["a, b"])
    add(alice, "Fern", parent_id=parent["id"], status="done", description="C:\\New; x")
    file = alice.get(f"{URL}?format=ics&sort=id").data
    copy = made(alice, "projects", name="Copy")["id"]

    response = send(alice, file, "text/calendar", f"?project_id={copy}")

    assert response.get_json()["created"] == 2
    garden, fern = listed(alice, f"&project_id={copy}")
    assert (garden["title"], garden["priority"], garden["labels"]) == ("Garden", "low", ["a, b"])
    assert (fern["parent_id"], fern["status"]) == (garden["id"], "done")
    assert fern["description"] == "C:\\New; x"


@pytest.mark.parametrize(
    "body", ["", "BEGIN:VCARD", CALENDAR[:150], "BEGIN:VCALENDAR\nBEGIN:VTODO"]
)
def test_what_is_no_calendar_is_400(alice: Client, body: str) -> None:
    assert send(alice, body, "text/calendar").status_code == 400


@pytest.mark.parametrize(
    "text", ['x;"=1', "x\n=1", 'x\n""-1', "x\n''=1", "x\n\n- a\n- b", ";\n=1", "'", "x\n\t\n=1"]
)
def test_what_no_spreadsheet_may_run_comes_back_the_same(alice: Client, text: str) -> None:
    task = add(alice, "Fern", description=text, external_id="a")
    file = alice.get(f"{URL}?format=csv&fields=external_id,title,description").data

    assert send(alice, file).get_json()["unchanged"] == 1
    assert listed(alice)[0]["description"] == task["description"]


cells = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=12
)
titles = cells.map(lambda text: " ".join(text.split())).filter(bool)
rows = st.fixed_dictionaries(
    {
        "title": titles,
        "description": cells,
        "status": st.sampled_from(["todo", "in_progress", "done", "cancelled"]),
        "priority": st.sampled_from(["none", "low", "medium", "high", "urgent"]),
        "labels": st.lists(titles, max_size=2, unique_by=str.casefold),
    }
)


@given(
    wanted=st.lists(rows, min_size=1, max_size=3),
    dialect=st.sampled_from(csv.list_dialects()),
    separator=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_every_dialect_of_the_csv_writer_comes_back_the_same(
    alice: Client, wanted: list[Json], dialect: str, separator: str, encoding: str
) -> None:
    project = made(alice, "projects", name="Copy")["id"]
    for row in wanted:
        add(alice, project_id=project, **row)
    exported = csv.DictReader(
        io.StringIO(alice.get(f"{URL}?format=csv&sort=id&project_id={project}").text, newline="")
    )
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, exported.fieldnames or (), dialect=dialect, delimiter=separator)
    writer.writeheader()
    writer.writerows(exported)
    copy = made(alice, "projects", name="Copy")["id"]

    response = send(alice, text.getvalue().encode(encoding), query=f"?project_id={copy}")

    assert response.get_json().get("created") == len(wanted), response.get_json()
    names = [*wanted[0], "created_at", "completed_at"]
    pair = [listed(alice, f"&project_id={each}") for each in (project, copy)]
    first, second = ([[task[name] for name in names] for task in tasks] for tasks in pair)
    assert first == second
