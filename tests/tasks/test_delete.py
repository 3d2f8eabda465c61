"""DELETE /api/v1/tasks/{id}"""

from __future__ import annotations

from tests.conftest import Client, Json, add, refused

URL = "/api/v1/tasks"


def test_deletes_all_that_is_below(alice: Client) -> None:
    top, other = add(alice), add(alice, "Sweep")
    child = add(alice, parent_id=top["id"])
    grandchild = add(alice, parent_id=child["id"])

    assert alice.delete(f"{URL}/{top['id']}").status_code == 204

    for gone in (top, child, grandchild):
        assert refused(alice.get(f"{URL}/{gone['id']}")) == (404, "not-found")
    assert [task["id"] for task in alice.get(URL).get_json()["items"]] == [other["id"]]


def test_editors_may_and_viewers_may_not(alice: Client, bob: Client, shared: Json) -> None:
    first, second = (add(alice, project_id=shared["id"]) for _ in range(2))
    assert bob.delete(f"{URL}/{first['id']}").status_code == 204
    member = f"/api/v1/projects/{shared['id']}/members/{bob.user['id']}"
    alice.patch(member, json={"role": "viewer"})

    assert refused(bob.delete(f"{URL}/{second['id']}")) == (403, "forbidden")
    assert alice.get(f"{URL}/{second['id']}").get_json() == second


def test_frees_the_external_id(alice: Client) -> None:
    task = add(alice, external_id="A")
    alice.delete(f"{URL}/{task['id']}")

    assert add(alice, external_id="A")["external_id"] == "A"


def test_takes_the_projects_next_revision(alice: Client, task: Json) -> None:
    alice.delete(f"{URL}/{task['id']}")

    assert add(alice)["revision"] == task["revision"] + 2
