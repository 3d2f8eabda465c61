"""The floor: the same work by hand, without a framework. Nothing that serves this can be cheaper
and still check the caller, read rows through a driver and write JSON.

A token's signature is checked once and remembered; the session behind it is looked up in the same
statement that reads or writes. A write takes the project's next revision under its row's lock,
stamps the row with it, and leaves an event: one statement, one transaction.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import jwt
import orjson
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class by a driver's naming

STATUSES = ("todo", "in_progress", "done", "cancelled")
PRIORITIES = ("none", "low", "medium", "high", "urgent")
RANKS = {"status": STATUSES.index, "priority": PRIORITIES.index}
FIELDS = (
    "id project_id external_id title description status priority due_at due_on repeat reminders"
    " assignee_id parent_id labels created_by created_at updated_at completed_at revision"
).split()
COLUMNS = ", ".join(f"tasks.{name}" for name in FIELDS)
WRITABLE = {"title", "description", "status", "priority"}
WORD = re.compile(r"[^\W_]+")
CALLER = """caller AS (SELECT users.id FROM users JOIN sessions ON sessions.user_id = users.id
  WHERE sessions.id = %(session)s AND users.id = %(user)s AND users.is_active
  AND sessions.ended_at IS NULL)"""
SIGNED_IN = f"WITH {CALLER} SELECT id FROM caller"
MINE = "(SELECT project_id FROM memberships WHERE user_id = (SELECT id FROM caller))"
EDITABLE = f"""{MINE[:-1]} AND role <> 'viewer')"""
LIST = f"""WITH {CALLER} SELECT {COLUMNS} FROM tasks WHERE project_id IN {MINE}
  AND id < %(cursor)s ORDER BY id DESC LIMIT %(limit)s"""
GET = f"WITH {CALLER} SELECT {COLUMNS} FROM tasks WHERE id = %(id)s AND project_id IN {MINE}"
EVENT = """event AS (INSERT INTO events (project_id, revision, task_id, user_id, kind, changes, at)
  SELECT project_id, revision, id, %(user)s, %(kind)s, %(changes)s, %(at)s FROM tasks)"""
CREATE = f"""WITH {CALLER}, turn AS (UPDATE projects SET revision = revision + 1
  WHERE inbox_of = (SELECT id FROM caller) RETURNING id, revision),
tasks AS (INSERT INTO tasks (project_id, revision, title, description, status, priority, labels,
  created_by, created_at, updated_at, completed_at, words)
  SELECT turn.id, turn.revision, %(title)s, %(description)s, %(status)s, %(priority)s, '[]',
  %(user)s, %(at)s, %(at)s, %(done)s, array_to_tsvector(%(words)s) FROM turn RETURNING *), {EVENT}
SELECT {COLUMNS} FROM tasks"""
UPDATE = f"""WITH {CALLER}, turn AS (UPDATE projects SET revision = revision + 1
  WHERE id = (SELECT project_id FROM tasks WHERE id = %(id)s) AND id IN {EDITABLE}
  RETURNING id, revision),
tasks AS (UPDATE tasks SET revision = turn.revision, updated_at = %(at)s, {{changed}} FROM turn
  WHERE tasks.id = %(id)s AND tasks.project_id = turn.id RETURNING tasks.*), {EVENT}
