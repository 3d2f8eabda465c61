"""GET /api/v1/tasks/{id}/history, /labels, /stats"""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.extensions import db
from taskapp.tasks.models import PRIORITIES, STATUSES
from tests.conftest import Client, Json, add, made, named, refused

BATCH = [{"op": "create", "body": {"title": title, "status": "done"}} for title in "ab"]
CSV = "title,status,priority\nOne,done,low\nTwo,todo,none\n"


def history(client: Client, task_id: int) -> list[Json]:
    return list(client.get(f"/api/v1/tasks/{task_id}/history").get_json()["items"])


def test_history_says_who_changed_what_and_when(alice: Client, bob: Client, shared: Json) -> None:
    made = alice.post("/api/v1/tasks", json={"title": "Prune", "project_id": shared["id"]})
    task = made.get_json()
    changed = bob.patch(f"/api/v1/tasks/{task['id']}", json={"status": "done", "title": "Prune"})

    first, second = history(alice, task["id"])

    assert (first["kind"], first["user_id"]) == ("created", alice.user["id"])
    assert first["changes"]["title"] == [None, "Prune"]
    assert (second["kind"], second["user_id"]) == ("updated", bob.user["id"])
    assert second["changes"] == {"status": ["todo", "done"]}
    assert second["revision"] == changed.get_json()["revision"]
    assert second["at"] == changed.get_json()["updated_at"][:-1][:19] + second["at"][19:]


def test_history_pages(alice: Client, task: Json) -> None:
    for title in ("One", "Two", "Three"):
        alice.patch(f"/api/v1/tasks/{task['id']}", json={"title": title})
    url = f"/api/v1/tasks/{task['id']}/history"

    first = alice.get(f"{url}?limit=3&total=true").get_json()
    rest = alice.get(f"{url}?limit=3&cursor={first['next_cursor']}").get_json()

    assert (first["total"], len(first["items"]), len(rest["items"])) == (4, 3, 1)


def test_history_shows_a_move_once_and_hides_what_was_before(
    alice: Client, bob: Client, shared: Json, task: Json
) -> None:
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"project_id": shared["id"]})

    assert [event["kind"] for event in history(alice, task["id"])] == ["created", "moved"]
    (seen_by_bob,) = history(bob, task["id"])
    assert seen_by_bob["changes"]["project_id"] == [task["project_id"], shared["id"]]


def test_what_a_move_changes_is_told_to_each_project_as_far_as_it_saw_the_task(
    alice: Client, bob: Client, charlie: Client, shared: Json
) -> None:
    """Bob sees where it comes to, Charlie where it was"""
    before = made(alice, "projects", name="Before")
    member = {"email": charlie.user["email"], "role": "viewer"}
    alice.post(f"/api/v1/projects/{before['id']}/members", json=member)
    parent = add(alice, project_id=before["id"])
    old = {"title": "Old", "description": "Old words", "assignee_id": charlie.user["id"]}
    task = add(alice, project_id=before["id"], parent_id=parent["id"], labels=["old"], **old)
    new = {"title": "New", "description": "New words", "labels": [], "project_id": shared["id"]}
    assert alice.patch(f"/api/v1/tasks/{task['id']}", json=new).status_code == 200

    (came,) = history(bob, task["id"])
    assert came["changes"] == {
        "title": [None, "New"],
        "description": [None, "New words"],
        "project_id": [before["id"], shared["id"]],
    }
    events = "/api/v1/projects/{}/events?limit=200"
    assert (
        bob.get(events.format(shared["id"])).get_json()["items"][-1]["changes"] == came["changes"]
    )
    left = charlie.get(events.format(before["id"])).get_json()["items"][-1]
    assert left["changes"] == {
        "title": ["Old", None],
        "description": ["Old words", None],
        "labels": [["old"], None],
        "assignee_id": [charlie.user["id"], None],
        "parent_id": [parent["id"], None],
        "project_id": [before["id"], None],
    }


def test_history_is_hidden_from_others(charlie: Client, task: Json) -> None:
    response = charlie.get(f"/api/v1/tasks/{task['id']}/history")

    assert refused(response) == (404, "not-found")


def test_labels_are_counted_without_case(alice: Client, bob: Client, shared: Json) -> None:
    for labels, project_id in ((["Home", "b"], None), (["home"], None), (["c"], shared["id"])):
        where = {"project_id": project_id} if project_id else {}
        alice.post("/api/v1/tasks", json={"title": "x", "labels": labels, **where})

    assert alice.get("/api/v1/labels").get_json()["items"] == [
        {"name": "b", "count": 1},
        {"name": "c", "count": 1},
        {"name": "Home", "count": 2},
    ]
    assert bob.get("/api/v1/labels?total=true").get_json() == {
        "items": [{"name": "c", "count": 1}],
        "next_cursor": None,
        "total": 1,
    }


