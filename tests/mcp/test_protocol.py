"""The envelope: JSON-RPC over HTTP, by the rules of 2026-07-28 and of 2025-11-25"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Client, Json, refused
from tests.mcp.conftest import MODERN, headers_for, message, send

LEGACY = {"MCP-Protocol-Version": "2025-11-25"}


def error_of(response: Any) -> int:
    code: int = response.get_json()["error"]["code"]
    return code


def test_discover_says_what_is_served(alice: Client) -> None:
    result = send(alice, "server/discover").get_json()["result"]

    assert result["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18"]
    assert result["capabilities"] == {"tools": {}}
    assert (result["resultType"], result["cacheScope"]) == ("complete", "private")
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "taskapp"


def test_lists_the_same_tools_in_the_same_order_each_time(alice: Client, bob: Client) -> None:
    first, second = (send(client, "tools/list").get_json()["result"] for client in (alice, bob))

    assert first == second
    for tool in first["tools"]:
        assert tool["description"]
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["outputSchema"]["type"] == "object"
        writes = "request_id" in tool["inputSchema"]["properties"]
        assert tool["annotations"]["readOnlyHint"] is not writes
        assert ("request_id" in tool["inputSchema"].get("required", [])) is writes


def test_a_notification_is_accepted_and_dropped(alice: Client) -> None:
    body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    response = alice.post("/mcp", json=body)

    assert (response.status_code, response.data) == (202, b"")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_only_post_is_served(alice: Client, method: str) -> None:
    response = alice.open("/mcp", method=method)

    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
        (b'{"id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "result": {}}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": []}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "%s"}' % (b"x" * 201), -32600),
        (b'{"jsonrpc": "2.0", "id": "%s", "method": "ping"}' % (b"x" * 1001), -32600),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [%s1]}' % (b"1," * 50_000),
            -32600,
        ),
    ],
)
def test_what_is_no_request_is_refused_without_an_id(alice: Client, body: bytes, code: int) -> None:
    response = alice.post("/mcp", data=body, content_type="application/json")

    assert response.status_code == 400
    assert error_of(response) == code
    assert "id" not in response.get_json()


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
def test_a_request_describes_itself(alice: Client, missing: str) -> None:
    body = message("tools/list")
    del body["params"]["_meta"][f"io.modelcontextprotocol/{missing}"]
    response = alice.post("/mcp", json=body, headers=headers_for(body))

    assert (response.status_code, error_of(response)) == (400, -32602)


@pytest.mark.parametrize(
    "headers",
    [
        {"MCP-Protocol-Version": "2026-07-27"},
        {"Mcp-Method": "tools/call"},
        {"Mcp-Method": "TOOLS/LIST"},
        {"Mcp-Method": ""},
    ],
)
def test_headers_repeat_the_body(alice: Client, headers: dict[str, str]) -> None:
    response = send(alice, "tools/list", headers=headers)

    assert (response.status_code, error_of(response)) == (400, -32020)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("list_projects", True),
        ("=?base64?bGlzdF9wcm9qZWN0cw==?=", True),
        (" list_projects\t", True),
        ("=?base64?bGlzdF9wcm9qZWN0cw?=", False),
        ("=?base64?!!?=", False),
        ("find_tasks", False),
    ],
)
def test_the_name_of_a_tool_stands_in_a_header_too(alice: Client, name: str, fits: bool) -> None:
    response = send(alice, "tools/call", {"name": "list_projects"}, headers={"Mcp-Name": name})

    assert response.status_code == (200 if fits else 400)


def test_names_the_versions_that_it_serves(alice: Client) -> None:
    body = message("tools/list")
    body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2030-01-01"
    headers = {**headers_for(body), "MCP-Protocol-Version": "2030-01-01"}
    response = alice.post("/mcp", json=body, headers=headers)

    assert (response.status_code, error_of(response)) == (400, -32022)
    data = response.get_json()["error"]["data"]
    assert (data["supported"][0], data["requested"]) == (MODERN, "2030-01-01")


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "prompts/list"])
def test_a_method_of_another_time_is_404(alice: Client, method: str) -> None:
    response = send(alice, method)

    assert (response.status_code, error_of(response)) == (404, -32601)


def test_an_unknown_tool_is_an_error_that_names_the_tools(alice: Client) -> None:
    response = send(alice, "tools/call", {"name": "drop_tables"})

    assert (response.status_code, error_of(response)) == (400, -32602)
    assert "find_tasks" in response.get_json()["error"]["message"]


def legacy(client: Client, method: str, params: Json, **headers: str) -> Any:
    body = {"jsonrpc": "2.0", "id": "a", "method": method, "params": params}
    return client.post("/mcp", json=body, headers=headers)


def test_an_older_client_initializes_without_a_session(alice: Client) -> None:
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "old"}}
    response = legacy(alice, "initialize", params)

    assert response.get_json()["result"]["protocolVersion"] == "2025-06-18"
    assert "Mcp-Session-Id" not in response.headers
    newest = legacy(alice, "initialize", {**params, "protocolVersion": "1999-01-01"})
    assert newest.get_json()["result"]["protocolVersion"] == "2025-11-25"


def test_an_older_client_pings_lists_and_calls(alice: Client) -> None:
    assert legacy(alice, "ping", {}, **LEGACY).get_json()["result"] == {}
    listed = legacy(alice, "tools/list", {}, **LEGACY).get_json()["result"]
    assert "resultType" not in listed
    params = {"name": "list_projects", "arguments": {}}
    result = legacy(alice, "tools/call", params, **LEGACY).get_json()["result"]
    assert result["structuredContent"]["items"][0]["kind"] == "inbox"


@pytest.mark.parametrize("method", ["", "tools\x00", "\x1f", "x" * 200])
def test_a_method_is_any_text(alice: Client, method: str) -> None:
    """JSON-RPC 2.0 names no character that a method may not have: it is only not served."""
    response = legacy(alice, method, {}, **LEGACY)

    assert (response.status_code, error_of(response)) == (200, -32601)


def test_errors_of_an_older_client_come_with_200(alice: Client) -> None:
    response = legacy(alice, "server/discover", {}, **LEGACY)

    assert (response.status_code, error_of(response)) == (200, -32601)


def test_a_page_from_elsewhere_may_not_call(alice: Client) -> None:
    assert send(alice, "tools/list", headers={"Origin": "https://evil.example"}).status_code == 403
    assert send(alice, "tools/list", headers={"Origin": "null"}).status_code == 403
    assert send(alice, "tools/list", headers={"Origin": "http://localhost"}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),  # a name that somebody else points at this machine
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("localhost:8000", 200),
    ],
)
def test_a_name_that_leads_here_is_not_ours_yet(alice: Client, host: str, status: int) -> None:
    """DNS rebinding: Host and Origin are alike, and both are the attacker's."""
    url = f"http://{host}"
    response = send(alice, "tools/list", headers={"Origin": url}, base_url=url)

    assert response.status_code == status


