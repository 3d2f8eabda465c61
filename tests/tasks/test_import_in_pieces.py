"""POST /api/v1/tasks/import: a long file is read, checked and written a few rows at a time"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from taskapp.exchange.imports import ROW
from taskapp.exchange.valid_rows import ValidRows
from taskapp.tasks.query import CHUNK
from tests.conftest import Client, Json, add, named, refused
from tests.faults.conftest import URL, Service, running

MIB = 1024 * 1024
FILE = 2 * MIB  # which took 28 MiB when all rows were in memory
FAR = CHUNK + 100  # rows that are never in memory at once
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def send(client: Client, rows: list[Json], query: str = "") -> TestResponse:
    body = "\n".join(json.dumps(row) for row in rows)
    return client.post(f"{URL}/import{query}", data=body, content_type="application/x-ndjson")


def numbered(count: int = 2 * FAR, **fields: Any) -> list[Json]:
    return [{"title": f"t{n}", "external_id": f"k{n}", "id": n + 1, **fields} for n in range(count)]


def all_tasks(client: Client) -> dict[str, Json]:
    lines = client.get(f"{URL}?format=ndjson").data.splitlines()
    return {task["title"]: task for task in map(json.loads, lines)}


def test_a_parent_may_be_far_above_or_below(alice: Client) -> None:
    rows = numbered()
    for row in rows[:FAR]:
        row["parent_id"] = row["id"] + FAR
    rows[-1]["parent_id"] = rows[FAR]["id"]

    assert send(alice, rows).get_json()["created"] == len(rows)

    tasks = all_tasks(alice)
    for n in range(FAR):
        assert tasks[f"t{n}"]["parent_id"] == tasks[f"t{n + FAR}"]["id"]
    assert tasks[f"t{len(rows) - 1}"]["parent_id"] == tasks[f"t{FAR}"]["id"]


@pytest.mark.parametrize("name", ["id", "external_id"])
def test_the_same_key_far_below_is_refused_and_nothing_is_kept(alice: Client, name: str) -> None:
    rows = numbered()
    rows[FAR + 7][name] = rows[7][name]

    response = send(alice, rows)

    assert named(response) == [f"/items/{FAR + 7}/{name}"]
    assert f"Row {FAR + 8}: Another row" in response.get_json()["errors"][0]["detail"]
    assert all_tasks(alice) == {}


def test_mistakes_of_all_pieces_are_named_in_the_order_of_the_file(alice: Client) -> None:
    rows = numbered()
    rows[FAR + 3]["external_id"] = "k1"
    rows[FAR + 2]["assignee_id"] = 10**6
    rows[5]["parent_id"] = 10**6

    assert named(send(alice, rows)) == [
        "/items/5/parent_id",
        f"/items/{FAR + 2}/assignee_id",
        f"/items/{FAR + 3}/external_id",
    ]
    assert all_tasks(alice) == {}


def test_a_hundred_mistakes_against_the_project_are_enough(alice: Client) -> None:
    response = send(alice, numbered(assignee_id=10**6))

    assert len(response.get_json()["errors"]) == 100


def test_a_circle_may_go_through_tasks_that_are_there(alice: Client) -> None:
    top = add(alice, "top", external_id="top")
    between = add(alice, "between", parent_id=top["id"])
    filler = [{"title": f"t{n}"} for n in range(FAR)]
    last = {"title": "new", "id": 10**9, "parent_id": between["id"]}
    before = all_tasks(alice)

    response = send(alice, [{"external_id": "top", "parent_id": 10**9}, *filler, last])

    assert named(response)[0] in {"/items/0/parent_id", f"/items/{FAR + 1}/parent_id"}
    assert all_tasks(alice) == before


def test_made_changed_and_left_alone_are_counted_over_all_pieces(alice: Client) -> None:
    send(alice, numbered())
    inbox = alice.user["inbox_id"]
    revision = alice.get(f"/api/v1/projects/{inbox}").get_json()["revision"]
    rows = numbered()
    for row in rows[::100]:
        row["priority"] = "high"
    rows += [{"title": f"new {n}"} for n in range(3)]

    tried = send(alice, rows, "?dry_run=true").get_json()
    assert alice.get(f"/api/v1/projects/{inbox}").get_json()["revision"] == revision
    counts = send(alice, rows).get_json()

    changed = len(numbered()[::100])
    assert counts == {
        "created": 3,
        "updated": changed,
        "unchanged": 2 * FAR - changed,
        "ignored": 0,
    }
    assert tried == counts
    assert alice.get(f"/api/v1/projects/{inbox}").get_json()["revision"] == revision + 1
    assert kinds_at(alice, revision + 1) == {"created": 3, "updated": changed}


def kinds_at(client: Client, revision: int) -> Counter[str]:
    """How many events of each kind a project's revision has."""
    counts: Counter[str] = Counter()
    cursor = ""
    while True:
        url = f"/api/v1/projects/{client.user['inbox_id']}/events?limit=200{cursor}"
        page = client.get(url).get_json()
        counts.update(item["kind"] for item in page["items"] if item["revision"] == revision)
        cursor = f"&cursor={page['next_cursor']}"
        if not page["has_more"]:
            return counts


