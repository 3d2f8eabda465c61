"""POST /api/v1/tasks/{id}/restore, and the trail of what was deleted"""

from __future__ import annotations

import datetime as dt
from io import BytesIO

import hypothesis
import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import strategies as st

from taskapp.extensions import db
from taskapp.ops.purge import purge
from tests.conftest import Client, Json, add, demote, made, named, refused

URL = "/api/v1/tasks"
CHANGES = "/api/v1/changes"


def delete(client: Client, task: Json) -> None:
    assert client.delete(f"{URL}/{task['id']}").status_code == 204


def restore(client: Client, task: Json) -> Json:
    response = client.post(f"{URL}/{task['id']}/restore")
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def without_stamps(task: Json) -> Json:
    return {name: task[name] for name in task.keys() - {"revision", "updated_at"}}


def test_brings_back_all_of_a_task_and_of_what_was_below_it(
    alice: Client, bob: Client, shared: Json
) -> None:
    root = add(
        alice,
        "Fern",
        project_id=shared["id"],
        external_id="crm-1",
        description="Water it",
        labels=["Home", "garden"],
        priority="high",
        due_on="2030-05-17",
        assignee_id=bob.user["id"],
        status="done",
        reminders=["-PT1H"],
    )
    child = add(bob, "Pot", project_id=shared["id"], parent_id=root["id"])
    leaf = add(bob, "Soil", project_id=shared["id"], parent_id=child["id"])
    url = f"{URL}/{root['id']}"
    alice.post(f"{url}/comments", json={"body": "Twice a week"})
    file = {"file": (BytesIO(b"a fern"), "fern.txt")}
    attachment = alice.post(f"{url}/attachments", data=file).headers["Location"]
    cursor = alice.get(CHANGES).get_json()["next_cursor"]
    delete(alice, root)
    told = alice.get(f"{CHANGES}?cursor={cursor}").get_json()
    assert set(told["deleted"]) == {root["id"], child["id"], leaf["id"]}

    restored = restore(bob, root)

    assert without_stamps(restored) == without_stamps(root)
    assert restored["revision"] > root["revision"]
    for task in (child, leaf):
        again = alice.get(f"{URL}/{task['id']}").get_json()
        assert without_stamps(again) == without_stamps(task)
    assert alice.get(f"{url}/comments").get_json()["items"][0]["body"] == "Twice a week"
    assert alice.get(attachment).data == b"a fern"
    page = alice.get(f"{CHANGES}?cursor={told['next_cursor']}").get_json()
    assert {task["id"] for task in page["tasks"]} == {root["id"], child["id"], leaf["id"]}
    assert page["deleted"] == []
    since = alice.get(f"{CHANGES}?cursor={cursor}").get_json()
    assert since["deleted"] == []
    assert alice.get(f"{URL}?label=home").get_json()["items"][0]["id"] == root["id"]
    assert alice.get(f"{URL}?q=soil").get_json()["items"][0]["id"] == leaf["id"]


def test_a_task_that_is_there_is_not_restored(alice: Client, task: Json) -> None:
    assert refused(alice.post(f"{URL}/{task['id']}/restore")) == (409, "conflict")
    delete(alice, task)
    restore(alice, task)
    assert refused(alice.post(f"{URL}/{task['id']}/restore")) == (409, "conflict")


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_viewer_restores_nothing(
    alice: Client, bob: Client, shared: Json, shared_task: Json, is_deleted: bool
) -> None:
    demote(alice, bob, shared["id"])
    if is_deleted:
        delete(alice, shared_task)

    response = bob.post(f"{URL}/{shared_task['id']}/restore")

    assert refused(response) == (403, "forbidden")


def test_others_cannot_tell_that_there_was_one(alice: Client, charlie: Client, task: Json) -> None:
    live = refused(charlie.post(f"{URL}/{task['id']}/restore"))
    delete(alice, task)

    assert refused(charlie.post(f"{URL}/{task['id']}/restore")) == live == (404, "not-found")
    assert refused(alice.post(f"{URL}/999999/restore")) == (404, "not-found")
    assert refused(charlie.get(f"{URL}/{task['id']}/history")) == (404, "not-found")


