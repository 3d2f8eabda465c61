"""An agent: a client that speaks JSON-RPC to /mcp, with every request describing itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from jsonschema_rs import Draft202012Validator
from werkzeug.test import TestResponse

from taskapp.mcp.tools import TOOLS
from tests.conftest import Client, Json

META = "io.modelcontextprotocol/"
MODERN = "2026-07-28"
Send = Callable[..., TestResponse]
CallTool = Callable[..., Json]


def message(method: str, params: Json | None = None, **more: Any) -> Json:
    meta = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": {}}
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": method,
        "params": {"_meta": meta, **(params or {})},
        **more,
    }


def headers_for(body: Json) -> dict[str, str]:
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": body["method"],
    }
    if body["method"] == "tools/call":
        headers["Mcp-Name"] = body["params"]["name"]
    return headers


def send(client: Client, method: str, params: Json | None = None, **options: Any) -> TestResponse:
    """Send one request of 2026-07-28; `headers` replaces or adds some."""
    body = message(method, params)
    headers = {**headers_for(body), **options.pop("headers", {})}
    return client.post("/mcp", json=body, headers=headers, **options)


def call(client: Client, tool: str, **arguments: Any) -> Json:
    """Call a tool and return its result, refused or not."""
    response = send(client, "tools/call", {"name": tool, "arguments": arguments})
    assert response.status_code == 200, response.get_data(as_text=True)
    result: Json = response.get_json()["result"]
    if not result["isError"]:
        schema = TOOLS[tool].definition["outputSchema"]
        Draft202012Validator(schema).validate(result["structuredContent"])
    return result


def new_id() -> str:
    return str(uuid4())


@pytest.fixture
def task(alice: Client) -> Json:
    result = call(alice, "create_task", request_id=new_id(), title="Water the fern")
    created: Json = result["structuredContent"]["task"]
    return created
