"""POST /api/v1/tasks/{task_id}/comments"""

from __future__ import annotations

import pytest
from flask import Flask

from tests.conftest import Client, Json, demote, events, named, refused


def test_comments_and_says_where(bob: Client, url: str, shared_task: Json) -> None:
    made = bob.post(url, json={"body": "Is it dry?\n\tNo."})
    comment = made.get_json()
    found = bob.get(made.headers["Location"])

    assert made.status_code == 201
    assert made.headers["Location"] == f"http://localhost{url}/{comment['id']}"
    assert comment["body"] == "Is it dry?\n\tNo."
    assert comment["task_id"] == shared_task["id"]
    assert comment["created_by"] == bob.user["id"]
    assert comment["created_at"] == comment["updated_at"]
    assert found.get_json() == comment
    assert found.headers["ETag"] == made.headers["ETag"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/body"),
        ({"body": ""}, "/body"),
        ({"body": "x" * 10_001}, "/body"),
        ({"body": "a\x00b"}, "/body"),
        ({"body": 1}, "/body"),
        ({"body": None}, "/body"),
        ({"body": "x", "created_by": 1}, "/created_by"),
    ],
)
def test_names_what_is_wrong(bob: Client, url: str, body: Json, pointer: str) -> None:
    assert named(bob.post(url, json=body)) == [pointer]


def test_takes_ten_thousand_code_points(bob: Client, url: str) -> None:
    assert bob.post(url, json={"body": "🌱" * 10_000}).status_code == 201


def test_leaves_the_task_as_it_was(
    app: Flask, bob: Client, url: str, shared: Json, shared_task: Json
) -> None:
    before = bob.get(f"/api/v1/tasks/{shared_task['id']}")
    comment = bob.post(url, json={"body": "Is it dry?"}).get_json()
    after = bob.get(f"/api/v1/tasks/{shared_task['id']}")
    revision = bob.get(f"/api/v1/projects/{shared['id']}").get_json()["revision"]

    assert after.data == before.data
    assert after.headers["ETag"] == before.headers["ETag"]
    (event,) = events(app, "comment-created")
    assert event["revision"] == revision > shared_task["revision"]
    assert (event["task_id"], event["user_id"]) == (shared_task["id"], bob.user["id"])
    assert event["changes"] == {"comment_id": [None, comment["id"]]}


def test_a_retry_comments_once(bob: Client, url: str) -> None:
    key = {"Idempotency-Key": "fern-is-dry-1"}

    first = bob.post(url, json={"body": "Is it dry?"}, headers=key)
    again = bob.post(url, json={"body": "Is it dry?"}, headers=key)

    assert (again.status_code, again.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(bob.get(url).get_json()["items"]) == 1


def test_viewers_read_only(alice: Client, bob: Client, url: str, shared: Json) -> None:
    demote(alice, bob, shared["id"])

    assert refused(bob.post(url, json={"body": "Is it dry?"})) == (403, "forbidden")
    assert bob.get(url).status_code == 200


def test_hides_other_peoples_tasks(charlie: Client, anonymous: Client, url: str) -> None:
    assert refused(charlie.post(url, json={"body": "Hello"})) == (404, "not-found")
    assert refused(anonymous.post(url, json={"body": "Hello"})) == (401, "unauthorized")


def test_the_history_of_the_task_tells_of_it(bob: Client, bobs: str, shared_task: Json) -> None:
    bob.patch(bobs, json={"body": "It is dry."})
    bob.delete(bobs)
    told = bob.get(f"/api/v1/tasks/{shared_task['id']}/history").get_json()["items"]

    kinds = [event["kind"] for event in told]
    assert kinds == ["created", "comment-created", "comment-updated", "comment-deleted"]


def test_followers_of_changes_see_no_change_of_the_task(bob: Client, url: str) -> None:
    cursor = bob.get("/api/v1/changes").get_json()["next_cursor"]
    bob.post(url, json={"body": "Is it dry?"})
    page = bob.get("/api/v1/changes", query_string={"cursor": cursor}).get_json()

    assert (page["tasks"], page["deleted"], page["has_more"]) == ([], [], False)
