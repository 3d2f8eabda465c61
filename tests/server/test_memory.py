"""What a large request has freed goes back to the system, and small ones go on as ever."""

from __future__ import annotations

import pytest

from taskapp.database import sqlite
from taskapp.web import memory
from tests.conftest import Client


@pytest.mark.parametrize(("length", "is_large"), [(10, False), (300_000, True)])
def test_pages_of_the_database_are_dropped_after_a_large_request(
    alice: Client, length: int, *, is_large: bool
) -> None:
    rows = "title\n" + "x\n" * (length // 2)
    memory.give_back()
    said: list[str] = []
    for connection in sqlite.OPEN:
        connection.set_trace_callback(said.append)
    alice.post("/api/v1/auth/login", data=rows, headers={"Content-Type": "application/json"})
    del said[:]

    memory.give_back()
    memory.give_back()

    assert said == ["PRAGMA shrink_memory"] * (len(sqlite.OPEN) if is_large else 0)
