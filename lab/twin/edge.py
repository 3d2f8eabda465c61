"""What every answer has, as pure ASGI middleware: the twin of ops/edge.py.

What Flask keeps in `g` lives here in a context variable: on an event loop a thread runs many
requests at once, but each task has a context of its own.
"""

import re
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@dataclass
class Spent:
    """What a request has taken so far."""

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    database_seconds: float = 0.0


current: ContextVar[Spent] = ContextVar("current")


class Edge:
    """An id for each request; timings and security headers for each answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        sent = Headers(scope=scope).get("X-Request-ID", "")
        spent = Spent(sent if REQUEST_ID.fullmatch(sent) else uuid4().hex)
        current.set(spent)

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                _finish(MutableHeaders(scope=message), scope, spent)
            await send(message)

        # Starlette routes answer no HEAD of their own; the server leaves out the body.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return await self.app({**scope, "method": method}, receive, finish)


def _finish(headers: MutableHeaders, scope: Scope, spent: Spent) -> None:
    headers["X-Request-ID"] = spent.request_id
    for name, value in SECURITY.items():
        headers.setdefault(name, value)
    credentials = scope["path"].startswith("/api/v1/auth/")
    headers.setdefault("Cache-Control", "no-store" if credentials else "private, no-cache")
    headers.add_vary_header("Authorization, Accept")
    base = str(URL(scope=scope).replace(path="", query="")).rstrip("/")
    if "Location" in headers:
        headers["Location"] = base + headers["Location"]
    links = [link.replace("</", f"<{base}/", 1) for link in headers.getlist("Link")]
    links.append(f'<{base}/openapi.json>; rel="service-desc"')
    headers["Link"] = ", ".join(links)
    app, db = time.perf_counter() - spent.started, spent.database_seconds
    headers["Server-Timing"] = f"app;dur={app * 1e3:.1f}, db;dur={db * 1e3:.1f}"


def time_statements(engine: sa.Engine) -> None:
    """Add up what the database took; the request's other tasks run meanwhile, and so do others."""

    def before(connection: sa.Connection, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def after(connection: sa.Connection, *_: Any) -> None:
        if spent := current.get(None):
            spent.database_seconds += time.perf_counter() - connection.info["began"]

    sa.event.listen(engine, "before_cursor_execute", before)
    sa.event.listen(engine, "after_cursor_execute", after)
