"""POST /api/v1/tasks/import"""

from __future__ import annotations

import datetime as dt
import json
import threading
from http.client import HTTPConnection
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from werkzeug.test import TestResponse

from tests import servers
from tests.conftest import Client, Json, named, refused

URL = "/api/v1/tasks"
MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson", "json": "application/json"}
WRITTEN = "external_id title description status priority due_at assignee_id labels".split()


def send(
    client: Client, body: str | bytes, shape: str, project_id: int | None = None
) -> TestResponse:
    where = f"?project_id={project_id}" if project_id else ""
    return client.post(f"{URL}/import{where}", data=body, content_type=MEDIA[shape])


def send_rows(client: Client, *rows: Any, project_id: int | None = None) -> TestResponse:
    return send(client, "\n".join(json.dumps(row) for row in rows), "ndjson", project_id)


def counts(created: int = 0, updated: int = 0, unchanged: int = 0, ignored: int = 0) -> Json:
    return {"created": created, "updated": updated, "unchanged": unchanged, "ignored": ignored}


def listed(client: Client, query: str = "") -> list[Json]:
    items: list[Json] = client.get(f"{URL}?sort=id&limit=200{query}").get_json()["items"]
    return items


def project_of(client: Client, *others: Client) -> int:
    project_id = int(client.post("/api/v1/projects", json={"name": "Copy"}).get_json()["id"])
    for other in others:
        member = {"email": other.user["email"], "role": "editor"}
        client.post(f"/api/v1/projects/{project_id}/members", json=member)
    return project_id


def test_creates_a_task_for_each_row_in_the_inbox(alice: Client) -> None:
    body = 'title,labels,due_at\r\nFern,"[""b"",""A""]",2030-01-31T17:00:00+01:00\r\nRest,[],\r\n'

    response = send(alice, body, "csv")

    fern, rest = listed(alice)
    assert (response.status_code, response.get_json()) == (200, counts(created=2))
    assert (fern["labels"], fern["due_at"]) == (["A", "b"], "2030-01-31T16:00:00.000000Z")
    assert (rest["title"], rest["due_at"], rest["status"]) == ("Rest", None, "todo")
    assert listed(alice, "&label=a&q=fern") == [fern]


def test_leaves_the_history_that_single_writes_would(alice: Client) -> None:
    send_rows(alice, {"external_id": "a", "title": "Fern", "status": "done"})
    send_rows(alice, {"external_id": "a", "title": "Moss"})

    (task,) = listed(alice)
    history = alice.get(f"{URL}/{task['id']}/history").get_json()["items"]
    assert [(event["kind"], event["changes"].get("title")) for event in history] == [
        ("created", [None, "Fern"]),
        ("updated", ["Fern", "Moss"]),
    ]
    assert task["completed_at"] is not None
    assert listed(alice, "&q=moss") == [task]
    assert listed(alice, "&q=fern") == []


@pytest.mark.parametrize(
    ("member", "value"),
    [("total", -1), ("total", None), ("total", "1"), ("total", 1.5), ("next_cursor", 7)],
)
@pytest.mark.parametrize("is_last", [True, False])
def test_what_stands_around_a_list_is_what_a_list_has(
    alice: Client, member: str, value: Any, is_last: bool
) -> None:
    members = [(member, value), ("items", [{"title": "Fern"}])]
    body = json.dumps(dict(reversed(members) if is_last else members))

    response = send(alice, body, "json")

    assert named(response) == [f"/{member}"]
    assert listed(alice) == []


def test_a_page_of_a_list_is_taken_as_it_was_answered(alice: Client) -> None:
    for title in ("Fern", "Moss"):
        alice.post(URL, json={"title": title})
    page = alice.get(f"{URL}?total=true&limit=1").get_json()

    assert (page["total"], page["next_cursor"] is None) == (2, False)
    assert send(alice, json.dumps(page), "json").get_json()["created"] == 1


