"""Quotas: 409 `quota-exceeded` with the figure and the setting; counts that nobody has to count"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.attachments import store
from taskapp.database.quotas import recount, wrong_counts
from taskapp.extensions import db
from taskapp.ops import checks
from tests.conftest import Client, Json, add, events, made, refused

Allow = Callable[..., None]


@pytest.fixture
def allow(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Allow:
    """Settings of the service, changed for this test."""

    def change(**values: Any) -> None:
        settings = dataclasses.replace(app.extensions["taskapp"], **values)
        monkeypatch.setitem(app.extensions, "taskapp", settings)

    return change


@pytest.fixture(autouse=True)
def counts_are_right(app: Flask) -> Any:
    """Whatever a test did, each count is that of the rows."""
    yield
    with app.app_context():
        assert wrong_counts() == 0


def exceeds(response: Any, setting: str) -> bool:
    assert refused(response) == (409, "quota-exceeded")
    return setting in response.get_json()["detail"]


def attach(client: Client, task: Json, size: int, media_type: str = "text/plain") -> Any:
    file = (BytesIO(b"x" * size), "a.txt", media_type)
    return client.post(f"/api/v1/tasks/{task['id']}/attachments", data={"file": file})


def test_projects_of_a_user(alice: Client, bob: Client, allow: Allow) -> None:
    allow(max_projects_per_user=2)
    first, _ = made(alice, "projects", name="One"), made(alice, "projects", name="Two")

    assert exceeds(alice.post("/api/v1/projects", json={"name": "x"}), "MAX_PROJECTS_PER_USER")
    theirs = made(bob, "projects", name="Three")
    member = {"email": alice.user["email"], "role": "viewer"}
    assert exceeds(
        bob.post(f"/api/v1/projects/{theirs['id']}/members", json=member), "MAX_PROJECTS_PER_USER"
    )
    assert alice.delete(f"/api/v1/projects/{first['id']}").status_code == 204
    made(bob, f"projects/{theirs['id']}/members", **member)
    left = f"/api/v1/projects/{theirs['id']}/members/{alice.user['id']}"
    assert alice.delete(left).status_code == 204
    made(alice, "projects", name="Four")


def test_many_at_once_pass_no_quota(alice: Client, allow: Allow) -> None:
    allow(max_projects_per_user=3)

    def create(number: int) -> int:
        client = alice.as_token(alice.environ_base["HTTP_AUTHORIZATION"].partition(" ")[2])
        return client.post("/api/v1/projects", json={"name": f"P{number}"}).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(create, range(8)))

    assert statuses == [201] * 3 + [409] * 5


def test_tasks_of_a_project(alice: Client, shared: Json, allow: Allow) -> None:
    allow(max_tasks_per_project=3)
    inbox = add(alice, "Elsewhere")
    parent = add(alice, project_id=shared["id"])
    add(alice, project_id=shared["id"], parent_id=parent["id"])
    operations = [{"op": "create", "body": {"title": "x", "project_id": shared["id"]}}]

    batch = alice.post("/api/v1/tasks/batch", json={"operations": operations * 2})
    assert exceeds(batch, "MAX_TASKS_PER_PROJECT")
    url = f"/api/v1/tasks/import?project_id={shared['id']}"
    rows = {"items": [{"title": "x"}, {"title": "y"}]}
    assert exceeds(alice.post(url, json=rows), "MAX_TASKS_PER_PROJECT")
    add(alice, project_id=shared["id"])
    move = {"project_id": shared["id"]}
    moved = alice.patch(f"/api/v1/tasks/{inbox['id']}", json=move)
    assert exceeds(moved, "MAX_TASKS_PER_PROJECT")
    assert alice.delete(f"/api/v1/tasks/{parent['id']}").status_code == 204
    assert alice.patch(f"/api/v1/tasks/{inbox['id']}", json=move).status_code == 200


def test_tokens_of_a_user(alice: Client, admin: Client, allow: Allow) -> None:
    allow(max_tokens_per_user=2)
    body = {"name": "x", "scopes": ["read"]}
    first, _ = (made(alice, "auth/tokens", **body) for _ in range(2))

    assert exceeds(alice.post("/api/v1/auth/tokens", json=body), "MAX_TOKENS_PER_USER")
    assert alice.delete(f"/api/v1/auth/tokens/{first['id']}").status_code == 204
    made(alice, "auth/tokens", **body)
    admin.patch(f"/api/v1/users/{alice.user['id']}", json={"is_active": False})


def test_a_token_whose_time_is_over_takes_no_place(alice: Client, app: Flask, allow: Allow) -> None:
    allow(max_tokens_per_user=1)
    body = {"name": "x", "scopes": ["read"]}
    made(alice, "auth/tokens", **body)
    with app.app_context(), db.engine.begin() as connection:
        tokens = db.metadata.tables["personal_tokens"]
        connection.execute(sa.update(tokens).values(expires_at=tokens.c.created_at))

    made(alice, "auth/tokens", **body)


@pytest.mark.parametrize(
    "setting", ["max_attachments_per_user_bytes", "max_attachments_per_project_bytes"]
)
def test_bytes_of_attachments(alice: Client, task: Json, allow: Allow, setting: str) -> None:
    allow(**{setting: 1_000})
    first = attach(alice, task, 600)

    assert exceeds(attach(alice, task, 401), setting.upper())
    assert attach(alice, task, 400).status_code == 201
    assert alice.delete(first.headers["Location"]).status_code == 204
    assert attach(alice, task, 600).status_code == 201


def test_types_of_attachments(alice: Client, task: Json, allow: Allow) -> None:
    allow(attachment_types=("image/*", "application/pdf"))

    def send(name: str, media_type: str, content: bytes) -> Any:
        url = f"/api/v1/tasks/{task['id']}/attachments"
        return alice.post(url, data={"file": (BytesIO(content), name, media_type)})

    png, pdf = b"\x89PNG\r\n\x1a\n", b"%PDF-1.7\n"
    for file in (
        ("a.html", "text/html", b"x"),
        ("a.png", "image/png", b"MZ\x90\0"),
        ("a.png", "image/png", b"<!DOCTYPE html>"),
        ("a.pdf", "application/pdf", png),
    ):
        response = send(*file)
        assert refused(response) == (415, "unsupported-media-type"), file
        assert "image/*, application/pdf" in response.get_json()["detail"]
    for file in (
        ("a.png", "image/png", png),
        ("a", "application/pdf", pdf),
        ("a.unknown", "image/x-new", b"x"),
    ):
        assert send(*file).status_code == 201, file


def test_the_disk_keeps_room_for_other_writes(
    alice: Client, task: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = store.shutil.disk_usage("/")
    nearly_full = usage._replace(free=store.KEPT_FREE + 1_000)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: nearly_full)

    assert refused(attach(alice, task, 2_000)) == (503, "storage-full")
    assert attach(alice, task, 1).status_code == 201


def test_purge_puts_counts_right_and_doctor_says_when_they_are_wrong(
    alice: Client, shared_task: Json, app: Flask
) -> None:
    with app.app_context():
        projects = db.metadata.tables["projects"]
        db.session.execute(sa.update(projects).values(task_count=7))
        db.session.commit()
        wrong = wrong_counts()
        assert wrong > 0
        assert checks.quotas().status == "degraded"
        assert recount() == wrong
        assert checks.quotas().status == "ok"


def test_purge_and_a_write_at_the_same_time_both_count(
    alice: Client, shared_task: Json, app: Flask
) -> None:
    """Purge waits for the write, and counts again what it has found wrong before."""
    with app.app_context():
        projects, tasks = (db.metadata.tables[name] for name in ("projects", "tasks"))
        more = {"task_count": projects.c.task_count + 1}
        db.session.execute(sa.update(projects).values(task_count=7))
        db.session.commit()
        with ThreadPoolExecutor() as pool:
            with db.engine.begin() as connection:
                task = dict(connection.execute(sa.select(tasks)).mappings().one())
                of_task = projects.c.id == task["project_id"]
                connection.execute(sa.update(projects).where(of_task).values(more))
                another = {**task, "id": task["id"] + 1, "words": []}
                connection.execute(sa.insert(tasks), another)
                purging = pool.submit(_recount, app)
                with pytest.raises(TimeoutError):
                    purging.result(0.5)
            assert purging.result() > 0
        assert wrong_counts() == 0


def _recount(app: Flask) -> int:
    with app.app_context():
        return recount()


def test_purge_keeps_the_newest_changes_of_a_task_and_its_history_says_so(
    alice: Client, task: Json, app: Flask, allow: Allow
) -> None:
    allow(history_events_per_task=3)
    url = f"/api/v1/tasks/{task['id']}/history"
    short = add(alice, "Short")

    for round_number in range(2):
        for number in range(6):
            alice.patch(f"/api/v1/tasks/{task['id']}", json={"title": f"T{round_number}{number}"})
        assert alice.get(url).get_json()["complete"] is (round_number == 0)
        for _ in range(2):  # the second time there is nothing to do
            assert app.test_cli_runner().invoke(args=["purge"]).exit_code == 0

        history = alice.get(f"{url}?total=true").get_json()
        kinds = [event["kind"] for event in history["items"]]
        assert (kinds, history["total"]) == (["created", "updated", "updated", "updated"], 4)
        assert history["complete"] is False
        assert history["items"][-1]["changes"]["title"][1] == f"T{round_number}5"
        assert len(events(app, "history-trimmed")) == 1
    of_short = alice.get(f"/api/v1/tasks/{short['id']}/history").get_json()
    assert of_short["complete"] is True


def test_the_events_of_a_project_show_where_older_ones_are_gone(
    alice: Client, shared: Json, app: Flask, allow: Allow
) -> None:
    allow(history_events_per_task=1)
    task = add(alice, project_id=shared["id"])
    for title in ("A", "B", "C"):
        alice.patch(f"/api/v1/tasks/{task['id']}", json={"title": title})

    assert app.test_cli_runner().invoke(args=["purge"]).exit_code == 0

    trail = alice.get(f"/api/v1/projects/{shared['id']}/events").get_json()["items"]
    kinds = [event["kind"] for event in trail if event["task_id"] == task["id"]]
    assert kinds == ["created", "history-trimmed", "updated"]


def test_what_was_trimmed_elsewhere_is_not_missed_here(
    alice: Client, bob: Client, shared: Json, app: Flask, allow: Allow
) -> None:
    """A task comes from an inbox: whoever never saw that sees all that they may."""
    allow(history_events_per_task=2)
    task = add(alice)
    url = f"/api/v1/tasks/{task['id']}"
    for title in ("A", "B", "C"):
        assert alice.patch(url, json={"title": title}).status_code == 200
    assert alice.patch(url, json={"project_id": shared["id"]}).status_code == 200

    assert app.test_cli_runner().invoke(args=["purge"]).exit_code == 0

    for client, complete in ((alice, False), (bob, True)):
        assert client.get(f"{url}/history").get_json()["complete"] is complete


def test_every_page_of_a_history_says_that_it_is_not_complete(
    alice: Client, task: Json, app: Flask, allow: Allow
) -> None:
    allow(history_events_per_task=3)
    for number in range(5):
        alice.patch(f"/api/v1/tasks/{task['id']}", json={"title": f"T{number}"})
    assert app.test_cli_runner().invoke(args=["purge"]).exit_code == 0

    titles, url = [], f"/api/v1/tasks/{task['id']}/history?limit=3"
    for count in (3, 1):
        page = alice.get(url)
        history = page.get_json()
        assert (len(history["items"]), history["complete"]) == (count, False)
        titles += [event["changes"]["title"][1] for event in history["items"]]
        url = f"/api/v1/tasks/{task['id']}/history?limit=3&cursor={history['next_cursor']}"
    assert titles == [task["title"], "T2", "T3", "T4"]
    assert history["next_cursor"] is None
