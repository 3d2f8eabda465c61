"""PATCH /api/v1/tasks/{task_id}/comments/{comment_id}"""

from __future__ import annotations

from flask import Flask

from tests.conftest import Client, Json, demote, events, named, refused


def test_its_author_changes_a_comment(app: Flask, bob: Client, bobs: str) -> None:
    before = bob.get(bobs)
    changed = bob.patch(bobs, json={"body": "It is dry."})
    comment = changed.get_json()

    assert comment["body"] == "It is dry."
    assert comment["updated_at"] > before.get_json()["updated_at"]
    assert comment["created_at"] == before.get_json()["created_at"]
    assert bob.get(bobs).headers["ETag"] == changed.headers["ETag"] != before.headers["ETag"]
    (event,) = events(app, "comment-updated")
    assert event["changes"] == {"comment_id": [comment["id"], comment["id"]]}


def test_nothing_to_change_changes_nothing(alice: Client, bob: Client, bobs: str) -> None:
    before, projects = bob.get(bobs), alice.get("/api/v1/projects").data

    for body in ({}, {"body": "Is it dry?"}):
        assert bob.patch(bobs, json=body).data == before.data
    assert alice.get("/api/v1/projects").data == projects


def test_nobody_else_changes_it_not_even_an_owner(
    alice: Client, charlie: Client, bobs: str
) -> None:
    assert refused(alice.patch(bobs, json={"body": "Mine"})) == (403, "forbidden")
    assert refused(charlie.patch(bobs, json={"body": "Mine"})) == (404, "not-found")


def test_its_author_must_still_be_an_editor(
    alice: Client, bob: Client, bobs: str, shared: Json
) -> None:
    demote(alice, bob, shared["id"])

    assert refused(bob.patch(bobs, json={"body": "Mine"})) == (403, "forbidden")


def test_a_stale_change_is_refused(bob: Client, bobs: str) -> None:
    have = {"If-Match": bob.get(bobs).headers["ETag"]}

    assert bob.patch(bobs, json={"body": "One"}, headers=have).status_code == 200
    stale = bob.patch(bobs, json={"body": "Two"}, headers=have)
    assert refused(stale) == (412, "precondition-failed")
    assert bob.get(bobs).get_json()["body"] == "One"
    assert bob.patch(bobs, json={"body": "Two"}, headers={"If-Match": "*"}).status_code == 200


def test_names_what_is_wrong(bob: Client, bobs: str) -> None:
    assert named(bob.patch(bobs, json={"body": "", "task_id": 2})) == ["/body", "/task_id"]