def test_a_row_with_an_external_id_sets_only_its_own_fields(alice: Client) -> None:
    send_rows(alice, {"external_id": "a", "title": "Fern", "priority": "high", "labels": ["x"]})

    response = send_rows(alice, {"external_id": "a", "status": "done", "labels": ["y"]})

    (task,) = listed(alice)
    assert response.get_json() == counts(updated=1)
    assert (task["title"], task["priority"], task["labels"]) == ("Fern", "high", ["y"])
    assert task["completed_at"] is not None
    assert (len(listed(alice, "&label=x")), len(listed(alice, "&label=y"))) == (0, 1)


@pytest.mark.parametrize("shape", MEDIA)
def test_the_same_file_twice_changes_nothing(alice: Client, shape: str) -> None:
    rows = [{"external_id": f"k{n}", "title": f"'t{n}", "labels": ["B", "a"]} for n in range(3)]
    send_rows(alice, *rows)
    file = alice.get(f"{URL}?format={shape}").data
    before, inbox = listed(alice), alice.get("/api/v1/projects").get_json()["items"]

    response = send(alice, file, shape)

    assert response.get_json() == counts(unchanged=3)
    assert listed(alice) == before
    assert alice.get("/api/v1/projects").get_json()["items"] == inbox


def test_what_a_person_writes_into_a_spreadsheet_is_fine(alice: Client) -> None:
    body = (
        "\ufeffid,title,external_id,assignee_id\r\n\r\n,'tis,,\r\n,''=x,,\r\n,'=y,a,\r\n".encode()
    )

    assert send(alice, body, "csv").get_json() == counts(created=3)

    assert [task["title"] for task in listed(alice)] == ["'tis", "'=x", "=y"]


def test_parents_are_named_by_the_ids_of_the_file(alice: Client, task: Json) -> None:
    rows = [
        {"id": 70, "title": "leaf", "parent_id": 71},
        {"id": 71, "title": "branch", "parent_id": 72, "external_id": "b"},
        {"id": 72, "title": "root"},
        {"title": "beside", "parent_id": task["id"]},
    ]

    assert send_rows(alice, *rows).get_json() == counts(created=4)

    tree = {each["title"]: each for each in listed(alice)}
    assert tree["leaf"]["parent_id"] == tree["branch"]["id"]
    assert tree["branch"]["parent_id"] == tree["root"]["id"]
    assert tree["beside"]["parent_id"] == task["id"]


def test_a_task_that_is_there_can_come_below_a_new_one(alice: Client) -> None:
    send_rows(alice, {"external_id": "old", "title": "old"})

    done = send_rows(alice, {"external_id": "old", "parent_id": 9}, {"id": 9, "title": "new"})

    old, new = listed(alice)
    assert done.get_json() == counts(created=1, updated=1)
    assert old["parent_id"] == new["id"]


def test_circles_of_parents_are_refused(alice: Client) -> None:
    send_rows(alice, {"external_id": "a", "title": "a", "id": 1}, {"title": "b", "parent_id": 1})
    a, b = listed(alice)

    with_what_is_there = send_rows(alice, {"external_id": "a", "parent_id": b["id"]})
    in_the_file = send_rows(
        alice,
        {"title": "x"},
        {"id": 1, "title": "c", "parent_id": 2},
        {"id": 2, "title": "d", "parent_id": 1},
    )

    assert named(with_what_is_there) == ["/items/0/parent_id"]
    assert named(in_the_file)[0] in {"/items/1/parent_id", "/items/2/parent_id"}
    assert listed(alice) == [a, b]


def test_a_chain_of_hundreds_is_made_at_once(alice: Client) -> None:
    rows = [
        {"id": n, "title": "t", **({"parent_id": n - 1} if n > 1 else {})} for n in range(1, 901)
    ]

    assert send_rows(alice, *rows).get_json() == counts(created=900)


