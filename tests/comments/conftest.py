"""A shared task, and Bob's comment on it."""

from __future__ import annotations

import pytest

from tests.conftest import Client, Json


@pytest.fixture
def url(shared_task: Json) -> str:
    return f"/api/v1/tasks/{shared_task['id']}/comments"


@pytest.fixture
def bobs(bob: Client, url: str) -> str:
    """The URL of a comment that Bob wrote."""
    return bob.post(url, json={"body": "Is it dry?"}).headers["Location"]
