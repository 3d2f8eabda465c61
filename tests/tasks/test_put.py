"""PUT /api/v1/projects/{id}/tasks/by-external-id/{external_id}"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.conftest import Client, Json, named, refused


@pytest.fixture
def url(shared: Json) -> str:
    return f"/api/v1/projects/{shared['id']}/tasks/by-external-id"


def test_creates_then_changes_then_leaves_alone(alice: Client, url: str, shared: Json) -> None:
    made = alice.put(f"{url}/crm-1", json={"title": "Call"})
    changed = alice.put(f"{url}/crm-1", json={"title": "Call back", "priority": "high"})
    same = alice.put(f"{url}/crm-1", json={"title": "Call back"})
    task = made.get_json()

    assert (made.status_code, changed.status_code, same.status_code) == (201, 200, 200)
    assert made.headers["Location"] == f"http://localhost/api/v1/tasks/{task['id']}"
    assert (task["external_id"], task["project_id"]) == ("crm-1", shared["id"])
    assert changed.get_json()["priority"] == "high"
    assert same.get_json() == changed.get_json()
    assert alice.get(f"/api/v1/tasks/{task['id']}").headers["ETag"] == same.headers["ETag"]


@pytest.mark.parametrize(
    "key", ["crm/4711", "a b", "ключ", "100%", "?q=#f", "//", "…" * 200, "..%2F", "\n", "a\nb"]
)
def test_any_text_is_a_key(alice: Client, url: str, key: str) -> None:
    response = alice.put(f"{url}/{quote(key, safe='')}", json={"title": "x"})

    assert response.status_code == 201
    assert response.get_json()["external_id"] == key


@pytest.mark.parametrize("key", ["%00", "x" * 201, "%ED%A0%80%00", "caf%E9", "%ff"])
def test_what_is_no_text_is_no_key(alice: Client, url: str, key: str) -> None:
    assert named(alice.put(f"{url}/{key}", json={"title": "x"})) == ["/external_id"]


@pytest.mark.parametrize("field", ["project_id", "external_id", "id", "color"])
def test_the_address_says_project_and_key(alice: Client, url: str, field: str) -> None:
    assert named(alice.put(f"{url}/a", json={"title": "x", field: 1})) == [f"/{field}"]


def test_wants_a_title_whether_or_not_it_is_there(alice: Client, url: str) -> None:
    assert named(alice.put(f"{url}/a", json={})) == ["/title"]


def test_is_conditional(alice: Client, url: str) -> None:
    only_new, body = {"If-None-Match": "*"}, {"title": "x"}
    nothing = alice.put(f"{url}/a", json=body, headers={"If-Match": "*"})
    made = alice.put(f"{url}/a", json=body, headers=only_new)
    there = alice.put(f"{url}/a", json=body, headers=only_new)
    fresh = {"If-Match": made.headers["ETag"]}
    changed = alice.put(f"{url}/a", json={"title": "y"}, headers=fresh)
    stale = alice.put(f"{url}/a", json={"title": "z"}, headers=fresh)

    assert [made.status_code, changed.status_code] == [201, 200]
    for response in (nothing, there, stale):
        assert refused(response) == (412, "precondition-failed")


def test_hides_the_project_from_others(charlie: Client, url: str) -> None:
    assert refused(charlie.put(f"{url}/a", json={"title": "x"})) == (404, "not-found")


def test_of_many_at_once_one_creates(alice: Client, url: str) -> None:
    def put(number: int) -> int:
        return alice.put(f"{url}/same", json={"title": f"{number}"}).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(put, range(16)))

    assert statuses == [200] * 15 + [201]
    assert len(alice.get("/api/v1/tasks").get_json()["items"]) == 1
