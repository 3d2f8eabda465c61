"""The same people and tasks on either database: people through the service, tasks in bulk."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, NamedTuple

import psycopg2
import sqlalchemy as sa
from flask import Flask

from taskapp.database.quotas import recount
from taskapp.extensions import db
from taskapp.ops.seed import LABELS, PLACES, THINGS, VERBS
from taskapp.tasks.due import rank
from taskapp.tasks.search import index

PASSWORD = "seven mossy lanterns"
PEOPLE, SHARED, MEMBERS = 100, 40, 5  # so each is in an inbox and two shared projects
BEGAN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TASK_COLUMNS = (
    "id project_id title description status priority due_at due_on due assignee_id labels"
    " created_by created_at updated_at completed_at revision words title_key"
).split()
FILL_KIB = 1_000_000  # of SQLite's cache: each row goes to a place of its own in every index
DESCRIPTION = "Ask first, then do it."
Rows = Iterable[tuple[Any, ...]]


class Person(NamedTuple):
    """Somebody who signed in, and the projects that they see."""

    user_id: int
    token: str
    project_ids: list[int]


def fill(app: Flask, tasks: int) -> list[Person]:
    """People, their projects and that many tasks, the same each time."""
    people = _people(app)
    with app.app_context():
        homes = [(project_id, p.user_id) for p in people for project_id in p.project_ids]
        postgresql = db.engine.dialect.name == "postgresql"
        copy = _copy if postgresql else _executemany
        copy("tasks", TASK_COLUMNS, _tasks(homes, tasks, quote=postgresql))
        copy("task_labels", ["task_id", "key", "name"], _labels(homes, tasks))
        _finish(postgresql=postgresql)
    return people


def _people(app: Flask) -> list[Person]:
    """Through the front door, as clients do."""
    people = [_signed_up(app, number) for number in range(PEOPLE)]
    for number in range(SHARED):
        crowd = [(number * MEMBERS + n) % PEOPLE for n in range(MEMBERS)]
        owner = people[crowd[0]]
        project_id = _post(app, owner, "/projects", {"name": f"Workshop {number}"})["id"]
        for member in crowd[1:]:
            body = {"email": _email(member), "role": "editor"}
            _post(app, owner, f"/projects/{project_id}/members", body)
        for member in crowd:
            people[member].project_ids.append(project_id)
    return people


def _email(number: int) -> str:
    return f"person{number}@example.com"


def _signed_up(app: Flask, number: int) -> Person:
    body = {"email": _email(number), "password": PASSWORD}
    user = _post(app, number, "/auth/register", {**body, "name": f"Person {number}"})
    person = Person(user["id"], _post(app, number, "/auth/login", body)["access_token"], [])
    inbox = _sent(app, "GET", "/projects", person)["items"][0]
    person.project_ids.append(inbox["id"])
    return person


def _post(app: Flask, who: Person | int, path: str, body: dict[str, Any]) -> Any:
    return _sent(app, "POST", path, who, json=body)


def _sent(app: Flask, method: str, path: str, who: Person | int, **body: Any) -> Any:
    """A request of somebody, or from an address of their own while nobody knows them."""
    address = {"REMOTE_ADDR": f"10.0.0.{who}" if isinstance(who, int) else "10.0.1.1"}
    headers = {} if isinstance(who, int) else {"Authorization": f"Bearer {who.token}"}
    url = f"/api/v1{path}"
    answer = app.test_client().open(
        url, method=method, headers=headers, environ_base=address, **body
    )
    if answer.status_code >= 400:
        raise RuntimeError(answer.text)
    return answer.get_json()


def _tasks(homes: list[tuple[int, int]], size: int, *, quote: bool) -> Iterator[tuple[Any, ...]]:
    """Rows as the database keeps them; half are in inboxes, because each user sees one and two."""
    dice = Random(size)
    for task_id in range(1, size + 1):
        project_id, user_id = homes[dice.randrange(len(homes))]
        at = BEGAN + dt.timedelta(seconds=task_id * 10, microseconds=1 + task_id % 999_998)
        due = at + dt.timedelta(days=dice.randrange(1, 90)) if dice.random() < 0.5 else None
        due_on = due.date() if due and task_id % 5 == 0 else None
        due_at = due if not due_on else None
        title = f"{dice.choice(VERBS)} the {dice.choice(THINGS)} {dice.choice(PLACES)} {task_id}"
        status, found = dice.choices((0, 1, 2, 3), (5, 2, 4, 1))[0], index(title, DESCRIPTION)
        made, labels = _text(at), json.dumps(_labels_of(task_id))
        yield (
            *(task_id, project_id, title, DESCRIPTION, status, dice.randrange(5)),
            *(due_at and _text(due_at), due_on and due_on.isoformat(), rank(due_at, due_on)),
            *(user_id if dice.random() < 0.5 else None, labels, user_id),
            *(made, made, made if status == 2 else None, 1),
            " ".join(f"'{word}'" if quote else word for word in sorted(set(found["words"]))),
            found["title_key"],
        )


def _text(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def _labels_of(task_id: int) -> list[str]:
    return sorted(LABELS[(task_id + n) % len(LABELS)] for n in range(task_id % 3))


def _labels(_: list[tuple[int, int]], size: int) -> Iterator[tuple[int, str, str]]:
    return ((n, name, name) for n in range(1, size + 1) for name in _labels_of(n))


def _finish(*, postgresql: bool) -> None:
    """What the service would have left besides: events, counts, and fresh statistics."""
    with db.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO events (project_id, revision, task_id, user_id, kind, changes, at)"
            " SELECT project_id, revision, id, created_by, 'created', '{}', created_at FROM tasks"
        )
        if postgresql:
            connection.exec_driver_sql(
                "SELECT setval(pg_get_serial_sequence('tasks', 'id'), max(id)) FROM tasks"
            )
    recount()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("VACUUM ANALYZE", "CHECKPOINT") if postgresql else ("ANALYZE",):
            connection.exec_driver_sql(statement)


class _Lines:
    """Rows as COPY reads them, without holding them all."""

    def __init__(self, rows: Rows) -> None:
        self.lines = ("\t".join("\\N" if v is None else str(v) for v in row) for row in rows)
        self.rest = ""

    def read(self, size: int) -> str:
        parts, length = [self.rest], len(self.rest)
        while length < size and (line := next(self.lines, None)) is not None:
            parts.append(f"{line}\n")
            length += len(parts[-1])
        text = "".join(parts)
        self.rest = text[size:]
        return text[:size]


def _copy(name: str, columns: list[str], rows: Rows) -> None:
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg2.connect(url, options="-c timezone=UTC") as connection:
        connection.cursor().copy_expert(
            f"COPY {name} ({', '.join(columns)}) FROM STDIN", _Lines(rows)
        )
    connection.close()


def _executemany(name: str, columns: list[str], rows: Rows) -> None:
    connection = sqlite3.connect(str(db.engine.url.database))
    connection.execute(f"PRAGMA cache_size = -{FILL_KIB}")
    marks = ", ".join("?" * len(columns))
    with connection:
        connection.executemany(
            f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608 - our own names
            rows,
        )
    connection.close()


def count(app: Flask) -> int:
    with app.app_context(), db.engine.connect() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM tasks")) or 0)