SELECT {COLUMNS} FROM tasks"""
_connection: Connection | None = None
Start = Callable[[str, list[tuple[str, str]]], Any]


def run(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """One statement, one transaction: autocommit, on the one connection of this process."""
    global _connection  # noqa: PLW0603 - a sync worker has one connection, made after the fork
    if _connection is None:
        _connection = psycopg2.connect(os.environ["DATABASE_URL"], options="-c timezone=UTC")
        _connection.autocommit = True
    with _connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def plain(row: tuple[Any, ...]) -> dict[str, Any]:
    task = dict(zip(FIELDS, row, strict=True))
    task["status"], task["priority"] = STATUSES[task["status"]], PRIORITIES[task["priority"]]
    return task


@lru_cache(maxsize=4096)
def claims(token: str) -> dict[str, Any]:
    key = os.environ["SECRET_KEY"]
    return jwt.decode(token, key, ["HS256"], audience="taskapp", issuer="taskapp")


def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    header, now = environ.get("HTTP_AUTHORIZATION", ""), dt.datetime.now(dt.UTC)
    try:
        said = claims(header.removeprefix("Bearer "))
    except jwt.PyJWTError:
        return reply(start, "401 Unauthorized", {"code": "invalid-token"})
    if said["type"] != "access" or said["exp"] <= now.timestamp():
        return reply(start, "401 Unauthorized", {"code": "token-expired"})
    values = {"user": int(said["sub"]), "session": int(said["sid"]), "at": now}
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path == "/api/v1/tasks":
        return create(start, environ, values) if method == "POST" else page(start, environ, values)
    values["id"] = int(path.removeprefix("/api/v1/tasks/"))
    return update(start, environ, values) if method == "PATCH" else get(start, values)


def page(start: Start, environ: dict[str, Any], values: dict[str, Any]) -> Iterable[bytes]:
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    limit = int(query.get("limit", 50))
    values |= {"limit": limit + 1, "cursor": int(query.get("cursor", 2**63 - 1))}
    tasks = [plain(row) for row in run(LIST, values)]
    if not tasks and not run(SIGNED_IN, values):
        return reply(start, "401 Unauthorized", {"code": "token-revoked"})
    further = str(tasks[limit - 1]["id"]) if len(tasks) > limit else None
    return reply(start, "200 OK", {"items": tasks[:limit], "next_cursor": further})


def get(start: Start, values: dict[str, Any]) -> Iterable[bytes]:
    return one(start, "200 OK", run(GET, values), values)


def create(start: Start, environ: dict[str, Any], values: dict[str, Any]) -> Iterable[bytes]:
    task = {"description": "", "status": "todo", "priority": "none", **body_of(environ)}
    values |= written(task, "created") | {"words": words(task)}
    values["done"] = values["at"] if task["status"] == "done" else None
    return one(start, "201 Created", run(CREATE, values), values)


def update(start: Start, environ: dict[str, Any], values: dict[str, Any]) -> Iterable[bytes]:
    """`completed_at` follows a status, the words follow a title: as in the service."""
    task = body_of(environ)
    changed = [f"{name} = %({name})s" for name in task]
    if "status" in task:
        changed.append("completed_at = %(done)s")
        values["done"] = values["at"] if task["status"] == "done" else None
    if task.keys() & {"title", "description"}:
        old = {} if len(task) > 1 else next(map(plain, run(GET, values)), {})
        changed.append("words = array_to_tsvector(%(words)s)")
        values["words"] = words({**old, **task})
    statement = UPDATE.format(changed=", ".join(changed))
    values |= written(task, "updated")
    return one(start, "200 OK", run(statement, values), values)


def body_of(environ: dict[str, Any]) -> dict[str, Any]:
    raw = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    body: dict[str, Any] = orjson.loads(raw)
    if not body.keys() <= WRITABLE or not all(isinstance(value, str) for value in body.values()):
        raise ValueError("the floor knows texts, a status and a priority")
    return body


def written(task: dict[str, Any], kind: str) -> dict[str, Any]:
    ranks = {name: RANKS[name](task[name]) for name in RANKS if name in task}
    return {**task, **ranks, "kind": kind, "changes": orjson.dumps(task).decode()}


def words(task: dict[str, Any]) -> list[str]:
    return sorted(set(WORD.findall(f"{task.get('title')} {task.get('description')}".casefold())))


def one(
    start: Start, status: str, rows: list[tuple[Any, ...]], values: dict[str, Any]
) -> Iterable[bytes]:
    if rows:
        return reply(start, status, plain(rows[0]))
    if run(SIGNED_IN, values):
        return reply(start, "404 Not Found", {"code": "not-found"})
    return reply(start, "401 Unauthorized", {"code": "token-revoked"})


def reply(start: Start, status: str, body: Any) -> Iterable[bytes]:
    raw = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(raw)))])
    return [raw]
