"""POST /api/v1/tasks"""

from __future__ import annotations

from tests.conftest import Client


def test_creates_a_task_in_the_inbox(alice: Client) -> None:
    response = alice.post("/api/v1/tasks", json={"title": "Water the fern"})

    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/tasks/{response.get_json()['id']}"
