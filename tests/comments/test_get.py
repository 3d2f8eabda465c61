"""GET /api/v1/tasks/{task_id}/comments/{comment_id}"""

from __future__ import annotations

from tests.conftest import Client, Json, refused


def test_shows_one_and_says_when_it_is_unchanged(alice: Client, bobs: str) -> None:
    shown = alice.get(bobs)

    assert shown.get_json()["body"] == "Is it dry?"
    assert alice.get(bobs, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    assert alice.head(bobs).headers["ETag"] == shown.headers["ETag"]


def test_a_comment_is_found_on_its_own_task_only(alice: Client, bobs: str, task: Json) -> None:
    elsewhere = f"/api/v1/tasks/{task['id']}/comments/{bobs.rpartition('/')[2]}"

    assert refused(alice.get(elsewhere)) == (404, "not-found")
    assert refused(alice.patch(elsewhere, json={"body": "Mine"})) == (404, "not-found")
    assert refused(alice.delete(elsewhere)) == (404, "not-found")
