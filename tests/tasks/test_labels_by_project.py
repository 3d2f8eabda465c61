"""The labels of each project lie together: whatever writes a task keeps its labels' project"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.extensions import db
from tests.conftest import Client, Json, add, made
from tests.tasks.test_explain import crowd, listening, plan

URL = "/api/v1/tasks"


def projects_of_labels(app: Flask) -> list[tuple[Any, ...]]:
    """(label, its project, the project of its task), of all labels."""
    labels, tasks = (db.metadata.tables[name] for name in ("task_labels", "tasks"))
    both = sa.select(labels.c.name, labels.c.project_id, tasks.c.project_id.label("of_task"))
    both = both.join(tasks, tasks.c.id == labels.c.task_id).order_by(labels.c.name)
    with app.app_context(), db.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(both)]


def check(app: Flask, *names: str) -> None:
    rows = projects_of_labels(app)
    assert [name for name, _, _ in rows] == sorted(names)
    assert all(project == of_task for _, project, of_task in rows), rows


def test_every_write_keeps_them(app: Flask, alice: Client, shared: Json) -> None:
    task = add(alice, labels=["a", "b"])
    check(app, "a", "b")
    alice.patch(f"{URL}/{task['id']}", json={"labels": ["b", "c"]})
    check(app, "b", "c")
    child = add(alice, labels=["d"], parent_id=task["id"])
    alice.patch(f"{URL}/{task['id']}", json={"project_id": shared["id"]})
    check(app, "b", "c", "d")
    operation = {"op": "create", "body": {"title": "x", "labels": ["e"]}}
    alice.post(f"{URL}/batch", json={"operations": [operation]})
    alice.post(f"{URL}/import", json={"items": [{"title": "y", "labels": ["f"]}]})
    check(app, "b", "c", "d", "e", "f")
    alice.delete(f"{URL}/{child['id']}")
    check(app, "b", "c", "e", "f")
    alice.post(f"{URL}/{child['id']}/restore")
    check(app, "b", "c", "d", "e", "f")


def test_what_a_worker_of_the_release_before_writes_is_found(app: Flask, alice: Client) -> None:
    task = add(alice)
    insert = sa.text("INSERT INTO task_labels (task_id, key, name) VALUES (:id, 'old', 'old')")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(insert, {"id": task["id"]})
        connection.exec_driver_sql("""UPDATE tasks SET labels = '["old"]'""")

    assert [each["id"] for each in alice.get(f"{URL}?label=old").get_json()["items"]] == [
        task["id"]
    ]


def test_a_moved_task_is_found_where_it_is(alice: Client, shared: Json) -> None:
    task = add(alice, labels=["home", "plants"])
    inbox = task["project_id"]
    alice.patch(f"{URL}/{task['id']}", json={"project_id": shared["id"]})

    for query in ("label=home", "label=home,plants", f"label=home&project_id={shared['id']}"):
        (found,) = alice.get(f"{URL}?{query}").get_json()["items"]
        assert found["id"] == task["id"]
    assert alice.get(f"{URL}?label=home&project_id={inbox}").get_json()["items"] == []
    assert alice.get("/api/v1/labels").get_json()["items"][0]["count"] == 1


@pytest.mark.parametrize("sort", ["id", "-id", "title", "-due_at", "priority,-created_at"])
def test_pages_by_labels_hold_each_task_once_over_several_projects(
    alice: Client, shared: Json, sort: str
) -> None:
    wanted = set()
    for number in range(12):
        project = [shared["id"], None][number % 2]
        place = {} if project is None else {"project_id": project}
        labels = ["home", "plants"] if number % 3 else ["home"]
        task = add(alice, f"t{number % 4}", labels=labels, **place)
        if number % 3:
            wanted.add(task["id"])
    found: list[int] = []
    url = f"{URL}?label=home,plants&sort={sort}&limit=3&total=true"
    cursor = ""
    while cursor is not None:
        page = alice.get(f"{url}&cursor={cursor}" if cursor else url).get_json()
        found += [task["id"] for task in page["items"]]
        cursor = page["next_cursor"]
        assert page["total"] == len(wanted)

    assert sorted(found) == sorted(wanted)


def test_labels_are_read_from_their_index_project_by_project(app: Flask, alice: Client) -> None:
    crowd(app, alice)
    made(alice, "projects", name="Second")
    for query in ("label=label7", "label=label7,label8", "label=label7&sort=title"):
        with listening(app) as sent:
            assert alice.get(f"{URL}?{query}").status_code == 200
        # The nearest rows, which may be asked first, do not hold a page of them.
        statement, parameters = [each for each in sent if "FROM tasks" in each[0]][-1]
        explained = plan(app, statement, parameters)
        assert "ix_task_labels_project_id_key_task_id" in explained, f"{query}: {explained}"
    with listening(app) as sent:
        assert alice.get("/api/v1/labels").status_code == 200
    statement, parameters = next(each for each in sent if "FROM task_labels" in each[0])
    assert "ix_task_labels_project_id_key_task_id" in plan(app, statement, parameters, small=True)
    assert "tasks " not in statement
