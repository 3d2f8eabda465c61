"""GET /api/v1/changes"""

from __future__ import annotations

import datetime as dt
import random
import threading

import pytest
from flask import Flask

from tests.conftest import Client, Json, refused

URL = "/api/v1/changes"


class Follower:
    """A client that keeps a copy of all it may see, by polling."""

    def __init__(self, client: Client, limit: int = 50) -> None:
        self.client, self.limit = client, limit
        self.cursor, self.copy = "", dict[int, Json]()
        self.ever_seen: set[int] = set()

    def poll(self) -> Json:
        """Take one page."""
        cursor = f"&cursor={self.cursor}" if self.cursor else ""
        response = self.client.get(f"{URL}?limit={self.limit}{cursor}")
        assert response.status_code == 200, response.get_json()
        page: Json = response.get_json()
        shown = {task["id"]: task for task in page["tasks"]}
        assert len(page["tasks"]) <= self.limit
        assert not shown.keys() & set(page["deleted"])
        for task_id in page["deleted"]:
            self.copy.pop(task_id, None)
        self.copy |= shown
        self.cursor = page["next_cursor"]
        return page

    def catch_up(self) -> Json:
        while (page := self.poll())["has_more"]:
            pass
        return page


def everything(client: Client) -> dict[int, Json]:
    tasks, query = dict[int, Json](), "?limit=200"
    while query:
        page = client.get(f"/api/v1/tasks{query}").get_json()
        tasks |= {task["id"]: task for task in page["items"]}
        query = page["next_cursor"] and f"?limit=200&cursor={page['next_cursor']}"
    return tasks


@pytest.fixture
def follower(alice: Client) -> Follower:
    return Follower(alice)


def create(client: Client, **more: object) -> Json:
    made: Json = client.post("/api/v1/tasks", json={"title": "x", **more}).get_json()
    return made


def test_begins_with_all_there_is(follower: Follower, task: Json) -> None:
    page = follower.catch_up()

    assert (page["tasks"], page["deleted"], page["has_more"]) == ([task], [], False)
    assert follower.catch_up()["tasks"] == []


def test_tells_what_was_created_changed_and_deleted(follower: Follower, task: Json) -> None:
    follower.catch_up()
    child, other = create(follower.client, parent_id=task["id"]), create(follower.client)
    assert [t["id"] for t in follower.catch_up()["tasks"]] == [child["id"], other["id"]]
    follower.client.delete(f"/api/v1/tasks/{task['id']}")
    changed = follower.client.patch(f"/api/v1/tasks/{other['id']}", json={"title": "y"})

    page = follower.catch_up()

    assert page["tasks"] == [changed.get_json()]
    assert page["deleted"] == [task["id"], child["id"]]


def test_an_idle_poll_is_a_304_until_something_changes(alice: Client, task: Json) -> None:
    cursor = alice.get(URL).get_json()["next_cursor"]
    idle = alice.get(f"{URL}?cursor={cursor}")
    assert idle.get_json()["next_cursor"] == cursor
    tag = {"If-None-Match": idle.headers["ETag"]}
    assert alice.get(f"{URL}?cursor={cursor}", headers=tag).status_code == 304
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"priority": "high"})
    assert alice.get(f"{URL}?cursor={cursor}", headers=tag).get_json()["tasks"] != []


def test_pages_through_tasks_of_one_revision(alice: Client) -> None:
    operations = [{"op": "create", "body": {"title": f"{n}"}} for n in range(7)]
    alice.post("/api/v1/tasks/batch", json={"operations": operations})
    follower = Follower(alice, limit=3)

    sizes = [len(follower.poll()["tasks"]) for _ in range(4)]

    assert sizes == [3, 3, 1, 0]
    assert follower.copy == everything(alice)


def test_moves_in_and_out_of_sight_show(alice: Client, bob: Client, shared: Json) -> None:
    task, hers = create(alice, project_id=shared["id"]), create(alice)
    follower = Follower(bob)
    assert follower.catch_up()["tasks"] == [task]

    inbox = hers["project_id"]
    alice.patch(f"/api/v1/tasks/{task['id']}", json={"project_id": inbox})
    alice.patch(f"/api/v1/tasks/{hers['id']}", json={"project_id": shared["id"]})
    page = follower.catch_up()

    assert [t["id"] for t in page["tasks"]] == [hers["id"]]
    assert page["deleted"] == [task["id"]]


