"""Many at once: nothing is lost, nothing is made twice"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database.quotas import recount, wrong_counts
from taskapp.database.session import now
from taskapp.extensions import db
from tests import servers
from tests.conftest import PASSWORD, Client, Json, add, made, refused

URL = "/api/v1/tasks"
Worked = TypeVar("Worked")


def test_of_fifty_registrations_of_one_address_one_is_first(anonymous: Client) -> None:
    body = {"email": "dora@example.com", "password": PASSWORD, "name": "Dora"}

    def register(number: int) -> int:
        email = body["email"].upper() if number % 2 else body["email"]
        return anonymous.post("/api/v1/auth/register", json={**body, "email": email}).status_code

    with ThreadPoolExecutor(50) as pool:
        statuses = Counter(pool.map(register, range(50)))

    assert statuses == {201: 1, 409: 49}


def test_eight_threads_lose_no_step_of_a_counter(alice: Client) -> None:
    url, steps = f"{URL}/{add(alice, description='0')['id']}", 5

    def count(_: int) -> None:
        done = 0
        while done < steps:
            seen = alice.get(url)
            raised = str(int(seen.get_json()["description"]) + 1)
            match = {"If-Match": seen.headers["ETag"]}
            response = alice.patch(url, json={"description": raised}, headers=match)
            done += response.status_code == 200
            assert response.status_code == 200 or refused(response)[0] == 412

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))

    assert alice.get(url).get_json()["description"] == str(8 * steps)


def test_of_two_that_close_a_circle_one_is_refused(alice: Client) -> None:
    for _ in range(5):
        first, second = add(alice)["id"], add(alice)["id"]

        def put_below(pair: tuple[int, int]) -> int:
            return alice.patch(f"{URL}/{pair[0]}", json={"parent_id": pair[1]}).status_code

        with ThreadPoolExecutor(2) as pool:
            pairs = [(first, second), (second, first)]
            assert sorted(pool.map(put_below, pairs)) == [200, 422]


def test_a_user_who_goes_while_the_password_is_checked_is_refused(
    admin: Client, bob: Client
) -> None:
    login = {"email": bob.user["email"], "password": PASSWORD}
    change = {"current_password": PASSWORD, "new_password": PASSWORD}
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(bob.post, "/api/v1/auth/login", json=login) for _ in range(4)]
        answers.append(pool.submit(bob.post, "/api/v1/auth/password", json=change))
        time.sleep(0.01)
        assert admin.delete(f"/api/v1/users/{bob.user['id']}").status_code == 204

    assert {answer.result().status_code for answer in answers} <= {200, 204, 401}


def test_who_signs_in_with_the_old_password_while_it_changes_is_out(
    anonymous: Client, alice: Client, app: Flask
) -> None:
    """The change ends all sessions that it finds; one that began meanwhile it would not find."""
    login = {"email": alice.user["email"], "password": PASSWORD}
    users = db.metadata.tables["users"]
    changed = sa.update(users).filter_by(id=alice.user["id"]).values(password_hash="another")
    with ThreadPoolExecutor(1) as pool:
        with app.app_context(), db.engine.begin() as others:
            others.execute(changed)
            signed_in = pool.submit(anonymous.post, "/api/v1/auth/login", json=login)
            time.sleep(0.5)
        assert refused(signed_in.result()) == (401, "wrong-credentials")


def test_of_many_that_end_a_token_one_does(alice: Client, app: Flask) -> None:
    """Each that did counted it once less, so that more could be made than MAX_TOKENS_PER_USER"""
    token = made(alice, "auth/tokens", name="nightly", scopes=["read"])
    url = f"/api/v1/auth/tokens/{token['id']}"
    users = db.metadata.tables["users"]
    with ThreadPoolExecutor(8) as pool:
        with app.app_context(), db.engine.begin() as others:  # until all have found it
            others.execute(sa.update(users).values(name=users.c.name))
            answers = [pool.submit(alice.delete, url) for _ in range(8)]
            time.sleep(0.5)
        statuses = Counter(answer.result().status_code for answer in answers)

    assert statuses == {204: 1, 404: 7}
    with app.app_context():
        assert wrong_counts() == 0


NEW_PASSWORD = {"current_password": PASSWORD, "new_password": "eleven dry sparrows"}
NEW_ADDRESS = {"current_password": PASSWORD, "email": "alicia@example.com"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "auth/tokens", {"name": "nightly", "scopes": ["write"]}),
        ("POST", "auth/password", NEW_PASSWORD),
        ("POST", "auth/totp", {"current_password": PASSWORD}),
        ("PATCH", "users/me", NEW_ADDRESS),
        ("DELETE", "users/me", {"current_password": PASSWORD}),
    ],
)
def test_a_session_that_is_ended_meanwhile_makes_and_changes_nothing_that_outlives_it(
    alice: Client, app: Flask, method: str, path: str, body: Json
) -> None:
    """A token that it made would let in who was disabled for good, or is out by a new password"""
    users, sessions, tokens = (
        db.metadata.tables[name] for name in ("users", "sessions", "personal_tokens")
    )
    changed = sa.update(users).filter_by(id=alice.user["id"]).values(password_hash="another")
    ended = sa.update(sessions).filter_by(user_id=alice.user["id"]).values(ended_at=now())
    with ThreadPoolExecutor(1) as pool, app.app_context():
        with db.engine.begin() as others:
            others.execute(changed)
            others.execute(ended)
            sent = pool.submit(alice.open, f"/api/v1/{path}", method=method, json=body)
            time.sleep(0.7)  # the password is checked meanwhile
        assert refused(sent.result()) == (401, "token-revoked")
        with db.engine.connect() as connection:
            mine = connection.execute(sa.select(users).filter_by(id=alice.user["id"])).one()
            assert not connection.execute(sa.select(tokens)).all()
    assert (mine.email, mine.password_hash) == (alice.user["email"], "another")


def test_of_two_sessions_that_change_the_password_at_once_one_does(
    alice: Client, anonymous: Client
) -> None:
    """Each ended the other, and nobody knew which password counted"""
    login = {"email": alice.user["email"], "password": PASSWORD}
    pair = anonymous.post("/api/v1/auth/login", json=login).get_json()
    clients = [alice, alice.as_token(pair["access_token"])]
    passwords = ["eleven dry sparrows", "twelve wet magpies"]

    def change(number: int) -> int:
        body = {"current_password": PASSWORD, "new_password": passwords[number]}
        return clients[number].post("/api/v1/auth/password", json=body).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(change, range(2)))

    assert sorted(statuses) == [204, 401]
    first = statuses.index(204)
    assert clients[first].get(URL).status_code == 200
    login["password"] = passwords[first]
    assert anonymous.post("/api/v1/auth/login", json=login).status_code == 200


def test_a_user_who_goes_leaves_what_is_shared_meanwhile_and_not_what_is_gone_meanwhile(
    admin: Client, bob: Client, shared: Json, app: Flask
) -> None:
    """A project without members would be there for ever, and nobody could see it."""
    projects, members = (db.metadata.tables[name] for name in ("projects", "memberships"))
    stamps: Json = {"revision": 1, "created_at": now()}
    new = {**stamps, "name": "New", "description": "", "updated_at": now()}
    with ThreadPoolExecutor(1) as pool, app.app_context():
        with db.engine.begin() as others:
            others.execute(sa.delete(projects).where(projects.c.id == shared["id"]))
            made = others.scalar(sa.insert(projects).values(new).returning(projects.c.id))
            bobs = {**stamps, "project_id": made, "user_id": bob.user["id"], "role": "owner"}
            others.execute(sa.insert(members).values(bobs))
            deleted = pool.submit(admin.delete, f"/api/v1/users/{bob.user['id']}")
            time.sleep(0.3)
        assert deleted.result().status_code == 204
        with db.engine.connect() as connection:
            assert not connection.scalars(sa.select(projects.c.id).filter_by(id=made)).all()


def test_moves_in_opposite_directions_do_not_wait_for_each_other(
    alice: Client, shared: Json
) -> None:
    here, there = add(alice), add(alice, project_id=shared["id"])
    homes = [here["project_id"], there["project_id"]]

    def go(task: Json) -> set[int]:
        url, start = f"{URL}/{task['id']}", homes.index(task["project_id"])
        return {
            alice.patch(url, json={"project_id": homes[(start + step) % 2]}).status_code
            for step in range(1, 9)
        }

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(go, (here, there))) == [{200}] * 2


def create_in(project: Json) -> Json:
    return {"op": "create", "body": {"title": "Fern", "project_id": project["id"]}}


def upsert_in(project: Json) -> Json:
    return {"op": "upsert", "project_id": project["id"], "external_id": "a", "body": {"title": "b"}}


def change(task: Json, **body: object) -> Json:
    return {"op": "update", "id": task["id"], "body": body}


def delete(task: Json) -> Json:
    return {"op": "delete", "id": task["id"]}


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
@pytest.mark.parametrize("kind", ["creates", "inbox", "upserts", "updates", "deletes", "moves"])
def test_a_batch_locks_its_projects_in_their_order_whatever_that_of_its_operations_is(
    alice: Client, app: Flask, kind: str
) -> None:
    """PostgreSQL finds out after a second that two wait for each other, and gives one of them up"""
    inbox = alice.get("/api/v1/projects").get_json()["items"][0]
    first = made(alice, "projects", name="First")
    last = made(alice, "projects", name="Last")
    here, there = (add(alice, project_id=project["id"]) for project in (first, last))
    locked, operations = {
        "creates": (first, [create_in(last), create_in(first)]),
        "inbox": (inbox, [create_in(last), {"op": "create", "body": {"title": "Fern"}}]),
        "upserts": (first, [upsert_in(last), upsert_in(first)]),
        "updates": (first, [create_in(last), change(here, title="Moss")]),
        "deletes": (first, [delete(there), delete(here)]),
        "moves": (first, [create_in(last), change(there, project_id=first["id"])]),
    }[kind]

    with ThreadPoolExecutor(1) as pool, app.app_context():
        with db.engine.begin() as others:
            assert lock(others, locked)
            sent = pool.submit(alice.post, f"{URL}/batch", json={"operations": operations})
            wait_for_a_waiter(others)
            is_free = lock(others, last)
        assert sent.result().status_code == 200
    assert is_free


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_a_move_whose_task_has_moved_begins_again_and_holds_nothing_while_it_waits(
    alice: Client, app: Flask
) -> None:
    first, middle, last = (made(alice, "projects", name=name) for name in ("A", "B", "C"))
    task = add(alice, project_id=middle["id"])
    tasks = db.metadata.tables["tasks"]
    moved = sa.update(tasks).filter_by(id=task["id"]).values(project_id=first["id"])
    with ThreadPoolExecutor(1) as pool, app.app_context():
        with db.engine.begin() as others:
            assert lock(others, first)
            with db.engine.begin() as mover:
                assert lock(mover, middle)
                mover.execute(moved)
                body = {"project_id": last["id"]}
                sent = pool.submit(alice.patch, f"{URL}/{task['id']}", json=body)
                wait_for_a_waiter(mover)
            wait_for_a_waiter(others)
            is_free = lock(others, last)
        assert sent.result().status_code == 200
    assert is_free


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_who_deletes_a_user_waits_for_projects_before_the_user_is_locked(
    admin: Client, bob: Client, shared: Json, app: Flask
) -> None:
    """A write in a project of theirs locks it first, and then counts on their row"""
    deletion = partial(admin.delete, f"/api/v1/users/{bob.user['id']}")
    hold = partial(lock, what=shared)
    is_free, deleted = beside(app, hold, deletion, bob.user, "users")

    assert deleted.status_code == 204
    assert is_free


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_who_refers_to_a_user_and_then_counts_on_their_row_waits_for_no_deletion_of_them(
    admin: Client, bob: Client, app: Flask
) -> None:
    """As a new project does, or a new token"""
    users = db.metadata.tables["users"]
    refers = sa.select(users.c.id).filter_by(id=bob.user["id"])
    deletion = partial(admin.delete, f"/api/v1/users/{bob.user['id']}")

    def hold(others: sa.Connection) -> bool:
        found = others.execute(refers.with_for_update(read=True, key_share=True))
        return found.one_or_none() is not None

    is_free, deleted = beside(app, hold, deletion, bob.user, "users")

    assert deleted.status_code == 204
    assert is_free


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_who_deletes_a_project_counts_on_its_members_in_the_order_of_their_ids(
    alice: Client, bob: Client, app: Flask
) -> None:
    project = made(bob, "projects", name="Garden")
    made(bob, f"projects/{project['id']}/members", email=alice.user["email"], role="owner")
    deletion = partial(bob.delete, f"/api/v1/projects/{project['id']}")
    hold = partial(lock, what=alice.user, table="users")
    is_free, deleted = beside(app, hold, deletion, bob.user, "users")

    assert deleted.status_code == 204
    assert is_free


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_purge_holds_no_project_while_it_waits_for_one_before_it(alice: Client, app: Flask) -> None:
    first, last = (made(alice, "projects", name=name) for name in ("First", "Last"))
    projects = db.metadata.tables["projects"]
    with app.app_context(), db.engine.begin() as connection:
        for project, wrong in (first, "task_count"), (last, "attachment_bytes"):
            update = sa.update(projects).filter_by(id=project["id"])
            connection.execute(update.values({wrong: 7}))

    is_free, put_right = beside(app, partial(lock, what=first), partial(count_anew, app), last)

    assert put_right == 2
    assert is_free


def count_anew(app: Flask) -> int:
    """As `flask purge` does, in a thread of the test."""
    with app.app_context():
        return recount()


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_user_who_is_no_admin_is_changed_and_deleted_while_an_admin_is_locked(
    admin: Client, bob: Client, app: Flask, method: str
) -> None:
    body = {"name": "Bobby"} if method == "patch" else None
    with app.app_context(), db.engine.begin() as others:
        assert lock(others, admin.user, "users")
        url = f"/api/v1/users/{bob.user['id']}"
        assert admin.open(url, method=method.upper(), json=body).status_code in {200, 204}


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
def test_what_moves_away_and_is_deleted_there_meanwhile_is_not_restored_where_it_was(
    alice: Client, app: Flask
) -> None:
    """Nor under a role that counts only there"""
    here, there = (made(alice, "projects", name=name) for name in ("Here", "There"))
    task = add(alice, project_id=here["id"])
    away = [change(task, project_id=there["id"]), delete(task)]
    with ThreadPoolExecutor(2) as pool, app.app_context():
        with db.engine.begin() as others:
            assert lock(others, here)
            gone = pool.submit(alice.post, f"{URL}/batch", json={"operations": away})
            wait_for_a_waiter(others)
            restored = pool.submit(alice.post, f"{URL}/{task['id']}/restore")
            wait_for_a_waiter(others, 2)
        assert gone.result().status_code == 200
        assert refused(restored.result()) == (409, "conflict")

    again = alice.post(f"{URL}/{task['id']}/restore").get_json()
    assert again["project_id"] == there["id"]


def beside(
    app: Flask,
    hold: Callable[[sa.Connection], bool],
    work: Callable[[], Worked],
    what: Json,
    table: str = "projects",
) -> tuple[bool, Worked]:
    """Hold something until work waits for it; was a row free then, and what came of the work?"""
    with ThreadPoolExecutor(1) as pool, app.app_context():
        with db.engine.begin() as others:
            assert hold(others)
            working = pool.submit(work)
            wait_for_a_waiter(others)
            is_free = lock(others, what, table)
        return is_free, working.result()


def lock(connection: sa.Connection, what: Json, table: str = "projects") -> bool:
    """Lock the row of a project or of a user, unless somebody holds it."""
    rows = db.metadata.tables[table]
    row = sa.select(rows.c.id).filter_by(id=what["id"])
    locked = row.with_for_update(key_share=True, skip_locked=True)
    return connection.execute(locked).one_or_none() is not None


def wait_for_a_waiter(others: sa.Connection, many: int = 1) -> None:
    """Return once another transaction waits for a lock, or so many do."""
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + 5
    while (others.scalar(waiting) or 0) < many:
        assert time.monotonic() < deadline
        time.sleep(0.01)


FAILS = """
CREATE SEQUENCE tries;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('tries') <= {times} THEN RAISE EXCEPTION USING ERRCODE = '{code}'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION fail();
"""
FAILS_NO_MORE = "DROP TRIGGER fails ON tasks; DROP FUNCTION fail; DROP SEQUENCE tries;"


@contextmanager
def failing(app: Flask, times: int, code: str) -> Iterator[None]:
    """Writes of tasks fail this often with an SQLSTATE of PostgreSQL's."""
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql(FAILS.format(times=times, code=code))
    try:
        yield
    finally:
        with app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql(FAILS_NO_MORE)


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
@pytest.mark.parametrize("code", ["40001", "40P01"])  # serialization failure, deadlock
def test_what_postgresql_gave_up_is_tried_again(alice: Client, task: Json, code: str) -> None:
    url = f"/api/v1/tasks/{task['id']}"
    with failing(alice.application, 2, code):
        created = alice.post("/api/v1/tasks", json={"title": "Fern"})
    with failing(alice.application, 2, code):
        changed = alice.patch(url, json={"title": "Moss"})

    assert (created.status_code, changed.status_code) == (201, 200)
    history = alice.get(f"{url}/history").get_json()["items"]
    assert [event["kind"] for event in history] == ["created", "updated"]


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_what_postgresql_gives_up_each_time_is_503(alice: Client, task: Json, code: str) -> None:
    url = f"/api/v1/tasks/{task['id']}"
    with failing(alice.application, 1000, code):
        for response in (
            alice.post("/api/v1/tasks", json={"title": "Fern"}),
            alice.patch(url, json={"title": "Moss"}),
        ):
            assert refused(response) == (503, "database-busy")
            assert int(response.headers["Retry-After"]) > 0

    assert alice.get("/api/v1/tasks").get_json()["items"] == [task]


def test_four_processes_write_to_one_sqlite_file_and_lose_nothing(tmp_path: Path) -> None:
    seconds = 10
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "WEB_CONCURRENCY": "4"}
    variables["RATELIMIT_ENABLED"] = "false"
    servers.migrate(**variables)
    with servers.gunicorn(**variables) as base:
        url, token = f"{base}{URL}", servers.sign_up(base, "alice@example.com")
        end = time.monotonic() + seconds

        def write(number: int) -> list[int]:
            statuses = []
            while time.monotonic() < end:
                title = f"{number}.{len(statuses)}"
                statuses.append(servers.ask(url, {"title": title}, token=token)[0])
            return statuses

        with ThreadPoolExecutor(8) as pool:
            statuses = [status for made in pool.map(write, range(8)) for status in made]
        page = servers.ask(f"{url}?total=true&limit=1", token=token)[2]

    assert set(statuses) == {201}
    assert page["total"] == len(statuses) > 100
