"""A shared task, and Bob's file on it."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.conftest import Client, Json, Stage

FERN = bytes(range(256)) * 4  # every byte there is
Attach = Callable[..., TestResponse]


@pytest.fixture
def url(shared_task: Json) -> str:
    return f"/api/v1/tasks/{shared_task['id']}/attachments"


@pytest.fixture
def attach(bob: Client, url: str, folder: Path) -> Attach:
    """Upload as Bob, as the only part of a form."""

    def upload(content: bytes = FERN, name: str = "fern.jpg", client: Client = bob) -> TestResponse:
        form = {"file": (BytesIO(content), name, "image/jpeg")}
        return client.post(url, data=form, content_type="multipart/form-data")

    return upload


@pytest.fixture
def bobs(attach: Attach) -> str:
    """The URL of a file that Bob attached."""
    return attach().headers["Location"]


@pytest.fixture
def folder(stage: Stage) -> Path:
    """Where the bytes lie; empty, as the database is."""
    folder: Path = stage.app.extensions["taskapp"].instance / "attachments"
    for file in folder.glob("*"):
        file.unlink()
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("*"))
