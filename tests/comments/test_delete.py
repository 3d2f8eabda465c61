"""DELETE /api/v1/tasks/{task_id}/comments/{comment_id}"""

from __future__ import annotations

from flask import Flask

from tests.conftest import Client, Json, demote, events, refused


def test_its_author_deletes_it(app: Flask, bob: Client, bobs: str, shared_task: Json) -> None:
    comment_id = bob.get(bobs).get_json()["id"]

    assert bob.delete(bobs).status_code == 204
    assert refused(bob.delete(bobs)) == (404, "not-found")
    (event,) = events(app, "comment-deleted")
    assert event["task_id"] == shared_task["id"]
    assert event["changes"] == {"comment_id": [comment_id, None]}


def test_an_owner_deletes_anyones(alice: Client, bobs: str) -> None:
    assert alice.delete(bobs).status_code == 204


def test_an_editor_deletes_none_but_their_own(alice: Client, bob: Client, url: str) -> None:
    hers = alice.post(url, json={"body": "Leave it."}).headers["Location"]

    assert refused(bob.delete(hers)) == (403, "forbidden")
    assert alice.get(hers).status_code == 200


def test_strangers_and_viewers_delete_nothing(
    alice: Client, bob: Client, charlie: Client, bobs: str, shared: Json
) -> None:
    assert refused(charlie.delete(bobs)) == (404, "not-found")
    demote(alice, bob, shared["id"])
    assert refused(bob.delete(bobs)) == (403, "forbidden")


def test_a_stale_deletion_is_refused(bob: Client, bobs: str) -> None:
    have = {"If-Match": bob.get(bobs).headers["ETag"]}
    bob.patch(bobs, json={"body": "It is dry."})

    assert refused(bob.delete(bobs, headers=have)) == (412, "precondition-failed")
    have = {"If-Match": f'"other", {bob.get(bobs).headers["ETag"]}'}
    assert bob.delete(bobs, headers=have).status_code == 204


def test_comments_go_with_their_task(bob: Client, bobs: str, shared_task: Json) -> None:
    bob.delete(f"/api/v1/tasks/{shared_task['id']}")

    assert refused(bob.get(bobs)) == (404, "not-found")
