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
MOST_MEMORY = 96  # MiB above what the worker had before
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

    assert len(page["items"]) == 50
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
    assert len(found) == 2
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
    for number in range(105):
        body = {"name": f"p{number}", "description": "\U0001f600" * 20_000}
        assert alice.post("/api/v1/projects", json=body).status_code == 201

    items, first = [], alice.get("/api/v1/projects?limit=200").get_json()
    items += first["items"]
    second = alice.get(f"/api/v1/projects?limit=200&cursor={first['next_cursor']}").get_json()
    items += second["items"]

    assert second["next_cursor"] is None
    assert text_of(first["items"]) <= MAX_TEXT
    assert len({item["id"] for item in items}) == len(items) == 106  # and the inbox


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


def test_a_tree_of_long_tasks_is_deleted_and_comes_back(alice: Client) -> None:
    top = add(alice, "top")
    rows = [{"title": f"t{n}", "description": EMOJI, "parent_id": top["id"]} for n in range(FIT)]
    send(alice, rows)
    deep = alice.get(f"{URL}?limit=1&fields=id").get_json()["items"][0]["id"]
    for number in range(FEW_ROWS):
        deep = add(alice, f"d{number}", parent_id=deep, description="x" * 60_000)["id"]
    before = alice.get(f"{URL}?limit=200").get_json()["items"]

    assert alice.delete(f"{URL}/{top['id']}").status_code == 204
    assert alice.get(f"{URL}?limit=1").get_json()["items"] == []
    assert alice.post(f"{URL}/{top['id']}/restore").status_code == 200

    found = [task for page in pages(alice, "limit=200") for task in page["items"]]
    assert [task["id"] for task in found][: len(before)] == [task["id"] for task in before]
    assert len(found) == FIT + FEW_ROWS + 1
    assert {len(task["description"]) for task in found} == {0, 60_000, 65_536}


def peak_of(service: Service, path: str, body: Any = None) -> float:
    """How many MiB more than before the worker had at most during a request."""
    (worker,) = service.workers
    before = worker.memory_info().rss / MIB
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # VmHWM begins anew: proc(5)
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
    connection = HTTPConnection(service.base.removeprefix("http://"), timeout=600)
    sent = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, sent, headers)
    answer = connection.getresponse()
    while answer.read(MIB):
        pass
    connection.close()
    assert answer.status in {200, 413}
    peak = PEAK.search(Path(f"/proc/{worker.pid}/status").read_text())
    assert peak is not None
    return int(peak[1]) / 1024 - before


def test_a_worker_takes_bounded_memory_for_200_of_the_longest(
    fresh_environment: dict[str, str],
) -> None:
    with running(**fresh_environment, WEB_CONCURRENCY="1") as service:
        row = json.dumps({"title": "long", "description": EMOJI}, ensure_ascii=False)
        for _ in range(4):
            connection = HTTPConnection(service.base.removeprefix("http://"), timeout=600)
            headers = {"Authorization": f"Bearer {service.token}", "Content-Type": NDJSON}
            connection.request("POST", f"{URL}/import", "\n".join([row] * 50).encode(), headers)
            assert connection.getresponse().read()
            connection.close()
        ids = [task["id"] for task in service.ask(f"{URL}?limit=50&fields=id")[2]["items"]]
        updates = [{"op": "update", "id": id_, "body": {"priority": "high"}} for id_ in ids[:30]]
        inbox = service.ask(f"{URL}/{ids[0]}")[2]["project_id"]

        taken = {
            "list": peak_of(service, f"{URL}?limit=200"),
            "ndjson": peak_of(service, f"{URL}?format=ndjson"),
            "csv": peak_of(service, f"{URL}?format=csv"),
            "ics": peak_of(service, f"{URL}?format=ics"),
            "changes": peak_of(service, "/api/v1/changes?limit=200"),
            "events": peak_of(service, f"/api/v1/projects/{inbox}/events?limit=200"),
            "batch": peak_of(service, f"{URL}/batch", {"operations": updates}),
        }

        assert max(taken.values()) < MOST_MEMORY, taken
