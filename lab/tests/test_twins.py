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

from lab.tests.conftest import DATABASES, SERVICES, START, Json, Service, ids, made, refused
from lab.twin.database import Base
from lab.twin.tasks import models  # noqa: F401 - so that the tables are known
from taskapp.schema import Base as TaskappBase
from tests.servers import free_port

pytestmark = pytest.mark.xdist_group("sync")  # whose servers these tests share
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
    sampling = [_tell(running(kind, database)) for kind in SERVICES]

    assert sampling[0] == sampling[1]


@pytest.fixture(params=DATABASES)
def both(
    request: pytest.FixtureRequest, running: Callable[[str, str], Service]
) -> tuple[Service, Service]:
    """taskapp, and a narrow twin on the same database with the same SECRET_KEY."""
    return running("sync", request.param), running("beside", request.param)


def test_each_takes_the_other_ones_sessions_and_tasks(both: tuple[Service, Service]) -> None:
    sync, near = both
    task = made(sync.alice, title="Water the fern")
    url = f"{TASKS}/{task['id']}"
    seen = near.alice.get(url)
    without = near.alice.patch(url, json={"title": "b"})
    tag = {"If-Match": seen.headers["ETag"]}
    changed = near.alice.patch(url, json={"title": "b"}, headers=tag)

    assert seen.json() == task
    assert refused(without) == (428, "precondition-required")
    assert changed.status_code == 200
    assert sync.alice.get(url).json() == changed.json()


def test_a_pool_of_one_makes_many_wait_and_none_for_ever(both: tuple[Service, Service]) -> None:
    near = both[1]

    def create(_: int) -> int:
        answer = httpx.post(
            f"{near.base}{TASKS}", json={"title": "c"}, headers=near.alice.headers, timeout=30
        )
        return answer.status_code

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(create, range(10))) == [201] * 10


def test_the_twin_knows_shared_projects_and_their_roles(both: tuple[Service, Service]) -> None:
    """taskapp makes the project; on the twin a task moves there, and a viewer only looks."""
    sync, near = both
    project = sync.alice.post("/api/v1/projects", json={"name": "Garden"}).json()
    viewer = {"email": "charlie@example.com", "role": "viewer"}
    member = sync.alice.post(f"/api/v1/projects/{project['id']}/members", json=viewer).json()
    task = made(sync.alice, title="a")
    child = made(sync.alice, title="b", parent_id=task["id"], assignee_id=task["created_by"])
    url, any_tag = f"{TASKS}/{task['id']}", {"If-Match": "*"}

    move = {"project_id": project["id"], "assignee_id": member["user_id"]}
    moved = near.alice.patch(url, json=move, headers=any_tag)
    refusal = near.charlie.patch(url, json={"title": "c"}, headers=any_tag)
    seen = near.charlie.get(TASKS, params={"project_id": project["id"]})
    back = near.alice.patch(url, json={"project_id": task["project_id"]}, headers=any_tag)

    assert (moved.status_code, moved.json()["assignee_id"]) == (200, member["user_id"])
    assert refused(refusal) == (403, "forbidden")
    assert ids(seen) == [child["id"], task["id"]]
    assert back.json()["assignee_id"] is None
    assert sync.alice.get(f"{TASKS}/{child['id']}").json()["project_id"] == task["project_id"]


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
    import taskapp.ledger.models
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
    sampling: list[Any] = []
    with closing(service.somebody()) as client:
        first = made(client, title="First")
        task_id = first["id"] + 1
        for method, path, body, headers in STORY:
            url = TASKS + path.replace("ID", str(task_id))
            sent = json.dumps(body).replace('"ID"', str(task_id)) if body is not None else None
            kind = {"Content-Type": "application/json"} if sent else {}
            answer = client.request(method, url, content=sent, headers={**kind, **headers})
            sampling.append((method, path, _same(answer)))
    return [*sampling, *_rows(service, first["project_id"])]


def _same(answer: httpx.Response) -> tuple[int, str, list[str]]:
    sampling = answer.json() if answer.content else {}
    sampling.pop("errors", None)  # the words are each one's own
    sampling |= {"next_cursor": "…"} if sampling.get("next_cursor") else {}
    body = json.dumps(sampling, sort_keys=True)
    headers = (f"{name}: {_sorted(answer.headers.get(name))}" for name in HEADERS)
    return answer.status_code, CHANGING.sub("…", body), [CHANGING.sub("…", one) for one in headers]


def _sorted(value: str | None) -> str:
    return ", ".join(sorted((value or "").split(", ")))


def _rows(service: Service, project_id: int) -> list[Json]:
    """The project, its tasks, their labels and its events, as they are stored."""
    url = service.variables["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://")
    engine = sa.create_engine(url)
    result = []
    for query in (
        "SELECT revision, name FROM projects WHERE id = :id",
        """SELECT title, status, priority, labels, words, revision FROM tasks
        WHERE project_id = :id ORDER BY id""",
        """SELECT key, name FROM task_labels JOIN tasks ON tasks.id = task_id
        WHERE tasks.project_id = :id ORDER BY key""",
        "SELECT revision, kind, changes FROM events WHERE project_id = :id ORDER BY id",
    ):
        with engine.connect() as connection:
            rows = connection.execute(sa.text(query), {"id": project_id})
            result += [{**row._mapping, **_changes(row)} for row in rows]
    for row in result:
        if row.get("kind") == "deleted":  # the twin keeps nothing to restore: docs/twin.md
            del row["changes"]
    engine.dispose()
    return result


def _changes(row: sa.Row[Any]) -> Json:
    """JSON is text on SQLite; ids in it differ."""
    changes = row._mapping.get("changes", {})
    text = changes if isinstance(changes, str) else json.dumps(changes)
    return {"changes": CHANGING.sub("…", json.dumps(json.loads(text), sort_keys=True))}


def _shape(column: sa.Column[Any]) -> tuple[str, ...]:
    types = (column.type.compile(dialect()) for dialect in (sqlite.dialect, postgresql.dialect))
    return (column.name, str(column.nullable), *types)
