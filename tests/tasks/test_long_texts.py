"""Answers of many rows whose texts are long: a page ends early, and nothing is lost by it"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from taskapp.database.pages import MAX_TEXT
from taskapp.tasks.query import FEW_ROWS
from tests.conftest import Client, Json, add, refused
from tests.faults.conftest import Service, running

URL = "/api/v1/tasks"
MIB = 1024 * 1024
EMOJI = "\U0001f600" * 65_536  # 256 KiB: the longest description there is
FIT = MAX_TEXT // len(EMOJI.encode())
PART = 20  # such rows, in one import
NDJSON = "application/x-ndjson"
JSON = "application/json"
MANY = 120  # tasks, whose texts are 30 MiB
MOST_MEMORY = 48  # MiB above what the worker had before
PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def send(client: Client, rows: list[Json]) -> None:
    """Import rows in files that are not too large."""
    for start in range(0, len(rows), PART):
        lines = [json.dumps(row, ensure_ascii=False) for row in rows[start : start + PART]]
        response = client.post(f"{URL}/import", data="\n".join(lines), content_type=NDJSON)
        assert response.status_code == 200, response.get_json()


@pytest.fixture
def many(alice: Client) -> list[Json]:
    """Tasks of Alice: long ones, more than a page holds, and some short ones in between."""
    rows: list[Json] = []
    for number in range(2 * FIT + 6):
        row: Json = {"title": f"t{number * 37 % 100:02}", "external_id": f"x{number}"}
        if number % 5:
            row["description"] = EMOJI
        if number % 3:
            row["due_on"] = f"2030-01-{number % 28 + 1:02}"
        rows.append(row)
    send(alice, rows)
    return rows


def pages(client: Client, query: str) -> list[Json]:
    """Every page that `next_cursor`, and the Link beside it, lead to."""
    found: list[Json] = []
    url = f"{URL}?{query}"
    while True:
        response = client.get(url)
        page = response.get_json()
        found.append(page)
        assert text_of(page["items"]) <= MAX_TEXT
        if page["next_cursor"] is None:
            assert 'rel="next"' not in response.headers.get("Link", "")
            return found
        assert page["next_cursor"] in response.headers["Link"]
        url = f"{URL}?{query}&cursor={page['next_cursor']}"


def text_of(tasks: list[Json]) -> int:
    return sum(len(task["description"].encode()) for task in tasks)


Key = Callable[[Json], Any]
ORDERS: dict[str, tuple[Key, bool]] = {  # by what a query sorts, and whether it is backwards
    "limit=200": (lambda task: task["id"], True),
    "limit=200&sort=id": (lambda task: task["id"], False),
    "limit=200&sort=title": (lambda task: (task["title"], task["id"]), False),
    "limit=200&sort=due_at": (
        lambda task: (task["due_on"] is None, task["due_on"] or "", task["id"]),
        False,
    ),
    "limit=60&q=t&sort=-title": (lambda task: (task["title"], task["id"]), True),
    "limit=200&created_after=2020-01-01T00:00:00Z&sort=title": (
        lambda task: (task["title"], task["id"]),
        False,
    ),
}


def test_a_page_ends_early_and_cursors_lead_to_every_task_once_and_in_order(
    alice: Client, many: list[Json]
) -> None:
    wanted = {row["external_id"]: row.get("description", "") for row in many}
    for query, (key, is_backwards) in ORDERS.items():
        found = pages(alice, query)
        tasks = [task for page in found for task in page["items"]]

        assert len(found) == 2, query
        assert len(tasks) == len(many), query
        assert tasks == sorted(tasks, key=key, reverse=is_backwards), query
        assert {task["external_id"]: task["description"] for task in tasks} == wanted, query


def test_a_page_of_few_rows_is_whole(alice: Client, many: list[Json]) -> None:
    page = alice.get(f"{URL}?limit=50").get_json()

    assert len(page["items"]) == len(many)
    assert text_of(page["items"]) > MAX_TEXT


def test_a_page_that_is_just_full_is_the_last(alice: Client) -> None:
    send(alice, [{"title": f"t{n}", "description": EMOJI} for n in range(FIT)])

    page = alice.get(f"{URL}?limit=200&total=true").get_json()

    assert (len(page["items"]), page["next_cursor"], page["total"]) == (FIT, None, FIT)


def test_exports_are_whole(alice: Client, many: list[Json]) -> None:
    wanted = [row.get("description", "") for row in many]
    csv.field_size_limit(sys.maxsize)

    lines = alice.get(f"{URL}?format=ndjson&sort=id").data.splitlines()
    text = alice.get(f"{URL}?format=csv&sort=id").get_data(as_text=True)

    assert [json.loads(line)["description"] for line in lines] == wanted
    assert [row["description"] for row in csv.DictReader(io.StringIO(text))] == wanted


def changes_of(client: Client) -> list[Json]:
    found: list[Json] = []
    url = "/api/v1/changes?limit=200"
    while True:
        page = client.get(url).get_json()
        found.append(page)
        if not page["has_more"]:
            return found
        url = f"/api/v1/changes?limit=200&cursor={page['next_cursor']}"


def test_changes_end_early_over_several_projects(alice: Client, many: list[Json]) -> None:
    project = alice.post("/api/v1/projects", json={"name": "Garden"}).get_json()
    for number in range(3):
        add(alice, f"g{number}", project_id=project["id"], description=EMOJI)

    found = changes_of(alice)
    tasks = [task for page in found for task in page["tasks"]]

    assert [text_of(page["tasks"]) <= MAX_TEXT for page in found] == [True] * len(found)
    assert len({task["id"] for task in tasks}) == len(tasks) == len(many) + 3
    assert len(found) == 3
    assert "next_cursor" in found[-1]
    assert not changes_of_last(alice, found[-1])["tasks"]


def changes_of_last(client: Client, page: Json) -> Json:
    answer: Json = client.get(f"/api/v1/changes?cursor={page['next_cursor']}").get_json()
    return answer


def test_history_and_events_end_early_at_any_limit(alice: Client) -> None:
    task = add(alice, "long", description=EMOJI)
    for number in range(FIT):
        body = {"description": f"{EMOJI[:-2]}{number:02}"}
        assert alice.patch(f"{URL}/{task['id']}", json=body).status_code == 200

    for url in (f"{URL}/{task['id']}/history", f"/api/v1/projects/{alice.user['inbox_id']}/events"):
        items, sizes = followed(alice, url)
        revisions = [item["revision"] for item in items if item["kind"] in {"created", "updated"}]
        assert len(revisions) == FIT + 1
        assert revisions == sorted(set(revisions))
        assert len(sizes) >= 2
        assert max(sizes) <= MAX_TEXT + MIB


def followed(client: Client, url: str) -> tuple[list[Json], list[int]]:
    """The items of all pages, and how large each was."""
    items: list[Json] = []
    sizes: list[int] = []
    query = ""
    while True:
        response = client.get(url + query)
        page = response.get_json()
        items += page["items"]
        sizes.append(len(response.data))
        has_more = page.get("has_more", page["next_cursor"] is not None)
        if not has_more:
            return items, sizes
        query = f"?cursor={page['next_cursor']}"


def test_projects_with_long_descriptions_end_early(alice: Client) -> None:
    for number in range(55):
        body = {"name": f"p{number}", "description": "\U0001f600" * 20_000}
        assert alice.post("/api/v1/projects", json=body).status_code == 201

    items, first = [], alice.get("/api/v1/projects?limit=200").get_json()
    items += first["items"]
    second = alice.get(f"/api/v1/projects?limit=200&cursor={first['next_cursor']}").get_json()
    items += second["items"]

    assert second["next_cursor"] is None
    assert text_of(first["items"]) <= MAX_TEXT
    assert len({item["id"] for item in items}) == len(items) == 56  # and the inbox


@pytest.fixture
def long(alice: Client) -> list[Json]:
    """Long tasks of Alice, more than a batch may hold."""
    send(alice, [{"title": f"t{n}", "external_id": f"x{n}", "description": EMOJI}
                 for n in range(FIT + 1)])  # fmt: skip
    tasks: list[Json] = alice.get(f"{URL}?fields=id,external_id,revision").get_json()["items"]
    return tasks


def kinds_of_batch(inbox: int, tasks: list[Json]) -> dict[str, list[Json]]:
    body = {"priority": "high"}
    updates: list[Json] = [{"op": "update", "id": task["id"], "body": body} for task in tasks]
    upserts: list[Json] = []
    for task in tasks:
        key = {"project_id": inbox, "external_id": task["external_id"]}
        upserts.append({"op": "upsert", **key, "body": body})
    mixed = list(updates)
    mixed[1::2] = upserts[1::2]
    one = {
        "op": "create",
        "body": {"title": "b", "external_id": "b", "description": EMOJI[:60_000]},
    }
    same: list[Json] = [one]
    for number in range(FIT + 4):
        key = {"project_id": inbox, "external_id": "b"}
        same.append({"op": "upsert", **key, "body": {"title": f"b{number}"}})
    again: list[Json] = []
    for number in range(FIT + 8):
        one_of_two = tasks[number % 2]["id"]
        again.append({"op": "update", "id": one_of_two, "body": {"title": f"{number}"}})
    return {"updates": updates, "upserts": upserts, "mixed": mixed, "same": same, "again": again}


@pytest.mark.parametrize("kind", ["updates", "upserts", "mixed", "same", "again"])
def test_a_batch_of_too_much_text_is_refused_and_nothing_is_kept(
    alice: Client, long: list[Json], kind: str
) -> None:
    inbox = alice.user["inbox_id"]
    operations = kinds_of_batch(inbox, long)[kind]

    response = alice.post(f"{URL}/batch", json={"operations": operations})

    assert refused(response) == (413, "payload-too-large")
    assert "smaller" in response.get_json()["detail"]
    after = alice.get(f"{URL}?fields=id,external_id,revision").get_json()["items"]
    assert after == long

    fewer = alice.post(f"{URL}/batch", json={"operations": operations[: FIT - 1]})
    assert fewer.status_code == 200


def long_text(number: int) -> str:
    """As long as a description may be, and unlike those with other numbers."""
    return f"{EMOJI[:-3]}{number:03}"


def shown_by_id(client: Client) -> dict[int, Json]:
    """Every task, without what each write changes."""
    tasks = [task for page in pages(client, "limit=200") for task in page["items"]]
    for task in tasks:
        del task["revision"], task["updated_at"]
    return {task["id"]: task for task in tasks}


def test_a_tree_of_long_tasks_is_deleted_and_comes_back(alice: Client) -> None:
    top = add(alice, "top")
    rows: list[Json] = []
    for number in range(2 * FIT):
        row: Json = {"title": f"t{number}", "parent_id": top["id"], "external_id": f"x{number}"}
        row.update(description=long_text(number), labels=["Home", f"l{number}"])
        rows.append(row)
    send(alice, rows)
    deep = alice.get(f"{URL}?limit=1&fields=id").get_json()["items"][0]["id"]
    for number in range(FEW_ROWS):
        deep = add(alice, f"d{number}", parent_id=deep, description="x" * 60_000)["id"]
    before = shown_by_id(alice)

    assert alice.delete(f"{URL}/{top['id']}").status_code == 204
    assert alice.get(f"{URL}?limit=1").get_json()["items"] == []
    response = alice.post(f"{URL}/{top['id']}/restore")
    assert response.status_code == 200

    assert shown_by_id(alice) == before
    assert len(before) == 2 * FIT + FEW_ROWS + 1
    found = alice.get(f"{URL}?limit=200&label=l3").get_json()["items"]
    assert [task["title"] for task in found] == ["t3"]
    revisions = {task["revision"] for page in pages(alice, "limit=200") for task in page["items"]}
    assert revisions == {response.get_json()["revision"]}


def test_a_tree_of_long_tasks_stays_deleted_if_the_last_key_is_taken(alice: Client) -> None:
    top = add(alice, "top")
    rows: list[Json] = []
    for number in range(FIT + 2):
        row: Json = {"title": f"t{number}", "parent_id": top["id"], "external_id": f"x{number}"}
        rows.append({**row, "description": long_text(number)})
    send(alice, rows)
    assert alice.delete(f"{URL}/{top['id']}").status_code == 204
    other = add(alice, "other", external_id=f"x{FIT + 1}")

    response = alice.post(f"{URL}/{top['id']}/restore")

    assert refused(response) == (409, "conflict")
    assert f"Task {other['id']} " in response.get_json()["detail"]
    assert list(shown_by_id(alice)) == [other["id"]]


def imported(client: Client, rows: list[Json]) -> Json:
    lines = "\n".join(json.dumps(row) for row in rows)
    response = client.post(f"{URL}/import", data=lines, content_type=NDJSON)
    assert response.status_code == 200, response.get_json()
    counts: Json = response.get_json()
    return counts


def test_an_import_over_long_tasks_changes_what_it_names(alice: Client) -> None:
    rows: list[Json] = []
    for number in range(2 * FIT + 6):
        row: Json = {"title": f"t{number}", "external_id": f"x{number}", "due_on": "2030-01-01"}
        row.update(description=long_text(number) if number % 5 else "short")
        rows.append(row)
    send(alice, rows)
    before = shown_by_id(alice)

    more: dict[str, Json] = {
        "x1": {"title": "other", "description": "shorter now"},
        "x2": {"reminders": ["-PT1H"]},  # which the due date allows that is there
        "x3": {"description": long_text(999)},
    }
    changes: list[Json] = []
    for row in rows:
        key = row["external_id"]
        changes.append({"external_id": key, "priority": "high", **more.get(key, {})})
    new: list[Json] = [{"id": n, "title": f"new{n}", "parent_id": 1009} for n in range(1000, 1009)]
    new.append({"id": 1009, "title": "new1009"})
    first = imported(alice, [*new[:5], *changes, *new[5:]])
    again = imported(alice, changes)

    there = len(rows)
    assert first == {"created": 10, "updated": there, "unchanged": 0, "ignored": 0}
    assert again == {"created": 0, "updated": 0, "unchanged": there, "ignored": 0}
    after = shown_by_id(alice)
    for task_id, task in before.items():
        assert after.pop(task_id) == {
            **task,
            "priority": "high",
            **more.get(task["external_id"], {}),
        }
    parent_ids = {task["title"]: task["parent_id"] for task in after.values()}
    (root,) = [task_id for task_id, task in after.items() if task["title"] == "new1009"]
    assert parent_ids == {**{row["title"]: root for row in new}, "new1009": None}


def send_to(service: Service, method: str, path: str, sent: Any = None, kind: str = JSON) -> int:
    """One request, whose answer nobody keeps."""
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": kind}
    connection = HTTPConnection(service.base.removeprefix("http://"), timeout=600)
    connection.request(method, path, sent, headers)
    answer = connection.getresponse()
    while answer.read(MIB):
        pass
    connection.close()
    return answer.status


def peak_of(service: Service, method: str, path: str, sent: Any = None, kind: str = JSON) -> float:
    """How many MiB more than before the worker had at most during a request."""
    (worker,) = service.workers
    before = worker.memory_info().rss / MIB
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # VmHWM begins anew: proc(5)
    assert send_to(service, method, path, sent, kind) in {200, 204, 413}
    peak = PEAK.search(Path(f"/proc/{worker.pid}/status").read_text())
    assert peak is not None
    return int(peak[1]) / 1024 - before


def long_lines(start: int, end: int, **more: Any) -> bytes:
    lines = []
    for number in range(start, end):
        row = {"title": "long", "external_id": f"x{number}", **more}
        lines.append(json.dumps(row, ensure_ascii=False))
    return "\n".join(lines).encode()


def test_a_worker_takes_bounded_memory_for_many_of_the_longest(
    fresh_environment: dict[str, str],
) -> None:
    with running(**fresh_environment, WEB_CONCURRENCY="1") as service:
        _, _, top = service.ask(URL, {"title": "top"})
        for start in range(0, MANY, 40):
            lines = long_lines(start, start + 40, description=EMOJI, parent_id=top["id"])
            assert send_to(service, "POST", f"{URL}/import", lines, NDJSON) == 200
        ids = [task["id"] for task in service.ask(f"{URL}?limit=50&fields=id")[2]["items"]]
        updates = [{"op": "update", "id": id_, "body": {"priority": "high"}} for id_ in ids[:30]]
        batch = json.dumps({"operations": updates})
        inbox = top["project_id"]
        tree = f"{URL}/{top['id']}"

        taken = {
            "list": peak_of(service, "GET", f"{URL}?limit=200"),
            "ndjson": peak_of(service, "GET", f"{URL}?format=ndjson"),
            "csv": peak_of(service, "GET", f"{URL}?format=csv"),
            "ics": peak_of(service, "GET", f"{URL}?format=ics"),
            "changes": peak_of(service, "GET", "/api/v1/changes?limit=200"),
            "events": peak_of(service, "GET", f"/api/v1/projects/{inbox}/events?limit=200"),
            "batch": peak_of(service, "POST", f"{URL}/batch", batch),
        }
        lines = long_lines(0, MANY, priority="low")
        taken["import"] = peak_of(service, "POST", f"{URL}/import", lines, NDJSON)
        lines = long_lines(0, MANY, title="renamed")
        taken["import of titles"] = peak_of(service, "POST", f"{URL}/import", lines, NDJSON)
        taken["delete"] = peak_of(service, "DELETE", tree)
        taken["restore"] = peak_of(service, "POST", f"{tree}/restore")

        assert max(taken.values()) < MOST_MEMORY, taken