@pytest.mark.parametrize("projects", [3, 20])
def test_labels_of_several_projects_come_page_by_page(alice: Client, projects: int) -> None:
    """Those of few projects are counted label by label, and those of many as they come."""
    expected: Counter[str] = Counter()
    for number in range(projects):
        place = made(alice, "projects", name=f"Number {number}")["id"]
        for labels in (["home", f"only {number:02}"], ["Home", "office"]):
            add(alice, labels=labels, project_id=place)
            expected.update(name.lower() for name in labels)
    found: list[Json] = []
    url = "/api/v1/labels?limit=2&total=true"
    cursor: str | None = ""
    while cursor is not None:
        page = alice.get(f"{url}&cursor={cursor}" if cursor else url).get_json()
        assert page["total"] == len(expected)
        assert len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next_cursor"]

    assert [label["name"].lower() for label in found] == sorted(expected)
    assert {label["name"].lower(): label["count"] for label in found} == expected


def test_stats_add_up(alice: Client, shared: Json) -> None:
    past = "2020-01-01T00:00:00Z"
    for status, more in (
        ("todo", {"due_at": past}),
        ("done", {"due_at": past}),
        ("done", {"priority": "urgent", "assignee_id": alice.user["id"]}),
    ):
        body = {"title": "x", "status": status, "project_id": shared["id"], **more}
        alice.post("/api/v1/tasks", json=body)
    alice.post("/api/v1/tasks", json={"title": "In the inbox"})

    stats = alice.get(f"/api/v1/stats?project_id={shared['id']}").get_json()

    assert stats["status"] == {"todo": 1, "in_progress": 0, "done": 2, "cancelled": 0}
    assert stats["priority"] == {"none": 2, "low": 0, "medium": 0, "high": 0, "urgent": 1}
    assert {who["user_id"]: who["count"] for who in stats["assignee"]} == {
        None: 2,
        alice.user["id"]: 1,
    }
    assert stats["overdue"] == 1
    assert len(stats["done_per_day"]) == 30
    today = str(dt.datetime.now(dt.UTC).date())
    assert stats["done_per_day"][-1] == {"date": today, "count": 2}
    assert alice.get("/api/v1/stats").get_json()["status"]["todo"] == 2


def test_numbers_are_what_there_is_whatever_happens_to_tasks(alice: Client, shared: Json) -> None:
    """How many tasks a project has is not counted: that stands on its row."""
    tasks = []
    for number, priority in enumerate(PRIORITIES * 4):
        fields = {"status": STATUSES[number % 4], "priority": priority}
        tasks.append(add(alice, project_id=shared["id"], **fields))
    parent, moved, deleted, *others = [f"/api/v1/tasks/{task['id']}" for task in tasks]
    child = add(alice, parent_id=tasks[0]["id"], project_id=shared["id"])
    assert child["status"] == "todo"
    for act in (
        lambda: alice.patch(moved, json={"project_id": alice.user["inbox_id"]}),
        lambda: alice.patch(others[0], json={"status": "done", "priority": "none"}),
        lambda: alice.delete(deleted),
        lambda: alice.delete(parent),
        lambda: alice.post(f"{parent}/restore"),
        lambda: alice.post("/api/v1/tasks/batch", json={"operations": BATCH}),
        lambda: alice.post("/api/v1/tasks/import", data=CSV, content_type="text/csv"),
    ):
        response = act()
        assert response.status_code in {200, 204}, response.get_json()
        for where in ("", f"project_id={shared['id']}"):
            _expect_what_lists_show(alice, where)


def _expect_what_lists_show(client: Client, where: str) -> None:
    listed = client.get(f"/api/v1/tasks?limit=200&total=true&{where}").get_json()
    stats = client.get(f"/api/v1/stats?{where}").get_json()
    found = listed["items"]
    assert listed["total"] == len(found)
    for field, names in (("status", STATUSES), ("priority", PRIORITIES)):
        have = Counter(task[field] for task in found)
        assert stats[field] == {name: have[name] for name in names}
    of_open = sum(task["status"] in {"todo", "in_progress"} for task in found)
    assert sum(age["count"] for age in stats["open_by_age"]) == of_open
    assert sum(each["count"] for each in stats["assignee"]) == len(found)


@pytest.mark.parametrize("project_id", ["0", "x", "1.0"])
def test_stats_name_a_bad_project(alice: Client, project_id: str) -> None:
    assert named(alice.get(f"/api/v1/stats?project_id={project_id}")) == ["project_id"]


def test_stats_of_others_projects_are_hidden(charlie: Client, shared: Json) -> None:
    response = charlie.get(f"/api/v1/stats?project_id={shared['id']}")

    assert refused(response) == (404, "not-found")


def test_no_number_is_below_zero_while_the_count_of_a_project_is_too_low(
    alice: Client, task: Json, app: Flask
) -> None:
    """Rows that something else than the service wrote count from the next purge on"""
    for priority in ("low", "none"):
        add(alice, priority=priority, status="done", assignee_id=alice.user["id"])
    with app.app_context(), db.engine.begin() as connection:
        projects = db.metadata.tables["projects"]
        this_one = sa.update(projects).filter_by(id=task["project_id"])
        connection.execute(this_one.values(task_count=-1))

    stats = alice.get("/api/v1/stats").get_json()
    total = alice.get("/api/v1/tasks?total=true").get_json()["total"]

    assert stats["status"] == {"todo": 1, "in_progress": 0, "done": 0, "cancelled": 0}
    assert stats["priority"] == {"none": 0, "low": 1, "medium": 0, "high": 0, "urgent": 0}
    assert stats["assignee"] == [{"user_id": alice.user["id"], "count": 2}]
    assert total == 0