def test_joining_and_leaving_a_project_show(alice: Client, bob: Client, shared: Json) -> None:
    task, follower = create(alice, project_id=shared["id"]), Follower(bob)
    follower.catch_up()
    members = f"/api/v1/projects/{shared['id']}/members"

    alice.delete(f"{members}/{bob.user['id']}")
    unseen = create(alice, project_id=shared["id"])
    assert follower.catch_up()["deleted"] == [task["id"]]
    alice.post(members, json={"email": bob.user["email"], "role": "viewer"})

    assert {t["id"] for t in follower.catch_up()["tasks"]} == {task["id"], unseen["id"]}


def test_a_deleted_project_takes_its_tasks(alice: Client, bob: Client, shared: Json) -> None:
    task, follower = create(alice, project_id=shared["id"]), Follower(bob)
    follower.catch_up()

    alice.delete(f"/api/v1/projects/{shared['id']}")

    assert follower.catch_up()["deleted"] == [task["id"]]


def test_never_tells_the_id_of_what_was_never_seen(
    alice: Client, bob: Client, shared: Json
) -> None:
    follower = Follower(bob)
    follower.catch_up()
    alice.delete(f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}")
    unseen = create(alice, project_id=shared["id"])
    alice.delete(f"/api/v1/tasks/{unseen['id']}")
    create(alice, project_id=shared["id"])

    assert follower.catch_up()["deleted"] == []


def test_a_cursor_ends_with_what_is_kept_of_deletions(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower.catch_up()
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=30, seconds=1)
    monkeypatch.setattr("taskapp.sync.service.now", lambda: ahead)

    response = follower.client.get(f"{URL}?cursor={follower.cursor}")

    assert refused(response) == (410, "cursor-expired")


@pytest.mark.parametrize("cursor", ["x", "eyJ4IjoxfQ.abc", "%00"])
def test_refuses_a_damaged_cursor(alice: Client, cursor: str) -> None:
    assert refused(alice.get(f"{URL}?cursor={cursor}"))[0] == 422


def test_refuses_somebody_elses_cursor(follower: Follower, bob: Client) -> None:
    follower.catch_up()

    response = bob.get(f"{URL}?cursor={follower.cursor}")

    assert refused(response) == (422, "invalid-cursor")


@pytest.mark.parametrize("seed", [1, 2])
def test_followers_end_with_exactly_what_is_there(
    app: Flask, alice: Client, bob: Client, shared: Json, seed: int
) -> None:
    """Eight threads of two users write at random, also memberships, while both are followed."""
    secret = alice.post("/api/v1/projects", json={"name": "Hers"}).get_json()["id"]
    over = threading.Event()
    followers = [Follower(alice, limit=5), Follower(bob, limit=200)]
    failures: list[object] = []

    def follow(follower: Follower) -> None:
        while not over.wait(0.05):
            follower.poll()

    def write(number: int) -> None:
        dice = random.Random(seed * 100 + number)  # noqa: S311 - dice for a test
        client = (alice, bob)[number % 2]
        for _ in range(25):
            if number == 0 and dice.random() < 0.3:
                _change_membership(alice, bob, shared["id"])
            status = _write(dice, client, shared["id"], secret)
            # SQLite gives its lock to any of those who wait: on a busy machine one of them waits
            # for longer than ten seconds, and is told to come again. Nothing was written then.
            if status >= 500 and status != 503:
                failures.append(status)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    polls = [threading.Thread(target=follow, args=(f,)) for f in followers]
    for thread in (*polls, *threads):
        thread.start()
    _join(threads)
    over.set()
    _join(polls)

    assert failures == []
    for follower in followers:
        follower.catch_up()
        assert follower.copy == everything(follower.client)


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def _change_membership(alice: Client, bob: Client, project_id: int) -> None:
    url = f"/api/v1/projects/{project_id}/members"
    if alice.delete(f"{url}/{bob.user['id']}").status_code != 204:
        alice.post(url, json={"email": bob.user["email"], "role": "editor"})


def _write(dice: random.Random, client: Client, shared: int, secret: int) -> int:
    tasks = client.get("/api/v1/tasks?limit=20").get_json()["items"]
    body: Json = {"title": f"{dice.random()}"}
    if dice.random() < 0.5:
        body["project_id"] = dice.choice([shared, secret])
    if not tasks or dice.random() < 0.35:
        if tasks and dice.random() < 0.3:
            body |= {k: tasks[0][k] for k in ("project_id",)} | {"parent_id": tasks[0]["id"]}
        return client.post("/api/v1/tasks", json=body).status_code
    url = f"/api/v1/tasks/{dice.choice(tasks)['id']}"
    if dice.random() < 0.3:
        return client.delete(url).status_code
    return client.patch(url, json=body).status_code
