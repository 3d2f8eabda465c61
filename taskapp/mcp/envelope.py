"""JSON-RPC as the Model Context Protocol wraps it: one request in, one response out, no state.

Revision 2026-07-28, where each request describes itself in `_meta` and headers; and the stateless
subset of 2025-11-25 and 2025-06-18, which begin with `initialize`.
"""

import base64
from dataclasses import dataclass
from typing import Any

from flask import Request, Response

from taskapp.database.encoding import encode
from taskapp.web.openapi import VERSION

MODERN = ["2026-07-28"]
LEGACY = ["2025-11-25", "2025-06-18"]
META = "io.modelcontextprotocol/"
SERVER_INFO = {"name": "taskapp", "version": VERSION}
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022
STATUSES = {METHOD_NOT_FOUND: 404, INTERNAL_ERROR: 500}  # all others are 400
MAX_ID, MAX_METHOD = 1000, 200  # characters


class Fault(Exception):
    """A JSON-RPC error: the call itself is wrong, and no tool has run."""

    def __init__(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@dataclass
class Call:
    """One JSON-RPC request; `id` is None for a notification, which wants no response."""

    method: str
    params: dict[str, Any]
    id: str | int | None
    modern: bool  # by the rules of 2026-07-28


def read_call(body: Any, request: Request) -> Call:
    """The call in a body that was JSON.

    Raises:
        Fault: It is no JSON-RPC request or notification, or a batch of them.
    """
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
        raise Fault(INVALID_REQUEST, "Send one JSON-RPC 2.0 request or notification.")
    method, params = body.get("method"), body.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise Fault(INVALID_REQUEST, "A request has a method, and params that are an object.")
    if len(method) > MAX_METHOD:
        raise Fault(INVALID_REQUEST, f"A method has at most {MAX_METHOD} characters.")
    version = _header(request, "MCP-Protocol-Version")
    meta = _meta_of(params)
    modern = version not in {"", *LEGACY} or f"{META}protocolVersion" in meta
    return Call(method, params, _id_of(body), modern)


def _id_of(body: dict[str, Any]) -> str | int | None:
    if "id" not in body:
        return None
    call_id = body["id"]
    if type(call_id) is int or (isinstance(call_id, str) and len(call_id) <= MAX_ID):
        return call_id
    raise Fault(INVALID_REQUEST, "The id is an integer, or a string of at most 1000 characters.")


def check_self_description(call: Call, request: Request) -> None:
    """2026-07-28: `_meta` first, then the headers that repeat it, then the version.

    Raises:
        Fault: One is missing, differs, or names a revision that is not served.
    """
    meta = _meta_of(call.params)
    version = meta.get(f"{META}protocolVersion")
    capabilities = meta.get(f"{META}clientCapabilities")
    if not isinstance(version, str) or not isinstance(capabilities, dict):
        raise Fault(
            INVALID_PARAMS, "params._meta must hold protocolVersion and clientCapabilities."
        )
    expected: dict[str, Any] = {"MCP-Protocol-Version": version, "Mcp-Method": call.method}
    if call.method == "tools/call":
        expected["Mcp-Name"] = call.params.get("name")
    for name, value in expected.items():
        if _header(request, name) != value:
            raise Fault(HEADER_MISMATCH, f"The header {name} is missing or differs from the body.")
    if version not in MODERN:
        data = {"supported": MODERN + LEGACY, "requested": version}
        raise Fault(UNSUPPORTED_VERSION, "This protocol version is not served here.", data)


def _meta_of(params: dict[str, Any]) -> dict[str, Any]:
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) else {}


def _header(request: Request, name: str) -> str | None:
    """A header's value; None stands for base64 that is not well-formed."""
    value = request.headers.get(name, "").strip(" \t")
    encoded = value.removeprefix("=?base64?").removesuffix("?=")
    if name != "Mcp-Name" or len(encoded) != len(value) - len("=?base64??="):
        return value
    try:
        text = base64.b64decode(encoded, validate=True)
        canonical = base64.b64encode(text).decode() == encoded
        return text.decode() if canonical else None
    except ValueError:
        return None


def result_response(call: Call, result: dict[str, Any]) -> Response:
    """The response to a call that was carried out."""
    if call.modern:
        described = {"resultType": "complete", "_meta": {f"{META}serverInfo": SERVER_INFO}}
        result = {**described, **result}
    return _json({"jsonrpc": "2.0", "id": call.id, "result": result}, 200)


def fault_response(fault: Fault, call: Call | None) -> Response:
    """The response to a call that is wrong; without an id where none could be read."""
    error: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if fault.data is not None:
        error["data"] = fault.data
    body: dict[str, Any] = {"jsonrpc": "2.0", "error": error}
    if call is None or call.id is None:
        return _json(body, 400)
    body["id"] = call.id
    return _json(body, STATUSES.get(fault.code, 400) if call.modern else 200)


def _json(body: dict[str, Any], status: int) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(encode(body), status, headers, content_type="application/json")
