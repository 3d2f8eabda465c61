"""Creates and updates in one statement of PostgreSQL: as the plain way has them, and in any race"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database.quotas import wrong_counts
from taskapp.extensions import db
from tests import servers
from tests.conftest import Client, Json, add, refused

URL = "/api/v1/tasks"
# SQLite has the plain way alone.
ON_POSTGRESQL = pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
DUE = "2030-01-31T16:00:00.000000Z"
BODIES: list[Json] = [
    {"title": "Water the fern"},
    {"title": "Grün: \N{SNOWMAN} 100 %", "description": "A 'quote', a \\ and a\nline"},
    {"title": "Prune", "status": "done", "priority": "urgent"},
    {"title": "Rake", "due_at": DUE},
    {"title": "Dig", "description": "", "due_on": None},
    {"title": "Mow", "due_on": "2030-01-31", "status": "in_progress"},
]
CHANGES: list[Json] = [
    {"title": "Water the yew"},
    {"description": "Grün, 50 %", "priority": "low"},
    {"status": "done", "title": "Done"},
    {"due_on": "2031-02-28", "due_at": None},
    {"title": "Fern", "status": "cancelled", "due_at": DUE, "due_on": None},
]


@contextmanager
def fast(app: Flask, *, is_fast: bool) -> Iterator[None]:
    before = app.extensions["taskapp"]
    app.extensions["taskapp"] = replace(before, fast=is_fast)
    yield
    app.extensions["taskapp"] = before


@pytest.fixture(autouse=True)
def is_fast(app: Flask) -> Iterator[None]:
    """Whatever way the suite takes: here both are compared. Each count is that of the rows."""
    with fast(app, is_fast=True):
        yield
    with app.app_context():
        assert wrong_counts() == 0


def rows(app: Flask, table: str, **which: Any) -> list[Json]:
    with app.app_context(), db.engine.connect() as connection:
        select = sa.select(db.metadata.tables[table]).filter_by(**which).order_by(sa.text("1"))
        return [dict(row._mapping) for row in connection.execute(select)]


def left_behind(app: Flask, task: Json) -> Json:
    """All that a write leaves in the database, but for ids, revisions and times."""
    stored = rows(app, "tasks", id=task["id"])
    recorded = rows(app, "events", task_id=task["id"])
    for row in (*stored, *recorded):
        for name in ("id", "task_id", "revision", "created_at", "updated_at", "at"):
            row.pop(name, None)
        if row.get("completed_at"):
            row["completed_at"] = "a time"
    return {"tasks": stored, "events": recorded}


def both_ways(app: Flask, write: Callable[[], Json]) -> tuple[Json, Json]:
    found = []
    for is_fast in (True, False):
        with fast(app, is_fast=is_fast):
            found.append(left_behind(app, write()))
    return found[0], found[1]


def statements(client: Client, method: str, url: str, **options: Any) -> int:
    """How many statements the driver runs for a request: each is progress."""
    run: list[None] = []
    progress = {"taskapp.progress": lambda: run.append(None)}
    response = client.open(url, method=method, environ_overrides=progress, **options)
    assert response.status_code < 300, response.get_json()
    return len(run)


@pytest.mark.parametrize("body", BODIES)
def test_a_create_leaves_the_same_behind_as_the_plain_one(
    alice: Client, app: Flask, body: Json
) -> None:
    def write() -> Json:
        task = add(alice, **body)
        assert alice.get(f"{URL}/{task['id']}").get_json() == task
        return task

    short, plain = both_ways(app, write)

    assert short == plain


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("body", BODIES[1:4])
def test_an_update_leaves_the_same_behind_as_the_plain_one(
    alice: Client, app: Flask, body: Json, change: Json
) -> None:
    if body.get("due_at") and "due_at" not in change:
        change = {**change, "due_at": None}

    def write() -> Json:
        task = add(alice, **body)
        changed = alice.patch(f"{URL}/{task['id']}", json=change)
        assert changed.status_code == 200, changed.get_json()
        assert alice.get(f"{URL}/{task['id']}").get_json() == changed.get_json()
        assert changed.get_json()["revision"] == task["revision"] + 1
        return task

    short, plain = both_ways(app, write)

    assert short == plain


@ON_POSTGRESQL
def test_what_is_short_is_one_statement_and_what_asks_for_more_is_not(
    alice: Client, shared: Json
) -> None:
    task = add(alice)
    url = f"{URL}/{task['id']}"

    # One asks who is calling, and reads what an update compares with.
    assert statements(alice, "POST", URL, json={"title": "Fern"}) == 2
    assert statements(alice, "POST", URL, json={"title": "Fern", "project_id": shared["id"]}) == 2
    assert statements(alice, "PATCH", url, json={"title": "Yew", "status": "done"}) == 2
    for more in ({"labels": ["home"]}, {"parent_id": task["id"]}, {"external_id": "A"}):
        assert statements(alice, "POST", URL, json={"title": "Fern", **more}) > 4
    key = {"Idempotency-Key": "a-key-of-mine"}
    assert statements(alice, "POST", URL, json={"title": "Fern"}, headers=key) > 4
    repeating = add(alice, due_on="2030-01-31", repeat={"rule": "FREQ=DAILY"}, reminders=["-PT1H"])
    assert statements(alice, "PATCH", f"{URL}/{repeating['id']}", json={"due_on": "2030-02-01"}) > 4


def test_refusals_are_those_of_the_plain_way(
    alice: Client, bob: Client, charlie: Client, shared: Json
) -> None:
    task = add(alice, project_id=shared["id"], due_at=DUE)
    url, old = f"{URL}/{task['id']}", {"If-Match": '"1-1"'}
    of_garden = {"title": "Fern", "project_id": shared["id"]}

    assert refused(charlie.post(URL, json=of_garden)) == (404, "not-found")
    assert refused(charlie.patch(url, json={"title": "Fern"})) == (404, "not-found")
    assert refused(alice.patch(url, json={"title": "Fern"}, headers=old))[0] == 412
    assert refused(alice.patch(url, json={"due_on": "2030-01-01"}))[0] == 422
    assert (
        refused(alice.post(URL, json={**of_garden, "due_on": "2030-01-01", "due_at": DUE}))[0]
        == 422
    )
    member = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"
    assert alice.patch(member, json={"role": "viewer"}).status_code == 200
    assert refused(bob.post(URL, json=of_garden)) == (403, "forbidden")
    assert refused(bob.patch(url, json={"title": "Fern"}, headers=old)) == (403, "forbidden")
    assert alice.get(url).get_json() == task


@contextmanager
def held(app: Flask, project_id: int) -> Iterator[sa.Connection]:
    """Somebody else's transaction, which holds the lock of a project and has advanced it."""
    projects = db.metadata.tables["projects"]
    advance = sa.update(projects).where(projects.c.id == project_id)
    with app.app_context(), db.engine.begin() as others:
        others.execute(advance.values(revision=projects.c.revision + 1))
        yield others
        time.sleep(0.3)  # whoever is to wait for it does by now


