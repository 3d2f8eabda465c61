"""/api/v1/projects/{id}/members: who is in, and as what"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import PASSWORD, Client, Json, add, made, named, refused


def url_of(project: Json, *client: Client) -> str:
    ids = "".join(f"/{who.user['id']}" for who in client)
    return f"/api/v1/projects/{project['id']}/members{ids}"


def test_adds_by_address_and_shows_who_is_in(alice: Client, bob: Client, shared: Json) -> None:
    response = alice.post(url_of(shared), json={"email": "CHARLIE@example.com", "role": "viewer"})
    member = response.get_json()

    assert response.status_code == 201
    assert response.headers["Location"] == f"http://localhost{url_of(shared)}/{member['user_id']}"
    got = alice.get(response.headers["Location"])
    assert (got.get_json(), got.headers["ETag"]) == (member, response.headers["ETag"])
    assert (member["email"], member["name"]) == ("charlie@example.com", "Charlie")
    roles = [(item["name"], item["role"]) for item in bob.get(url_of(shared)).get_json()["items"]]
    assert roles == [("Alice", "owner"), ("Bob", "editor"), ("Charlie", "viewer")]


def test_each_sees_the_project_with_their_own_role(
    alice: Client, bob: Client, shared: Json
) -> None:
    theirs = bob.get(f"/api/v1/projects/{shared['id']}").get_json()

    assert (shared["role"], theirs["role"]) == ("owner", "editor")
    assert {**theirs, "role": "owner"} == shared


def test_adds_nobody_twice_and_nobody_who_is_not_there(
    alice: Client, admin: Client, charlie: Client, shared: Json
) -> None:
    again = alice.post(url_of(shared), json={"email": "bob@example.com", "role": "viewer"})
    assert refused(again) == (409, "conflict")
    admin.patch(f"/api/v1/users/{charlie.user['id']}", json={"is_active": False})
    for email in ("nobody@example.com", charlie.user["email"]):
        response = alice.post(url_of(shared), json={"email": email, "role": "viewer"})
        assert refused(response) == (404, "not-found")


def test_an_address_that_looks_alike_is_somebody_elses(
    alice: Client, admin: Client, shared: Json
) -> None:
    user = {"name": "Bob", "password": PASSWORD}
    made(admin, "users", email="bob@stra\u00dfe.example", **user)
    url = url_of(shared)

    other = {"email": "bob@strasse.example", "role": "editor"}
    assert refused(alice.post(url, json=other)) == (404, "not-found")
    same = {"email": "Bob@Stra\u00dfe.example", "role": "editor"}
    assert alice.post(url, json=same).status_code == 201


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, ["/email", "/role"]),
        ({"email": "nobody", "role": "boss"}, ["/email", "/role"]),
        ({"email": "bob@example.com", "role": "viewer", "user_id": 1}, ["/user_id"]),
    ],
)
def test_names_what_is_wrong(alice: Client, shared: Json, body: Json, names: list[Any]) -> None:
    assert sorted(named(alice.post(url_of(shared), json=body))) == names


def test_only_owners_change_who_is_in(
    alice: Client, bob: Client, charlie: Client, shared: Json
) -> None:
    new = {"email": "charlie@example.com", "role": "editor"}
    for method, url, body in (
        ("POST", url_of(shared), new),
        ("PATCH", url_of(shared, bob), {"role": "owner"}),
        ("DELETE", url_of(shared, alice), None),
    ):
        assert refused(bob.open(url, method=method, json=body)) == (403, "forbidden")
        assert refused(charlie.open(url, method=method, json=body)) == (404, "not-found")


def test_a_role_counts_at_once(alice: Client, bob: Client, shared: Json) -> None:
    task = {"title": "x", "project_id": shared["id"]}
    for role, status in (("viewer", 403), ("editor", 201), ("owner", 201)):
        changed = alice.patch(url_of(shared, bob), json={"role": role})
        assert changed.get_json()["role"] == role
        assert bob.post("/api/v1/tasks", json=task).status_code == status
    assert bob.delete(url_of(shared, alice)).status_code == 204
    assert refused(alice.get(url_of(shared))) == (404, "not-found")


def test_the_last_owner_stays(alice: Client, bob: Client, shared: Json) -> None:
    me = url_of(shared, alice)
    for response in (alice.delete(me), alice.patch(me, json={"role": "editor"})):
        assert refused(response) == (409, "conflict")
    assert alice.patch(me, json={"role": "owner"}).status_code == 200

    alice.patch(url_of(shared, bob), json={"role": "owner"})
    assert alice.delete(me).status_code == 204


def test_of_two_owners_who_leave_at_once_one_stays(
    alice: Client, bob: Client, shared: Json
) -> None:
    alice.patch(url_of(shared, bob), json={"role": "owner"})

    with ThreadPoolExecutor(2) as pool:
        left = pool.map(lambda who: who.delete(url_of(shared, who)).status_code, (alice, bob))

    assert sorted(left) == [204, 409]


def test_whoever_leaves_leaves_tasks_unassigned(alice: Client, bob: Client, shared: Json) -> None:
    mine = add(alice, project_id=shared["id"], assignee_id=alice.user["id"])
    bobs = add(bob, project_id=shared["id"], assignee_id=bob.user["id"])
    tag = alice.get(f"/api/v1/tasks/{bobs['id']}").headers["ETag"]

    assert bob.delete(url_of(shared, bob)).status_code == 204

    left = alice.get(f"/api/v1/tasks/{bobs['id']}")
    assert left.get_json()["assignee_id"] is None
    assert left.headers["ETag"] != tag
    assert alice.get(f"/api/v1/tasks/{mine['id']}").get_json() == mine
    assert refused(bob.get(f"/api/v1/tasks/{bobs['id']}")) == (404, "not-found")
    assert refused(alice.get(url_of(shared, bob))) == (404, "not-found")
    assert refused(alice.delete(url_of(shared, bob))) == (404, "not-found")


def test_never_overwrites_a_role_it_has_not_seen(alice: Client, bob: Client, shared: Json) -> None:
    url = url_of(shared, bob)
    old = {"If-Match": alice.get(url).headers["ETag"]}
    alice.patch(url, json={"role": "viewer"})

    for method, body in (("PATCH", {"role": "owner"}), ("DELETE", None)):
        response = alice.open(url, method=method, json=body, headers=old)
        assert refused(response) == (412, "precondition-failed")
    assert alice.get(url).get_json()["role"] == "viewer"