@pytest.mark.parametrize(
    ("row", "field", "words"),
    [
        ({"title": ""}, "title", "Length"),
        ({"title": 5}, "title", "string"),
        ({}, "title", "Missing"),
        ({"external_id": "new"}, "title", "Missing"),
        ({"title": "x", "color": "red"}, "color", "Unknown"),
        ({"title": "x", "due_at": "tomorrow"}, "due_at", "RFC 3339"),
        ({"title": "x", "labels": "home"}, "labels", "list"),
        ({"title": "x", "assignee_id": 10**6}, "assignee_id", "member"),
        ({"title": "x", "parent_id": 10**6}, "parent_id", "has a task with this id"),
        ({"title": "x", "external_id": "dup"}, "external_id", "Another row"),
        ({"title": "x", "id": 1}, "id", "Another row"),
        ({"title": "x", "id": True}, "id", "integer"),
    ],
)
def test_a_mistake_is_named_by_its_row_and_nothing_is_kept(
    alice: Client, row: Json, field: str, words: str
) -> None:
    good = {"title": "good", "external_id": "dup", "id": 1}

    response = send_rows(alice, good, row)

    assert named(response) == [f"/items/1/{field}"]
    detail = response.get_json()["errors"][0]["detail"]
    assert detail.startswith("Row 2: ")
    assert words in detail
    assert listed(alice) == []


def test_a_hundred_mistakes_are_enough(alice: Client) -> None:
    response = send(alice, "title\n" + '""\n' * 5000, "csv")

    assert len(response.get_json()["errors"]) == 100


@pytest.mark.parametrize("row", ["null", "[]", '"x"', "1"])
def test_a_row_must_be_an_object(alice: Client, row: str) -> None:
    assert named(send(alice, row, "ndjson")) == ["/items/0"]


@pytest.mark.parametrize(
    ("shape", "body", "code"),
    [
        ("json", '{"items": [', "malformed-json"),
        ("json", "", "malformed-json"),
        ("ndjson", '{"title": "x"}\n{"title": "y"', "malformed-json"),
        ("ndjson", '{"title": "x", "title": "y"}', "malformed-json"),
        ("ndjson", b'{"title": "\xff"}', "malformed-json"),
        ("ndjson", "[" * 40 + "]" * 40, "malformed-json"),
        ("ndjson", '{"id": NaN}', "malformed-json"),
        ("csv", "", "malformed-request"),
        ("csv", b"title\n\xff\n", "malformed-request"),
        ("csv", 'title\n"x\n', "malformed-request"),
        ("csv", "title,title\nx,y\n", "malformed-request"),
        ("csv", "title,status\nx,todo,more\n", "malformed-request"),
    ],
)
def test_what_cannot_be_read_is_400(alice: Client, shape: str, body: Any, code: str) -> None:
    assert refused(send(alice, body, shape)) == (400, code)


def test_the_line_that_cannot_be_read_is_named(alice: Client) -> None:
    assert "Line 3" in send(alice, '{"title": "x"}\n\nx', "ndjson").get_json()["detail"]
    assert "Row 2" in send(alice, "title\nx\ny,z\n", "csv").get_json()["detail"]


@pytest.mark.parametrize("body", ["{}", '{"items": 1}', '{"items": [], "color": 1}', "[]"])
def test_a_json_file_is_like_the_list(alice: Client, body: str) -> None:
    assert refused(send(alice, body, "json")) == (422, "validation-error")


@pytest.mark.parametrize("media", ["text/plain", "image/png", "text/csv; charset=klingon"])
def test_other_media_types_are_415(alice: Client, media: str) -> None:
    response = alice.post(f"{URL}/import", data="title\nx\n", content_type=media)

    assert refused(response) == (415, "unsupported-media-type")
    for taken in ("text/csv", "application/x-ndjson", "text/calendar", "multipart/form-data"):
        assert taken in response.get_json()["detail"]


def test_a_body_past_the_limit_is_413_in_one_piece_or_in_chunks(
    fresh_environment: dict[str, str],
) -> None:
    with servers.gunicorn(
        **fresh_environment, MAX_IMPORT_BYTES="2000000", MAX_BODY_BYTES="1024"
    ) as base:
        headers = {
            "Authorization": f"Bearer {servers.sign_up(base, 'alice@example.com')}",
            "Content-Type": "text/csv",
        }
        for size, status in ((1_900_000, 200), (2_100_000, 413)):
            line = b"title\n" + b"x\n"
            for body in (_padded(line, size), iter([_padded(line, size)])):
                connection = HTTPConnection(base.removeprefix("http://"))
                connection.request(
                    "POST",
                    f"{URL}/import",
                    body,
                    headers,
                    encode_chunked=not isinstance(body, bytes),
                )
                assert connection.getresponse().status == status
                connection.close()