def test_what_was_deleted_elsewhere_since_is_out_of_reach(
    alice: Client, bob: Client, shared: Json
) -> None:
    """Bob saw an earlier deletion; what Alice did with the task in her inbox is none of his"""
    task = add(alice, project_id=shared["id"])
    delete(alice, task)
    restore(alice, task)
    url = f"{URL}/{task['id']}"
    assert alice.patch(url, json={"project_id": alice.user["inbox_id"]}).status_code == 200
    made(alice, f"tasks/{task['id']}/comments", body="Only for me.")
    delete(alice, task)

    assert refused(bob.post(f"{url}/restore")) == (404, "not-found")
    assert refused(bob.get(f"{url}/comments")) == (404, "not-found")
    assert refused(bob.get(f"{url}/history")) == (404, "not-found")
    assert restore(alice, task)["project_id"] == alice.user["inbox_id"]
    assert refused(bob.get(f"{url}/history")) == (404, "not-found")


def test_what_was_deleted_with_its_project_since_is_out_of_reach(
    alice: Client, bob: Client, shared: Json
) -> None:
    task = add(alice, project_id=shared["id"])
    delete(alice, task)
    restore(alice, task)
    other = made(alice, "projects", name="Mine")
    url = f"{URL}/{task['id']}"
    assert alice.patch(url, json={"project_id": other["id"]}).status_code == 200
    assert alice.delete(f"/api/v1/projects/{other['id']}").status_code == 204

    assert refused(bob.post(f"{url}/restore")) == (404, "not-found")
    assert refused(bob.get(f"{url}/history")) == (404, "not-found")


def test_a_child_waits_for_its_parent(alice: Client) -> None:
    parent = add(alice)
    child = add(alice, parent_id=parent["id"])
    delete(alice, child)
    delete(alice, parent)

    assert refused(alice.post(f"{URL}/{child['id']}/restore")) == (409, "conflict")
    restore(alice, parent)
    assert restore(alice, child)["parent_id"] == parent["id"]


def test_a_key_that_somebody_took_meanwhile_is_a_conflict(alice: Client) -> None:
    task = add(alice, external_id="crm-1")
    delete(alice, task)
    other = add(alice, external_id="crm-1")

    response = alice.post(f"{URL}/{task['id']}/restore")

    assert refused(response) == (409, "conflict")
    assert str(other["id"]) in response.get_json()["detail"]


def test_who_left_is_not_assigned_again(alice: Client, bob: Client, shared: Json) -> None:
    task = add(alice, project_id=shared["id"], assignee_id=bob.user["id"])
    delete(alice, task)
    members = f"/api/v1/projects/{shared['id']}/members"
    assert alice.delete(f"{members}/{bob.user['id']}").status_code == 204

    assert restore(alice, task)["assignee_id"] is None


def test_a_task_of_a_deleted_project_is_gone(alice: Client, shared: Json) -> None:
    task = add(alice, project_id=shared["id"])
    delete(alice, task)
    assert alice.delete(f"/api/v1/projects/{shared['id']}").status_code == 204

    assert refused(alice.post(f"{URL}/{task['id']}/restore")) == (404, "not-found")


def test_the_trail_of_a_deleted_task_can_be_read(alice: Client, task: Json) -> None:
    delete(alice, task)

    events = alice.get(f"{URL}/{task['id']}/history").get_json()["items"]

    assert [event["kind"] for event in events] == ["created", "deleted"]
    assert events[-1]["changes"]["title"] == [task["title"], None]