def test_long_texts_come_a_few_at_a_time(alice: Client) -> None:
    rows = [{"title": f"t{n}", "description": f"{n} " * 20_000} for n in range(20)]

    assert send(alice, rows).get_json()["created"] == 20

    for title, task in all_tasks(alice).items():
        assert task["description"] == f"{title[1:]} " * 20_000


def test_valid_rows_come_back_as_they_were_as_often_as_needed(app: Flask) -> None:
    sent = [
        {"title": "é\u2028\U0001f33f", "due_at": "2030-01-31T17:00:00.5+01:00", "labels": ["a"]},
        {"title": "b", "due_on": "2030-01-31", "created_at": "1970-01-01T00:00:00Z"},
        {"title": "c", "due_at": None, "reminders": ["-PT1H"], "id": 2**53 + 1},
    ]
    rows = ROW.load(sent, many=True)
    with app.app_context():
        stored = ValidRows(ROW, iter(rows))

    assert list(stored) == list(stored) == rows
    stored.close()


@pytest.mark.parametrize(
    ("media", "body", "words"),
    [
        ("text/csv", "title," + "x" * 20 + ",a" * 100_000, "columns"),
        ("text/csv", "title\n" + '"' + "x\n" * MIB + '"', "not CSV"),
        ("text/csv", "title,status\nx" + ",\n" * 10 + '"",' * MIB, "longer than"),
        ("text/calendar", "BEGIN:VCALENDAR\nBEGIN:VTODO\n" + "X:y\n" * MIB, "longer than"),
        ("application/x-ndjson", '{"title": "' + "x" * MIB + '"}', "Line 1"),
        ("application/json", '{"items": [{}, {"title": "' + "x" * 2 * MIB + '"}]}', "Item 2"),
    ],
)
def test_a_row_that_is_longer_than_any_task_is_refused(
    alice: Client, media: str, body: str, words: str
) -> None:
    response = alice.post(f"{URL}/import", data=body, content_type=media)

    assert response.status_code == 400
    assert words in response.get_json()["detail"]


def test_what_was_read_of_an_import_is_closed_however_it_ends(alice: Client) -> None:
    """An open file would be a warning, and warnings are errors here."""
    for body in ('{"title": "x"}', '{"title": ""}', "{"):
        response = alice.post(
            f"{URL}/import?project_id=1000000", data=body, content_type="application/x-ndjson"
        )
        assert response.status_code in {400, 404, 422}
    assert refused(alice.post(f"{URL}/import?project_id=x", data=b"{}"))[0] == 422


