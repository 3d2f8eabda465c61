"""DELETE /api/v1/tasks/{id}"""

from __future__ import annotations

import time

import pytest

from tests.conftest import Client, Json, add, made, refused

URL = "/api/v1/tasks"


def test_deletes_all_that_is_below(alice: Client) -> None:
    top, other = add(alice), add(alice, "Sweep")
    child = add(alice, parent_id=top["id"])
    grandchild = add(alice, parent_id=child["id"])

    assert alice.delete(f"{URL}/{top['id']}").status_code == 204

    for gone in (top, child, grandchild):
        assert refused(alice.get(f"{URL}/{gone['id']}")) == (404, "not-found")
    assert [task["id"] for task in alice.get(URL).get_json()["items"]] == [other["id"]]


@pytest.mark.parametrize("what", ["tasks", "projects"])
def test_a_chain_of_any_length_goes_whole(alice: Client, what: str) -> None:
    """SQLite follows a foreign key 1,000 rows deep."""
    project = made(alice, "projects", name="Garden")
    rows = [{"id": n, "title": "x", "parent_id": n - 1 if n > 1 else None} for n in range(1, 1202)]
    url = f"{URL}/import?project_id={project['id']}"
    assert alice.post(url, json={"items": rows}).get_json()["created"] == 1201
    top = alice.get(f"{URL}?parent=none&project_id={project['id']}").get_json()["items"][0]
    told = alice.get("/api/v1/changes?limit=200").get_json()
    while told["has_more"]:
        told = alice.get(f"/api/v1/changes?limit=200&cursor={told['next_cursor']}").get_json()

    gone = top["id"] if what == "tasks" else project["id"]
    assert alice.delete(f"/api/v1/{what}/{gone}").status_code == 204

    told = alice.get(f"/api/v1/changes?cursor={told['next_cursor']}").get_json()
    assert (len(told["deleted"]), told["tasks"]) == (1201, [])
    assert alice.get(f"{URL}?total=true").get_json()["total"] == 0


def test_a_chain_costs_about_what_a_crowd_costs(alice: Client) -> None:
    """SQLite needs the square of the rows that it cascades through, one below the other."""
    chain = [{"id": n, "title": "x", "parent_id": n - 1} for n in range(2, 602)]
    crowd = [{**row, "parent_id": 1} for row in chain]

    assert seconds_to_delete(alice, chain) < 10 * seconds_to_delete(alice, crowd)


def seconds_to_delete(client: Client, below: list[Json]) -> float:
    """Seconds of CPU to delete a task and these below it."""
    top = {"id": 1, "title": "top", "parent_id": None}
    imported = client.post(f"{URL}/import", json={"items": [top, *below]})
    assert imported.get_json()["created"] == len(below) + 1
    (found,) = client.get(f"{URL}?parent=none").get_json()["items"]
    began = time.process_time()
    assert client.delete(f"{URL}/{found['id']}").status_code == 204
    return time.process_time() - began


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
