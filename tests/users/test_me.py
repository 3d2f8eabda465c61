"""GET, PATCH, DELETE /api/v1/users/me"""

from __future__ import annotations

import pytest

from tests.conftest import PASSWORD, Client, Json, named, refused

URL = "/api/v1/users/me"


def test_shows_myself(alice: Client) -> None:
    response = alice.get(URL)

    assert response.get_json() == alice.user
    assert response.headers["Cache-Control"] == "private, no-cache"


def test_changes_my_name(alice: Client) -> None:
    response = alice.patch(URL, json={"name": " Alicia "})

    assert response.get_json()["name"] == "Alicia"
    assert alice.get(URL).get_json() == response.get_json()
    assert response.get_json()["updated_at"] > alice.user["updated_at"]


def test_nothing_sent_changes_nothing(alice: Client) -> None:
    assert alice.patch(URL, json={}).get_json() == alice.user
    assert alice.patch(URL, json={"name": alice.user["name"]}).get_json() == alice.user


def test_a_new_address_wants_my_password(alice: Client, anonymous: Client) -> None:
    new = {"email": "alicia@example.com"}

    assert named(alice.patch(URL, json=new)) == ["/current_password"]
    wrong = alice.patch(URL, json={**new, "current_password": "not that one, sorry"})
    assert refused(wrong) == (401, "wrong-credentials")
    changed = alice.patch(URL, json={**new, "current_password": PASSWORD})
    assert (changed.status_code, changed.get_json()["email_verified"]) == (200, False)
    login = {**new, "password": PASSWORD}
    assert anonymous.post("/api/v1/auth/login", json=login).status_code == 200


def test_an_address_that_is_taken_is_refused(alice: Client) -> None:
    body = {"email": "BOB@example.com", "current_password": PASSWORD}

    assert refused(alice.patch(URL, json=body)) == (409, "email-taken")
    assert alice.get(URL).get_json() == alice.user


@pytest.mark.parametrize(
    "field", ["role", "is_active", "email_verified", "id", "password", "created_at"]
)
def test_cannot_promote_myself(alice: Client, field: str) -> None:
    assert named(alice.patch(URL, json={field: "admin"})) == [f"/{field}"]


@pytest.mark.parametrize("name", [None, "", "  ", 5, "n" * 201])
def test_refuses_bad_names(alice: Client, name: object) -> None:
    assert named(alice.patch(URL, json={"name": name})) == ["/name"]


def test_never_overwrites_what_it_has_not_seen(alice: Client) -> None:
    tag = alice.get(URL).headers["ETag"]

    first = alice.patch(URL, json={"name": "One"}, headers={"If-Match": tag})
    second = alice.patch(URL, json={"name": "Two"}, headers={"If-Match": tag})

    assert first.status_code == 200
    assert refused(second) == (412, "precondition-failed")
    assert alice.get(URL, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_deleting_myself_wants_my_password(alice: Client) -> None:
    assert named(alice.delete(URL, json={})) == ["/current_password"]
    wrong = alice.delete(URL, json={"current_password": "not that one, sorry"})
    assert refused(wrong) == (401, "wrong-credentials")
    assert alice.get(URL).status_code == 200


def test_deleting_myself_takes_what_only_i_see(alice: Client, bob: Client, shared: Json) -> None:
    shared_task = {"title": "Prune", "project_id": shared["id"], "assignee_id": alice.user["id"]}
    task = alice.post("/api/v1/tasks", json=shared_task).get_json()
    owner = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"

    last_owner = alice.delete(URL, json={"current_password": PASSWORD})
    assert refused(last_owner) == (409, "conflict")
    assert alice.patch(owner, json={"role": "owner"}).status_code == 200
    assert alice.delete(URL, json={"current_password": PASSWORD}).status_code == 204

    assert refused(alice.get(URL)) == (401, "token-revoked")
    kept = bob.get(f"/api/v1/tasks/{task['id']}").get_json()
    assert (kept["assignee_id"], kept["created_by"]) == (None, alice.user["id"])
    assert kept["revision"] > task["revision"]
