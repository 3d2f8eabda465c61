"""GET /api/v1/tasks/{id}"""

from __future__ import annotations

from tests.conftest import Client, Json, add, refused

URL = "/api/v1/tasks"


def test_members_see_the_same_task(alice: Client, bob: Client, shared: Json) -> None:
    task = add(alice, project_id=shared["id"])

    assert bob.get(f"{URL}/{task['id']}").get_json() == task


def test_hides_other_peoples_tasks(charlie: Client, admin: Client, task: Json) -> None:
    for client in (charlie, admin):
        assert refused(client.get(f"{URL}/{task['id']}")) == (404, "not-found")


def test_an_id_is_written_in_one_way(alice: Client, task: Json) -> None:
    bad = ["0", "-1", "+1", "%2B1", "1.0", "007", "٣", "1e3", "0x1", " 1", "1%20", "x", "9" * 5000]
    for task_id in [*bad, 2**63 - 1, 2**63, 10**19 - 1, 2**64]:
        for method in ("GET", "PATCH", "DELETE"):
            response = alice.open(f"{URL}/{task_id}", method=method, json={})
            assert refused(response) == (404, "not-found"), task_id


def test_a_deleted_task_is_gone_and_its_id_never_comes_back(alice: Client, task: Json) -> None:
    assert alice.delete(f"{URL}/{task['id']}").status_code == 204

    assert refused(alice.get(f"{URL}/{task['id']}")) == (404, "not-found")
    assert refused(alice.delete(f"{URL}/{task['id']}")) == (404, "not-found")
    assert add(alice)["id"] > task["id"]
