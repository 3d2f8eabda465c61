"""The official SDK's client on /mcp: it lists the tools and calls each of them"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests import servers
from tests.agents import race
from tests.conftest import Json

pytestmark = pytest.mark.agents


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with race.service("sqlite") as url:
        yield url


@pytest.fixture
def token(base: str) -> str:
    return servers.sign_up(base, f"{uuid4().hex}@example.com")


async def _calls(base: str, token: str, calls: list[tuple[str, Json]]) -> list[Any]:
    from mcp.client.session import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    client = httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"})
    async with (
        client,
        streamable_http_client(f"{base}/mcp", http_client=client) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        results: list[Any] = [await session.list_tools()]
        for name, arguments in calls:
            results.append(await session.call_tool(name, arguments))
        return results


def run(base: str, token: str, *calls: tuple[str, Json]) -> list[Any]:
    return asyncio.run(_calls(base, token, list(calls)))


def test_lists_every_tool(base: str, token: str) -> None:
    (listed,) = run(base, token)

    names = {tool.name for tool in listed.tools}
    assert {"find_tasks", "create_task", "update_task", "what_changed"} <= names


def test_calls_every_tool(base: str, token: str) -> None:
    created = run(base, token, ("create_task", {"request_id": str(uuid4()), "title": "Water"}))[1]
    task = created.structured_content["task"]
    key = {"id": task["id"], "revision": task["revision"]}
    results = run(
        base,
        token,
        ("find_tasks", {"text": "water"}),
        ("get_task", {"id": task["id"]}),
        ("list_projects", {}),
        ("what_changed", {}),
        ("update_task", {"request_id": str(uuid4()), **key, "priority": "high"}),
        ("comment", {"request_id": str(uuid4()), "task_id": task["id"], "body": "Twice"}),
        ("complete_task", {"request_id": str(uuid4()), **key}),
    )

    refused = [result.is_error for result in results[1:]]
    assert refused == [False] * 6 + [True]  # the last one is stale by then