def while_held(
    app: Flask, project_id: int, others: Callable[[sa.Connection], Any], write: Callable[[], Any]
) -> Any:
    """What a write answers that had to wait for another transaction, which did this."""
    with ThreadPoolExecutor(1) as pool:
        with held(app, project_id) as connection:
            others(connection)
            answer = pool.submit(write)
            time.sleep(0.3)
            assert not answer.done()
        return answer.result()


def of_bob(shared: Json, bob: Client) -> dict[str, int]:
    return {"project_id": shared["id"], "user_id": bob.user["id"]}


@ON_POSTGRESQL
def test_who_waited_for_the_lock_goes_on_and_does_not_begin_again(
    alice: Client, app: Flask, shared: Json
) -> None:
    task = add(alice, project_id=shared["id"])
    body = {"title": "Fern", "project_id": shared["id"]}

    def create() -> int:
        return statements(alice, "POST", URL, json=body)

    def update() -> int:
        return statements(alice, "PATCH", f"{URL}/{task['id']}", json={"title": "Yew"})

    ping = 1  # of a connection that has rested; the plain way takes five statements more
    assert while_held(app, shared["id"], lambda _: None, create) - 2 <= ping
    assert while_held(app, shared["id"], lambda _: None, update) - 2 <= ping
    revision = alice.get(f"/api/v1/projects/{shared['id']}").get_json()["revision"]
    assert revision == task["revision"] + 4


@ON_POSTGRESQL
def test_a_role_that_was_taken_away_meanwhile_counts(
    alice: Client, bob: Client, app: Flask, shared: Json
) -> None:
    task = add(alice, project_id=shared["id"])
    members = db.metadata.tables["memberships"]
    bobs = sa.update(members).filter_by(**of_bob(shared, bob))
    to_viewer, to_editor = bobs.values(role="viewer"), bobs.values(role="editor")
    leave = sa.delete(members).filter_by(**of_bob(shared, bob))
    joined = rows(app, "memberships", **of_bob(shared, bob))

    def create() -> Any:
        return bob.post(URL, json={"title": "Fern", "project_id": shared["id"]})

    def update() -> Any:
        return bob.patch(f"{URL}/{task['id']}", json={"title": "Fern"})

    for write in (create, update):
        waited = while_held(app, shared["id"], lambda others: others.execute(to_viewer), write)
        assert refused(waited) == (403, "forbidden")
        with app.app_context(), db.engine.begin() as others:
            others.execute(to_editor)
    gone = while_held(app, shared["id"], lambda others: others.execute(leave), create)
    with app.app_context(), db.engine.begin() as others:
        others.execute(sa.insert(members), joined)
    assert refused(gone) == (404, "not-found")
    assert alice.get(f"{URL}/{task['id']}").get_json() == task
    assert len(rows(app, "tasks", project_id=shared["id"])) == 1


