"""/api/v1/projects: list, create, show, change, delete"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Client, Json, add, made, named, refused

URL = "/api/v1/projects"


def test_everybody_has_one_inbox(alice: Client) -> None:
    (inbox,) = alice.get(URL).get_json()["items"]

    assert (inbox["kind"], inbox["role"], inbox["name"]) == ("inbox", "owner", "Inbox")
    assert alice.get(f"{URL}/{inbox['id']}").get_json() == inbox


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "", None),
        ("PATCH", "", {"archived_at": "2026-01-01T00:00:00Z"}),
        ("POST", "/members", {"email": "bob@example.com", "role": "viewer"}),
        ("POST", "/members", {"email": "nobody@example.com", "role": "viewer"}),
        ("DELETE", "/members/{me}", None),
        ("PATCH", "/members/{me}", {"role": "editor"}),
    ],
)
def test_an_inbox_stays_and_stays_private(
    alice: Client, method: str, path: str, body: Json | None
) -> None:
    (inbox,) = alice.get(URL).get_json()["items"]
    url = f"{URL}/{inbox['id']}" + path.format(me=alice.user["id"])

    assert refused(alice.open(url, method=method, json=body)) == (409, "conflict")
    assert alice.get(URL).get_json()["items"] == [inbox]


def test_an_inbox_may_have_another_name(alice: Client) -> None:
    (inbox,) = alice.get(URL).get_json()["items"]
    response = alice.patch(f"{URL}/{inbox['id']}", json={"name": "Mine", "archived_at": None})

    assert response.get_json()["name"] == "Mine"


def test_creates_a_project_that_the_caller_owns(alice: Client, bob: Client) -> None:
    response = alice.post(URL, json={"name": " Garden ", "description": "All of it"})
    project = response.get_json()

    assert response.status_code == 201
    assert response.headers["Location"] == f"http://localhost{URL}/{project['id']}"
    got = alice.get(f"{URL}/{project['id']}")
    assert (got.get_json(), got.headers["ETag"]) == (project, response.headers["ETag"])
    for name in ("id", "created_at", "updated_at", "revision"):
        del project[name]
    assert project == {
        "name": "Garden",
        "description": "All of it",
        "kind": "shared",
        "role": "owner",
        "archived_at": None,
    }
    assert refused(bob.get(f"{URL}/{got.get_json()['id']}")) == (404, "not-found")


def test_lists_oldest_first_by_pages(alice: Client) -> None:
    for name in "ABC":
        made(alice, "projects", name=name)
    first = alice.get(f"{URL}?limit=2&total=true").get_json()
    second = alice.get(f"{URL}?limit=2&cursor={first['next_cursor']}").get_json()

    assert [item["name"] for item in first["items"] + second["items"]] == ["Inbox", *"ABC"]
    assert (first["total"], second["next_cursor"]) == (4, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", None, "x" * 201)),
        *(("description", None), ("archived_at", "today"), ("color", "red")),
        *(("kind", "inbox"), ("role", "owner"), ("id", 1), ("revision", 1)),
    ],
)
def test_names_each_bad_or_foreign_field(alice: Client, field: str, value: Any) -> None:
    assert named(alice.post(URL, json={"name": "x", field: value})) == [f"/{field}"]
    project = made(alice, "projects", name="x")
    assert named(alice.patch(f"{URL}/{project['id']}", json={field: value})) == [f"/{field}"]


def test_changes_what_is_sent_and_takes_a_revision(alice: Client) -> None:
    project = made(alice, "projects", name="Garden", description="All of it")
    url = f"{URL}/{project['id']}"

    for body, steps in (({}, 0), ({"name": "Garden"}, 0), ({"name": "Yard"}, 1), ({}, 1)):
        changed = alice.patch(url, json=body).get_json()
        assert changed["revision"] == project["revision"] + steps
    own = {"name", "revision", "updated_at"}
    assert {name for name in project if changed[name] != project[name]} == own


def test_archives_and_brings_back(alice: Client) -> None:
    project = made(alice, "projects", name="Garden")
    url = f"{URL}/{project['id']}"

    archived = alice.patch(url, json={"archived_at": "2026-01-01T01:00:00+01:00"}).get_json()
    assert archived["archived_at"] == "2026-01-01T00:00:00.000000Z"
    assert alice.patch(url, json={"archived_at": None}).get_json()["archived_at"] is None


def test_deletes_a_project_with_all_that_is_in_it(alice: Client, bob: Client, shared: Json) -> None:
    task = add(alice, project_id=shared["id"], labels=["home"])
    url = f"{URL}/{shared['id']}"

    assert alice.delete(url).status_code == 204
    assert refused(alice.delete(url)) == (404, "not-found")
    for client in (alice, bob):
        assert refused(client.get(f"/api/v1/tasks/{task['id']}")) == (404, "not-found")
        assert [item["kind"] for item in client.get(URL).get_json()["items"]] == ["inbox"]
    assert made(alice, "projects", name="x")["id"] > shared["id"]


def test_never_overwrites_what_it_has_not_seen(alice: Client, shared: Json) -> None:
    url = f"{URL}/{shared['id']}"
    old = {"If-Match": alice.get(url).headers["ETag"]}
    alice.patch(url, json={"name": "Yard"})

    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        response = alice.open(url, method=method, json=body, headers=old)
        assert refused(response) == (412, "precondition-failed")
    fresh = {"If-Match": alice.get(url).headers["ETag"]}
    assert alice.patch(url, json={"name": "Lawn"}, headers=fresh).status_code == 200


def test_who_is_deleted_leaves_shared_projects_and_takes_the_rest(
    admin: Client, alice: Client, bob: Client, shared: Json
) -> None:
    alone = made(bob, "projects", name="Alone")
    task = add(bob, project_id=shared["id"], assignee_id=bob.user["id"])
    assert admin.delete(f"/api/v1/users/{bob.user['id']}").status_code == 204

    left = alice.get(f"/api/v1/tasks/{task['id']}").get_json()
    assert (left["assignee_id"], left["created_by"]) == (None, bob.user["id"])
    assert left["revision"] > task["revision"]
    assert refused(alice.get(f"{URL}/{alone['id']}")) == (404, "not-found")
    response = admin.delete(f"/api/v1/users/{alice.user['id']}")
    assert response.status_code == 204  # nobody else is in the project by now