def test_nobody_calls_without_a_credential(anonymous: Client) -> None:
    response = send(anonymous, "tools/list")

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_body_that_says_it_is_no_json_is_refused_by_http(alice: Client) -> None:
    response = alice.post("/mcp", data="{}", content_type="text/plain")

    assert response.status_code == 415


def test_what_is_too_large_is_refused_by_http(alice: Client) -> None:
    body = message("tools/list", {"padding": "x" * 2**20})
    response = alice.post("/mcp", json=body, headers=headers_for(body))

    assert refused(response) == (413, "payload-too-large")


@pytest.mark.parametrize("params", [None, {}, {"_meta": None}, {"_meta": []}])
def test_a_header_alone_describes_nothing(alice: Client, params: Json | None) -> None:
    body: Json = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}
    if params is not None:
        body["params"] = params
    response = alice.post("/mcp", json=body, headers=headers_for(body))

    assert (response.status_code, error_of(response)) == (400, -32602)
    assert response.get_json()["id"] == 7


def test_a_description_without_its_header_is_refused(alice: Client) -> None:
    body = message("tools/list")
    response = alice.post("/mcp", json=body)

    assert (response.status_code, error_of(response)) == (400, -32020)


def test_a_header_that_comes_twice_does_not_pass(alice: Client) -> None:
    body = message("tools/list")
    headers = [*headers_for(body).items(), ("MCP-Protocol-Version", MODERN)]
    response = alice.post("/mcp", json=body, headers=headers)

    assert (response.status_code, error_of(response)) == (400, -32020)


def test_a_version_before_ours_is_refused(alice: Client) -> None:
    """2025-03-26 had batches; a client that names it in the body is offered a newer one."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"MCP-Protocol-Version": "2025-03-26"}
    assert alice.post("/mcp", json=body, headers=headers).status_code == 400

    params = {"protocolVersion": "2025-03-26", "capabilities": {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    result = alice.post("/mcp", json=body).get_json()["result"]
    assert result["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("arguments", [None, [], "x", 1])
def test_arguments_are_an_object(alice: Client, arguments: Any) -> None:
    response = send(alice, "tools/call", {"name": "find_tasks", "arguments": arguments})

    assert (response.status_code, error_of(response)) == (400, -32602)


@pytest.mark.parametrize("name", [None, 1, [], "find_Tasks"])
def test_a_tool_is_called_by_its_name(alice: Client, name: Any) -> None:
    body = message("tools/call", {"name": name, "arguments": {}})
    headers = {**headers_for(message("tools/list")), "Mcp-Method": "tools/call"}
    headers["Mcp-Name"] = name if isinstance(name, str) else "x"
    response = alice.post("/mcp", json=body, headers=headers)

    assert response.status_code == 400
    assert error_of(response) in {-32602, -32020}


def test_a_notification_is_dropped_whatever_it_says(alice: Client, task: Json) -> None:
    """Also one that looks like a call: nothing runs that nobody wants an answer to."""
    arguments = {"request_id": "12345678", "id": task["id"], "revision": task["revision"]}
    params = {"name": "complete_task", "arguments": arguments}
    for headers in ({}, LEGACY, {"MCP-Protocol-Version": "1999-01-01"}):
        body = {"jsonrpc": "2.0", "method": "tools/call", "params": params}
        response = alice.post("/mcp", json=body, headers=headers)
        assert (response.status_code, response.data) == (202, b"")
    assert alice.get(f"/api/v1/tasks/{task['id']}").get_json()["status"] == "todo"


def test_offers_no_discovery_of_an_authorization_server(anonymous: Client) -> None:
    for name in ("oauth-protected-resource", "oauth-authorization-server"):
        assert refused(anonymous.get(f"/.well-known/{name}"))[0] == 404
        assert refused(anonymous.get(f"/.well-known/{name}/mcp"))[0] == 404


def test_no_session_is_minted_or_kept(alice: Client) -> None:
    response = send(alice, "tools/list", headers={"Mcp-Session-Id": "x", "Last-Event-ID": "7"})

    assert response.status_code == 200
    assert "Mcp-Session-Id" not in response.headers