def test_a_deleted_event_holds_what_created_held(alice: Client, shared: Json) -> None:
    empty = {"description": "", "labels": [], "reminders": [], "due_at": None}
    fields = {"project_id": shared["id"], "external_id": "crm-1", "due_on": "2030-05-17"}
    task = add(alice, **fields, **empty)
    delete(alice, task)

    created, deleted = alice.get(f"{URL}/{task['id']}/history").get_json()["items"]

    assert created["changes"].keys() == {"title", *fields}
    for name, (nothing, value) in created["changes"].items():
        assert nothing is None
        assert deleted["changes"][name] == [value, None]
    restore(alice, task)
    restored = alice.get(f"{URL}/{task['id']}/history").get_json()["items"][-1]
    assert restored["changes"]["project_id"] == [None, shared["id"]]
    assert [None, None] not in restored["changes"].values()


def test_purge_ends_it_all(
    app: Flask, alice: Client, task: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{URL}/{task['id']}"
    alice.post(f"{url}/comments", json={"body": "Twice a week"})
    file = {"file": (BytesIO(b"a fern"), "fern.txt")}
    assert alice.post(f"{url}/attachments", data=file).status_code == 201
    delete(alice, task)
    with app.app_context():
        purge()
        assert _left() == {"comments": 1, "attachments": 1}
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=31)
    monkeypatch.setattr("taskapp.tasks.undo.now", lambda: ahead)
    assert refused(alice.post(f"{url}/restore")) == (404, "not-found")
    monkeypatch.setattr("taskapp.ops.purge.now", lambda: ahead)
    with app.app_context():
        purge()
        assert _left() == {"comments": 0, "attachments": 0}

    assert refused(alice.get(f"{url}/history")) == (404, "not-found")


def _left() -> dict[str, int]:
    with db.engine.connect() as connection:
        return {
            name: connection.scalar(sa.text(f"SELECT count(*) FROM {name}"))  # noqa: S608
            for name in ("comments", "attachments")
        }


def test_the_events_of_a_project_go_on_at_a_cursor(
    alice: Client, bob: Client, shared: Json
) -> None:
    url = f"/api/v1/projects/{shared['id']}/events"
    task = add(alice, project_id=shared["id"])
    first = alice.get(f"{url}?limit=2").get_json()
    rest = alice.get(f"{url}?cursor={first['next_cursor']}").get_json()

    kinds = [event["kind"] for event in [*first["items"], *rest["items"]]]
    assert kinds == ["project-created", "member-added", "created"]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    assert rest["items"][0]["task_id"] == task["id"]
    delete(bob, task)
    new = alice.get(f"{url}?cursor={rest['next_cursor']}").get_json()
    assert [(event["kind"], event["user_id"]) for event in new["items"]] == [
        ("deleted", bob.user["id"])
    ]


def test_a_key_of_ones_own_reads_changes_and_deletes(alice: Client, shared: Json) -> None:
    url = f"/api/v1/projects/{shared['id']}/tasks/by-external-id/crm%2F1"
    assert refused(alice.get(url)) == (404, "not-found")
    task = add(alice, project_id=shared["id"], external_id="crm/1")

    got = alice.get(url)
    assert got.get_json() == task
    assert got.headers["ETag"] == f'"{shared["id"]}-{task["revision"]}"'
    changed = alice.patch(url, json={"title": "Moss"}, headers={"If-Match": got.headers["ETag"]})
    assert changed.get_json()["title"] == "Moss"
    stale = alice.patch(url, json={"title": "x"}, headers={"If-Match": got.headers["ETag"]})
    assert refused(stale) == (412, "precondition-failed")
    assert alice.get(f"{URL}?external_id=crm/1").get_json()["items"][0]["id"] == task["id"]
    assert alice.delete(url).status_code == 204
    assert refused(alice.delete(url)) == (404, "not-found")


def test_a_conflict_names_the_other_task(alice: Client) -> None:
    taken = add(alice, external_id="crm-1")
    other = add(alice)

    for response in (
        alice.post(URL, json={"title": "Prune", "external_id": "crm-1"}),
        alice.patch(f"{URL}/{other['id']}", json={"external_id": "crm-1"}),
    ):
        assert refused(response) == (409, "conflict")
        reason = response.get_json()["errors"][0]
        assert reason["pointer"] == "/external_id"
        assert str(taken["id"]) in reason["detail"]


