"""taskapp and its async twin, held against each other: same words, same rows, one database."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lab.tests.conftest import DATABASES, SERVICES, START, Json, Service, made, refused, twin
from lab.twin.database import Base
from lab.twin.tasks import models  # noqa: F401 - so that the tables are known
from taskapp.extensions import Base as TaskappBase
from tests.servers import free_port

TASKS = "/api/v1/tasks"
HEADERS = ("Allow", "Cache-Control", "Location", "Retry-After", "Vary", "WWW-Authenticate")
# What differs from run to run: times, ids and tags; the rest must be equal.
CHANGING = re.compile(r'"\d{4}-\d\d-\d\dT[^"]+Z"|"[0-9a-f]{32}"|\\?"[\w-]{16}\\?"|\b\d+\b(?!-)')
STORY: list[tuple[str, str, Any, dict[str, str]]] = [
    ("POST", "", {"title": "Water the fern", "labels": ["b", "A"], "priority": "high"}, {}),
    ("POST", "", {"title": "Below", "parent_id": "ID", "due_at": "2030-01-31T17:00:00+01:00"}, {}),
    ("PATCH", "/ID", {"status": "done", "labels": ["c"]}, {}),
    ("PATCH", "/ID", {"status": "done"}, {}),
    ("PATCH", "/ID", {"description": "two\nlines", "external_id": "x/1"}, {"If-Match": "*"}),
    ("PATCH", "/ID", {"title": "Stale"}, {"If-Match": '"stale"'}),
    ("POST", "", {"title": "Twice", "external_id": "x/1"}, {}),
    ("GET", "/ID", None, {}),
    ("GET", "?sort=-due_at,title&total=true&fields=title,status,labels", None, {}),
    ("GET", "?q=fern&status=done", None, {}),
    ("GET", "?limit=1", None, {}),
    ("PUT", "/ID", {}, {}),
    ("GET", "", None, {"Authorization": "Bearer x.y.z"}),
    ("GET", "/0", None, {}),
    ("DELETE", "/ID", None, {}),
    ("DELETE", "/ID", None, {}),
]


@pytest.mark.parametrize("database", DATABASES)
def test_the_same_story_has_the_same_answers_and_leaves_the_same_rows(
    running: Callable[[str, str], Service], database: str
) -> None:
    told = [_tell(running(kind, database)) for kind in SERVICES]

    assert told[0] == told[1]


@pytest.mark.parametrize("database", DATABASES)
def test_each_takes_the_other_ones_sessions_and_tasks(
    running: Callable[[str, str], Service], database: str
) -> None:
    """One database, one SECRET_KEY: a client moves from taskapp to the twin and back."""
    sync = running("sync", database)
    task = made(sync.alice, title="Water the fern")
    url = f"{TASKS}/{task['id']}"
    narrow = {**sync.variables, "DATABASE_POOL_SIZE": "1", "REQUIRE_IF_MATCH": "true"}
    with (
        twin(**narrow) as base,
        httpx.Client(base_url=base, headers=sync.alice.headers, timeout=30) as alice,
        ThreadPoolExecutor(10) as pool,
    ):
        seen = alice.get(url)
        assert seen.json() == task
        assert refused(alice.patch(url, json={"title": "b"})) == (428, "precondition-required")
        tag = {"If-Match": seen.headers["ETag"]}
        assert alice.patch(url, json={"title": "b"}, headers=tag).status_code == 200
        # One connection for reads, one for writes: ten at once queue, and none waits for ever.
        statuses = list(
            pool.map(lambda _: alice.post(TASKS, json={"title": "c"}).status_code, "x" * 10)
        )

    assert statuses == [201] * 10
    assert sync.alice.get(url).json()["title"] == "b"


@pytest.mark.parametrize("kind", SERVICES)
def test_without_a_database_it_lives_and_says_so(kind: str, tmp_path: Any) -> None:
    variables = {"DATABASE_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/none"}
    variables |= {"TASKAPP_INSTANCE": str(tmp_path), "SECRET_KEY": "x" * 40}
    variables |= {"REGISTRATION": "closed", "RATELIMIT_ENABLED": "false"}
    somebody = {"email": "alice@example.com", "password": "seven mossy lanterns"}
    with START[kind](**variables) as base, httpx.Client(base_url=base, timeout=30) as client:
        login = client.post("/api/v1/auth/login", json=somebody)
        register = client.post("/api/v1/auth/register", json={**somebody, "name": "Alice"})
        alive = client.get("/health")

    assert refused(login) == (503, "database-unavailable")
    assert login.headers["Retry-After"] == "2"
    assert refused(register) == (403, "registration-closed")
    assert alive.status_code == 200


def test_the_twins_models_are_a_part_of_taskapps_schema() -> None:
    import taskapp.auth.models
    import taskapp.projects.models
    import taskapp.tasks.models
    import taskapp.users.models  # noqa: F401

    for table in Base.metadata.tables.values():
        theirs = TaskappBase.metadata.tables[table.name].columns
        for column in table.columns:
            assert _shape(column) == _shape(theirs[column.name])
        left_out = {column.name for column in theirs} - {column.name for column in table.columns}
        assert all(theirs[name].nullable or theirs[name].server_default for name in left_out)


def _tell(service: Service) -> list[Any]:
    """Play the story as a newcomer: what was answered, and what stands in the database after it."""
    told: list[Any] = []
    with closing(service.somebody()) as client:
        first = made(client, title="First")
        task_id = first["id"] + 1
        for method, path, body, headers in STORY:
            url = TASKS + path.replace("ID", str(task_id))
            sent = json.dumps(body).replace('"ID"', str(task_id)) if body is not None else None
            kind = {"Content-Type": "application/json"} if sent else {}
            answer = client.request(method, url, content=sent, headers={**kind, **headers})
            told.append((method, path, _same(answer)))
    return [*told, *_rows(service, first["project_id"])]


def _same(answer: httpx.Response) -> tuple[int, str, list[str]]:
    body = re.sub(r'"next_cursor":"[^"]+"', '"next_cursor":"…"', answer.text)
    if answer.headers.get("Content-Type") == "application/problem+json":
        problem = answer.json()
        problem.pop("errors", None)  # the words are each one's own
        body = json.dumps(dict(sorted(problem.items())))
    headers = (f"{name}: {_sorted(answer.headers.get(name))}" for name in HEADERS)
    return answer.status_code, CHANGING.sub("…", body), [CHANGING.sub("…", one) for one in headers]


def _sorted(value: str | None) -> str:
    return ", ".join(sorted((value or "").split(", ")))


def _rows(service: Service, project_id: int) -> list[Json]:
    """The project, its tasks, their labels and its events, as they are stored."""
    url = service.database_url.replace("postgresql://", "postgresql+psycopg2://")
    engine = sa.create_engine(url)
    found = []
    for query in (
        "SELECT revision, name FROM projects WHERE id = :id",
        """SELECT title, status, priority, labels, words, revision FROM tasks
        WHERE project_id = :id ORDER BY id""",
        """SELECT key, name FROM task_labels JOIN tasks ON tasks.id = task_id
        WHERE project_id = :id ORDER BY key""",
        "SELECT revision, kind, changes FROM events WHERE project_id = :id ORDER BY id",
    ):
        with engine.connect() as connection:
            rows = connection.execute(sa.text(query), {"id": project_id})
            found += [{**row._mapping, **_changes(row)} for row in rows]
    engine.dispose()
    return found


def _changes(row: sa.Row[Any]) -> Json:
    """JSON is text on SQLite; ids in it differ."""
    changes = row._mapping.get("changes", {})
    text = changes if isinstance(changes, str) else json.dumps(changes)
    return {"changes": CHANGING.sub("…", json.dumps(json.loads(text), sort_keys=True))}


def _shape(column: sa.Column[Any]) -> tuple[str, ...]:
    types = (column.type.compile(dialect()) for dialect in (sqlite.dialect, postgresql.dialect))
    return (column.name, str(column.nullable), *types)