def peak_of_import(service: Service, media: str, file: bytes) -> float:
    """How many MiB more than before a worker had at most while it imported the file."""
    (worker,) = service.workers
    status = Path(f"/proc/{worker.pid}/status")
    before = worker.memory_info().rss / MIB
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # VmHWM begins anew: proc(5)
    headers = {"Content-Type": media, "Authorization": f"Bearer {service.token}"}
    connection = HTTPConnection(service.base.removeprefix("http://"), timeout=600)
    connection.request("POST", f"{URL}/import", file, headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    connection.close()
    peak = PEAK.search(status.read_text())
    assert peak is not None
    return int(peak[1]) / 1024 - before


def file_of(media: str, size: int) -> bytes:
    """A good file of this size: rows with keys, parents, labels and a few words."""
    text = io.StringIO()
    begin, row, end = FORMS[media]
    text.write(begin)
    number = 2
    while text.tell() < size - 1000:
        words = f"Task {number}: water the fern beside the moss of room {number % 97}"
        text.write(row.format(number=number, parent=number // 2, words=words))
        number += 1
    text.write(end)
    return text.getvalue().encode()


JSON_ROW = (
    '{{"id": {number}, "parent_id": {parent}, "external_id": "key-{number}", "title": "{words}", '
    '"description": "{words}. {words}.", "labels": ["home", "garden"], "due_on": "2030-01-31"}}'
)
VTODO = (
    "BEGIN:VTODO\r\nUID:{number}@example.com\r\nSUMMARY:{words}\r\n"
    "DESCRIPTION:{words}. {words}.\r\n"
    "CATEGORIES:home,garden\r\nDUE;VALUE=DATE:20300131\r\nEND:VTODO\r\n"
)
FORMS = {
    "text/csv": (
        "id,parent_id,external_id,title,description,labels,due_on\r\n1,,key-1,first,,,\r\n",
        '{number},{parent},key-{number},{words},{words}. {words}.,"home, garden",2030-01-31\r\n',
        "",
    ),
    "application/x-ndjson": ('{"id": 1, "title": "first"}\n', f"{JSON_ROW}\n", ""),
    "application/json": ('{"items": [{"id": 1, "title": "first"}', f",\n{JSON_ROW}", "]}"),
    "text/calendar": ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", VTODO, "END:VCALENDAR\r\n"),
}


def test_memory_does_not_grow_with_the_file(fresh_environment: dict[str, str]) -> None:
    with running(**fresh_environment, WEB_CONCURRENCY="1") as service:
        service.ask(f"{URL}/import", {"items": [{"title": "what is loaded once"}]})

        assert peak_of_import(service, "application/json", file_of("application/json", FILE)) < 20


@pytest.mark.faults
@pytest.mark.parametrize("media", FORMS)
def test_the_largest_import_needs_at_most_64_mib(
    fresh_environment: dict[str, str], media: str
) -> None:
    with running(**fresh_environment, WEB_CONCURRENCY="1") as service:
        file = file_of(media, 20 * MIB)

        first = peak_of_import(service, media, file)
        again = peak_of_import(service, media, file)

        assert (first < 64, again < 64) == (True, True), (first, again)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("[", (400, "malformed-json")),
        ("[1,", (400, "malformed-json")),
        ("[1 2]", (400, "malformed-json")),
        ('"a', (400, "malformed-json")),
        ('"a" x', (400, "malformed-json")),
        ("nul", (400, "malformed-json")),
        ("[]", (422, "validation-error")),
        ('[{"title": "x"}]', (422, "validation-error")),
        ('"a"', (422, "validation-error")),
        ("null", (422, "validation-error")),
        ("[" + "1," * 1_000_000, (422, "validation-error")),  # a hundred say enough
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_object_is_first_of_all_json(
    alice: Client, body: str, answer: tuple[int, str]
) -> None:
    response = alice.post("/api/v1/tasks/import", data=body, content_type="application/json")

    assert refused(response) == answer
