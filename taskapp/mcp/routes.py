"""`POST /mcp`: tools for agents (Model Context Protocol), each request on its own."""

from flask import Blueprint, Response, request

from taskapp.caller import READ
from taskapp.mcp import protocol
from taskapp.mcp.schemas import MessageResponseSchema, MessageSchema
from taskapp.web.contract import accepts, replies

mcp = Blueprint("mcp", __name__)
mcp.register_error_handler(Exception, protocol.refuse)


@mcp.post("/mcp")
@accepts(body=MessageSchema(), load=protocol.load_message)
@replies(MessageResponseSchema(), access=READ, once=False, also=(202, 400, 403, 404, 500))
def call_mcp(body: bytes) -> Response:
    """Answer one JSON-RPC message of an agent (Model Context Protocol).

    One JSON-RPC request in, one JSON answer out; a notification is answered with 202. Revision
    2026-07-28, and the stateless part of 2025-11-25 and 2025-06-18. `tools/list` shows the tools.
    """
    return protocol.answer(body, request)