@ON_POSTGRESQL
def test_what_was_changed_meanwhile_is_compared_and_not_written_over(
    alice: Client, bob: Client, app: Flask, shared: Json
) -> None:
    task = add(alice, project_id=shared["id"], description="0")
    tasks, url = db.metadata.tables["tasks"], f"{URL}/{task['id']}"

    def change(revision: int) -> Callable[[sa.Connection], Any]:
        theirs = sa.update(tasks).filter_by(id=task["id"])
        return lambda others: others.execute(theirs.values(description="theirs", revision=revision))

    match = {"If-Match": f'"{shared["id"]}-{task["revision"]}"'}
    stale = while_held(
        app, shared["id"], change(task["revision"] + 1),
        lambda: bob.patch(url, json={"title": "Mine"}, headers=match),
    )  # fmt: skip
    both = while_held(
        app, shared["id"], change(task["revision"] + 2),
        lambda: bob.patch(url, json={"title": "Mine"}),
    )  # fmt: skip

    assert refused(stale) == (412, "precondition-failed")
    assert both.status_code == 200
    assert (both.get_json()["title"], both.get_json()["description"]) == ("Mine", "theirs")
    assert both.get_json()["revision"] == task["revision"] + 3


def test_all_ways_to_write_take_turns_and_leave_no_hole(
    alice: Client, bob: Client, app: Flask, shared: Json
) -> None:
    tasks = [add(alice, project_id=shared["id"], description="0") for _ in range(3)]
    first, rounds = tasks[0]["revision"], 6

    def count_up(client: Client, task: Json) -> None:
        url, done = f"{URL}/{task['id']}", 0
        while done < rounds:
            seen = client.get(url)
            more = {"description": str(int(seen.get_json()["description"]) + 1)}
            match = {"If-Match": seen.headers["ETag"]}
            status = client.patch(url, json=more, headers=match).status_code
            assert status in {200, 412}
            done += status == 200

    def create(client: Client, **more: Any) -> None:
        for number in range(rounds):
            add(client, title=f"Fern {number}", project_id=shared["id"], **more)

    with ThreadPoolExecutor(9) as pool:
        jobs = [pool.submit(count_up, client, task) for task in tasks for client in (alice, bob)]
        jobs += [pool.submit(create, client) for client in (alice, bob)]
        jobs.append(pool.submit(create, alice, labels=["home"]))
        for job in jobs:
            job.result()

    for task in tasks:
        assert alice.get(f"{URL}/{task['id']}").get_json()["description"] == str(2 * rounds)
    recorded = [event["revision"] for event in rows(app, "events", project_id=shared["id"])]
    assert recorded[-9 * rounds :] == list(range(first + 3, first + 3 + 9 * rounds))


def test_four_processes_lose_no_step_of_a_counter(fresh_environment: dict[str, str]) -> None:
    """Each worker is a process with connections of its own."""
    more = {"WEB_CONCURRENCY": "4", "RATELIMIT_ENABLED": "false"}
    with servers.gunicorn(**fresh_environment, **more) as base:
        token = servers.sign_up(base, "alice@example.com")
        made = servers.ask(f"{base}{URL}", {"title": "Fern", "description": "0"}, token=token)[2]
        url, steps = f"{base}{URL}/{made['id']}", 10

        def count_up(number: int) -> int:
            done = refusals = 0
            while done < steps:
                seen = servers.ask(url, token=token)[2]
                body = {"description": str(int(seen["description"]) + 1)}
                match = {"If-Match": f'"{seen["project_id"]}-{seen["revision"]}"'}
                status = servers.ask(url, body, token=token, method="PATCH", **match)[0]
                assert status in {200, 412}
                done += status == 200
                refusals += status == 412
                title = {"title": f"{number}.{done}"}
                assert servers.ask(f"{base}{URL}", title, token=token)[0] == 201
            return done + refusals

        with ThreadPoolExecutor(4) as pool:
            creates = sum(pool.map(count_up, range(4)))
        last = servers.ask(url, token=token)[2]
        page = servers.ask(f"{base}{URL}?total=true&limit=1", token=token)[2]

    assert last["description"] == str(4 * steps)
    assert page["total"] == creates + 1