def test_a_batch_upserts(alice: Client) -> None:
    inbox = alice.user["inbox_id"]
    operation = {"op": "upsert", "project_id": inbox, "external_id": "crm-1"}

    def upsert(**body: object) -> Json:
        operations = {"operations": [{**operation, "body": body}]}
        response = alice.post(f"{URL}/batch", json=operations)
        return dict(response.get_json())

    first = upsert(title="Prune")["results"][0]
    again = upsert(priority="high")["results"][0]

    assert first["id"] == again["id"]
    assert (again["task"]["title"], again["task"]["priority"]) == ("Prune", "high")
    missing = {"operations": [{**operation, "external_id": "crm-2", "body": {}}]}
    assert named(alice.post(f"{URL}/batch", json=missing)) == ["/operations/0/body/title"]


DAILY = {"rule": "FREQ=DAILY", "from": "due", "timezone": "Europe/Berlin"}
TEXTS = st.sampled_from(["Water the fern", "Öl & \u4e2d\u6587", "50 % off_", "'quoted'"])
FIELDS = st.fixed_dictionaries(
    {"title": TEXTS},
    optional={
        "description": TEXTS,
        "status": st.sampled_from(["todo", "in_progress", "done", "cancelled"]),
        "priority": st.sampled_from(["none", "low", "urgent"]),
        "labels": st.sampled_from([[], ["home"], ["Garden", "home"]]),
    },
)
DATES = st.sampled_from(
    [
        {},
        {"due_on": "2030-05-17"},
        {"due_at": "2030-05-17T08:00:00Z", "reminders": ["-PT1H", "2031-01-01T00:00:00Z"]},
        {"due_on": "2030-05-17", "repeat": DAILY},
    ]
)
# What each task has, and below which of those before it it stands.
TREES = st.lists(st.tuples(FIELDS, DATES, st.integers(0, 7)), min_size=1, max_size=8)


def shown(client: Client, project: Json) -> dict[int, Json]:
    tasks = client.get(f"{URL}?project_id={project['id']}").get_json()["items"]
    return {task["id"]: without_stamps(task) for task in tasks}


@hypothesis.settings(max_examples=15)
@hypothesis.given(TREES)
def test_any_tree_comes_back_as_it_was(alice: Client, tree: list[tuple[Json, Json, int]]) -> None:
    project = made(alice, "projects", name="Garden")
    tasks: list[Json] = []
    for fields, dates, place in tree:
        below = {"parent_id": tasks[place % len(tasks)]["id"]} if tasks else {}
        tasks.append(add(alice, **fields, **dates, **below, project_id=project["id"]))
    before = shown(alice, project)
    cursor = synchronized(alice)

    delete(alice, tasks[0])
    gone = before.keys() - shown(alice, project).keys()  # a next occurrence below it as well
    restored = restore(alice, tasks[0])

    assert gone >= {task["id"] for task in tasks}
    assert shown(alice, project) == before
    changes = alice.get(f"{CHANGES}?limit=200&cursor={cursor}").get_json()
    assert {task["id"] for task in changes["tasks"]} == gone
    assert {task["revision"] for task in changes["tasks"]} == {restored["revision"]}
    for task_id in gone:
        kinds = [event["kind"] for event in history(alice, task_id)]
        assert kinds == ["created", "deleted", "restored"]


def synchronized(client: Client) -> str:
    """The cursor of somebody who has read all changes."""
    cursor = ""
    while True:
        page = client.get(f"{CHANGES}?limit=200{cursor}").get_json()
        if not page["has_more"]:
            return str(page["next_cursor"])
        cursor = f"&cursor={page['next_cursor']}"


def history(client: Client, task_id: int) -> list[Json]:
    events = client.get(f"{URL}/{task_id}/history").get_json()["items"]
    return list(events)