def _padded(text: bytes, size: int) -> bytes:
    return text + b"\n" * (size - len(text))


def test_only_who_may_write_there_imports(
    alice: Client, bob: Client, charlie: Client, shared: Json
) -> None:
    alice.patch(
        f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}", json={"role": "viewer"}
    )

    assert refused(send_rows(bob, {"title": "x"}, project_id=shared["id"])) == (403, "forbidden")
    assert refused(send_rows(charlie, {"title": "x"}, project_id=shared["id"])) == (
        404,
        "not-found",
    )


def test_an_outsider_and_nobody_are_refused_in_the_same_words(
    alice: Client, charlie: Client, shared: Json
) -> None:
    answers = [
        send_rows(alice, {"title": "x", "assignee_id": who}, project_id=shared["id"]).get_json()[
            "errors"
        ]
        for who in (charlie.user["id"], 10**6)
    ]

    assert answers[0] == answers[1]


def test_parents_of_other_projects_are_not_found(alice: Client, shared: Json, task: Json) -> None:
    response = send_rows(alice, {"title": "x", "parent_id": task["id"]}, project_id=shared["id"])

    assert named(response) == ["/items/0/parent_id"]


@pytest.mark.parametrize("row", [{"title": "once"}, {"external_id": "a", "title": "there"}])
def test_an_idempotency_key_makes_a_retry_safe(alice: Client, row: Json) -> None:
    send_rows(alice, {"external_id": "a", "title": "there"})
    key, body = {"Idempotency-Key": "import-2026-01-31"}, json.dumps(row)

    def once() -> TestResponse:
        return alice.post(f"{URL}/import", data=body, content_type=MEDIA["ndjson"], headers=key)

    first, second = once(), once()

    assert first.get_json() == second.get_json()
    assert second.headers["Idempotency-Replayed"] == "true"


def test_two_imports_at_once_make_each_task_once(alice: Client) -> None:
    rows = [{"external_id": f"k{n}", "title": "t"} for n in range(300)]
    answers: list[Json] = []
    threads = [
        threading.Thread(target=lambda: answers.append(send_rows(alice, *rows).get_json()))
        for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answer["created"] for answer in answers) == [0, 300]
    assert alice.get(f"{URL}?total=true").get_json()["total"] == 300


text = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t\\"), max_size=20
)
title = text.filter(lambda value: value.strip() != "")
trees = st.lists(
    st.fixed_dictionaries(
        {"title": title},
        optional={
            "description": text,
            "status": st.sampled_from(["todo", "in_progress", "done", "cancelled"]),
            "priority": st.sampled_from(["none", "low", "medium", "high", "urgent"]),
            "due_at": st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2999, 12, 31)).map(  # noqa: DTZ001 - the Z is added
                lambda at: f"{at.isoformat()}Z"
            ),
            "labels": st.lists(title, max_size=3),
            "external_id": st.uuids().map(str) | st.none(),
            "assignee_id": st.booleans(),
            "parent_id": st.integers(0, 4),
        },
    ),
    max_size=5,
)


def written(tasks: list[Json]) -> list[Json]:
    """What clients write of tasks, with parents by their place in the list."""
    places = {task["id"]: place for place, task in enumerate(tasks)}
    return [
        {name: task[name] for name in WRITTEN} | {"parent": places.get(task["parent_id"])}
        for task in tasks
    ]


