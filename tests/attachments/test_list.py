"""GET /api/v1/tasks/{task_id}/attachments"""

from __future__ import annotations

from tests.attachments.conftest import Attach
from tests.conftest import Client, Json, demote, refused


def test_lists_the_oldest_first_page_by_page(alice: Client, attach: Attach, url: str) -> None:
    made = [attach(name=name).get_json() for name in ("a.txt", "b.txt", "c.txt")]

    page = alice.get(f"{url}?limit=2&total=true").get_json()
    rest = alice.get(url, query_string={"limit": 2, "cursor": page["next_cursor"]}).get_json()

    assert page["items"] + rest["items"] == made
    assert (page["total"], rest["next_cursor"]) == (3, None)


def test_viewers_see_them(alice: Client, bob: Client, bobs: str, url: str, shared: Json) -> None:
    demote(alice, bob, shared["id"])

    assert len(bob.get(url).get_json()["items"]) == 1


def test_hides_other_peoples_lists(charlie: Client, bobs: str, url: str) -> None:
    assert refused(charlie.get(url)) == (404, "not-found")
