"""GET /api/v1/tasks/{task_id}/comments"""

from __future__ import annotations

from tests.conftest import Client, Json, named, refused


def test_lists_the_oldest_first_page_by_page(alice: Client, bob: Client, url: str) -> None:
    for author, body in ((bob, "Is it dry?"), (alice, "Yes."), (bob, "Watered.")):
        author.post(url, json={"body": body})

    first = alice.get(f"{url}?limit=2&total=true")
    page = first.get_json()
    rest = alice.get(url, query_string={"limit": 2, "cursor": page["next_cursor"]}).get_json()

    assert [comment["body"] for comment in page["items"]] == ["Is it dry?", "Yes."]
    assert page["total"] == 3
    assert 'rel="next"' in first.headers["Link"]
    assert [comment["body"] for comment in rest["items"]] == ["Watered."]
    assert rest["next_cursor"] is None


def test_lists_this_task_only(alice: Client, bobs: str, task: Json) -> None:
    assert alice.get(f"/api/v1/tasks/{task['id']}/comments").get_json()["items"] == []


def test_an_unchanged_list_is_304(alice: Client, bob: Client, url: str, bobs: str) -> None:
    have = {"If-None-Match": alice.get(url).headers["ETag"]}

    assert alice.get(url, headers=have).status_code == 304
    bob.delete(bobs)
    assert alice.get(url, headers=have).status_code == 200


def test_refuses_a_question_it_does_not_know(bob: Client, url: str) -> None:
    assert named(bob.get(f"{url}?limit=201")) == ["limit"]
    assert named(bob.get(f"{url}?sort=id")) == ["sort"]


def test_hides_other_peoples_comments(charlie: Client, url: str, bobs: str) -> None:
    assert refused(charlie.get(url)) == (404, "not-found")
    assert refused(charlie.get(bobs)) == (404, "not-found")