def agrees(todo: Any, task: Json) -> bool:
    """Does a VTODO that `icalendar` read say what the task says?"""
    status = {"todo": "NEEDS-ACTION", "in_progress": "IN-PROCESS", "done": "COMPLETED"}
    due = todo["due"].dt.strftime("%Y-%m-%dT%H:%M:%S") if "due" in todo else None
    return (
        todo["uid"] == f"task-{task['id']}@taskapp"
        and (todo["summary"], todo.get("description", "")) == (task["title"], task["description"])
        and todo["status"] == status.get(task["status"], "CANCELLED")
        and due == (task["due_at"] and task["due_at"][:19])
        and list(todo.categories) == task["labels"]
        and ("related-to" in todo) == (task["parent_id"] is not None)
    )


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(wanted=trees)
def test_export_import_export_is_the_identity(
    alice: Client, bob: Client, wanted: list[Json]
) -> None:
    source, made = project_of(alice, bob), list[Json]()
    for wish in wanted:
        body = {**wish, "project_id": source}
        if "assignee_id" in body:
            body["assignee_id"] = bob.user["id"] if body["assignee_id"] else None
        if "parent_id" in body:
            above = made[body["parent_id"] :][:1]
            body["parent_id"] = above[0]["id"] if above else None
        made.append(alice.post(URL, json=body).get_json())

    for shape in MEDIA:
        copy = project_of(alice, bob)
        file = alice.get(
            f"{URL}?sort=id&project_id={source}&format={shape}{'&limit=200' * (shape == 'json')}"
        ).data
        assert send(alice, file, shape, copy).get_json() == counts(created=len(wanted))
        assert written(listed(alice, f"&project_id={copy}")) == written(made)

    calendar = Calendar.from_ical(alice.get(f"{URL}?sort=id&project_id={source}&format=ics").data)
    todos = calendar.walk("VTODO")
    assert len(todos) == len(made)
    assert all(agrees(todo, task) for todo, task in zip(todos, made, strict=True))


DAILY = {"rule": "FREQ=DAILY", "from": "due", "timezone": "Europe/Berlin"}
SENT = st.fixed_dictionaries(
    {"title": st.sampled_from(["Fern", "Moss", "Öl"])},
    optional={
        "description": st.sampled_from(["", "Twice a week"]),
        "status": st.sampled_from(["todo", "in_progress", "done"]),
        "priority": st.sampled_from(["none", "high"]),
        "labels": st.sampled_from([[], ["home"], ["Home", "plants"]]),
        "reminders": st.sampled_from([[], ["2031-01-01T00:00:00Z"]]),
    },
)
DUES = st.sampled_from(
    [
        {},
        {"due_on": "2030-05-17", "due_at": None},
        {"due_on": None, "due_at": "2030-05-17T08:00:00Z"},
        {"due_on": "2030-05-17", "due_at": None, "repeat": DAILY},
    ]
)
FILES = st.dictionaries(st.sampled_from("abcd"), st.tuples(SENT, DUES), min_size=1)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=FILES, after=FILES)
def test_a_file_does_what_its_rows_would_one_by_one(
    alice: Client, before: Json, after: Json
) -> None:
    at_once, one_by_one = project_of(alice), project_of(alice)
    known = set[str]()
    for file in (before, after):
        rows = [{"external_id": key, **sent, **due} for key, (sent, due) in file.items()]
        for row in rows:
            if row["external_id"] not in known and "repeat" in row:
                row["status"] = "todo"  # a file's own next task stands in it: none is made
        known |= file.keys()
        assert send_rows(alice, *rows, project_id=at_once).status_code == 200
        for row in rows:
            key = row.pop("external_id")
            url = f"/api/v1/projects/{one_by_one}/tasks/by-external-id/{key}"
            assert alice.put(url, json=row).status_code in {200, 201}

    assert trails(alice, at_once) == trails(alice, one_by_one)


def trails(client: Client, project_id: int) -> list[Any]:
    """What each task is, but for its place and its times, and all that changed in it."""
    tasks = listed(client, f"&project_id={project_id}")
    tasks.sort(key=lambda task: (task["external_id"] or "", task["title"], task["due_on"] or ""))
    return [trail(client, task) for task in tasks]


def trail(client: Client, task: Json) -> list[Any]:
    stamps = {"id", "project_id", "revision", "created_at", "updated_at", "completed_at"}
    events = client.get(f"{URL}/{task['id']}/history").get_json()["items"]
    changes = [(event["kind"], event["changes"]) for event in events]
    return [{name: task[name] for name in task.keys() - stamps}, changes]
