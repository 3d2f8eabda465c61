"""POST /api/v1/tasks/batch"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask

from tests.conftest import Client, Json, named, refused

URL = "/api/v1/tasks/batch"


def batch(client: Client, *operations: Json) -> list[Json]:
    response = client.post(URL, json={"operations": operations})
    assert response.status_code == 200, response.get_json()
    return list(response.get_json()["results"])


def create(title: str, **more: object) -> Json:
    return {"op": "create", "body": {"title": title, **more}}


def titles(client: Client) -> list[str]:
    return [item["title"] for item in client.get("/api/v1/tasks?sort=id").get_json()["items"]]


def test_carries_out_everything_in_order(alice: Client, task: Json) -> None:
    made, changed, gone = batch(
        alice,
        create("Prune", labels=["Garden"]),
        {"op": "update", "id": task["id"], "body": {"status": "done"}},
        {"op": "delete", "id": task["id"], "revision": task["revision"] + 1},
    )

    assert made["task"]["labels"] == ["Garden"]
    assert alice.get(f"/api/v1/tasks/{made['id']}").get_json() == made["task"]
    assert changed["task"]["completed_at"] is not None
    assert gone == {"op": "delete", "id": task["id"]}
    assert titles(alice) == ["Prune"]


def test_takes_one_revision_of_each_project(alice: Client, shared: Json) -> None:
    results = batch(alice, *[create(f"{n}", project_id=shared["id"]) for n in range(5)])

    assert {result["task"]["revision"] for result in results} == {shared["revision"] + 1}


@pytest.mark.parametrize(
    ("operation", "status", "code", "pointer"),
    [
        ({"op": "update", "id": 999999, "body": {}}, 404, "not-found", "/operations/1"),
        ({"op": "delete", "id": 999999}, 404, "not-found", "/operations/1"),
        (create("x", project_id=999999), 404, "not-found", "/operations/1"),
        (create("x", assignee_id=999999), 404, "not-found", "/operations/1/body/assignee_id"),
        (create("x", external_id="taken"), 409, "conflict", "/operations/1/body/external_id"),
        (create(""), 422, "validation-error", "/operations/1/body/title"),
        ({"op": "create", "body": {}}, 422, "validation-error", "/operations/1/body/title"),
        ({"op": "update", "body": {}}, 422, "validation-error", "/operations/1/id"),
        ({"op": "delete", "id": 1, "body": {}}, 422, "validation-error", "/operations/1/body"),
        ({"op": "explode"}, 422, "validation-error", "/operations/1/op"),
        ({"op": []}, 422, "validation-error", "/operations/1/op"),
        ("delete", 422, "validation-error", "/operations/1/op"),
    ],
)
def test_refuses_all_as_one_operation_would_be(
    alice: Client, operation: Json, status: int, code: str, pointer: str
) -> None:
    alice.post("/api/v1/tasks", json={"title": "First", "external_id": "taken"})

    response = alice.post(URL, json={"operations": [create("Second"), operation]})

    assert refused(response) == (status, code)
    assert response.get_json()["errors"][0]["pointer"] == pointer
    assert titles(alice) == ["First"]


def test_a_stale_revision_is_412(alice: Client, task: Json) -> None:
    stale = {"op": "update", "id": task["id"], "revision": task["revision"] + 7, "body": {}}

    response = alice.post(URL, json={"operations": [create("Second"), stale]})

    assert refused(response) == (412, "precondition-failed")
    assert titles(alice) == [task["title"]]


def test_a_service_that_wants_if_match_wants_revisions(
    app: Flask, alice: Client, task: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = replace(app.extensions["taskapp"], require_if_match=True)
    monkeypatch.setitem(app.extensions, "taskapp", strict)
    seen = {"op": "update", "id": task["id"], "revision": task["revision"], "body": {}}

    for blind in (
        {"op": "update", "id": task["id"], "body": {}},
        {"op": "delete", "id": task["id"]},
    ):
        response = alice.post(URL, json={"operations": [create("x"), blind]})
        assert refused(response) == (428, "precondition-required")
        assert response.get_json()["errors"][0]["pointer"] == "/operations/1"
    batch(alice, create("x"), seen)


def test_a_viewer_may_not(alice: Client, bob: Client, shared: Json) -> None:
    member = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"
    alice.patch(member, json={"role": "viewer"})

    response = bob.post(URL, json={"operations": [create("x", project_id=shared["id"])]})

    assert refused(response) == (403, "forbidden")


@pytest.mark.parametrize("count", [0, 501])
def test_takes_1_to_500_operations(alice: Client, count: int) -> None:
    assert named(alice.post(URL, json={"operations": [create("x")] * count})) == ["/operations"]


def test_what_changes_nothing_takes_no_revision(alice: Client, task: Json) -> None:
    (same,) = batch(alice, {"op": "update", "id": task["id"], "body": {"title": task["title"]}})

    assert same["task"] == task
    assert alice.post("/api/v1/tasks", json={"title": "x"}).get_json()["revision"] == (
        task["revision"] + 1
    )


def test_moves_between_projects(alice: Client, shared: Json, task: Json) -> None:
    move = {"op": "update", "id": task["id"], "body": {"project_id": shared["id"]}}
    rename = {"op": "update", "id": task["id"], "body": {"title": "Moved"}}

    _, renamed = batch(alice, move, rename)

    assert (renamed["task"]["project_id"], renamed["task"]["title"]) == (shared["id"], "Moved")


def test_batches_that_lock_each_other_out_are_tried_again(alice: Client, shared: Json) -> None:
    tasks = [create("Mine"), create("Ours", project_id=shared["id"])]
    ids = [result["id"] for result in batch(alice, *tasks)]

    def rename(number: int) -> int:
        order = ids if number % 2 else ids[::-1]
        body = {"title": f"{number}"}
        changes = [{"op": "update", "id": task_id, "body": body} for task_id in order]
        return alice.post(URL, json={"operations": changes}).status_code

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(rename, range(8))) == {200}
