"""A proxy on this machine that loses what it is told to lose, between `tasks` and the service."""

from __future__ import annotations

import http.client
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

# What may happen to a request besides being answered.
LOST_REQUEST = "the request is lost"
LOST_ANSWER = "the answer is lost"


@dataclass(frozen=True)
class Says:
    """An answer that the proxy gives instead of the service."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    status: int  # what the service said, also where the answer was lost; 0 for a lost request


class Proxy:
    """Forwards to `upstream`; what happens to the next requests stands in `next`.

    `every` makes each n-th answer lost besides.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.next: deque[str | Says | None] = deque()
        self.every = 0
        self.seen: list[Seen] = []
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fate(self) -> str | Says | None:
        if self.next:
            return self.next.popleft()
        if self.every and len(self.seen) % self.every == 0:
            return LOST_ANSWER
        return None

    def requests(self, method: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method]


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        fate = self.proxy.fate()
        if isinstance(fate, Says):
            answer = json.dumps(fate.body).encode()
            self._note(body, fate.status)
            self._answer(fate.status, list(fate.headers.items()), answer)
            return
        if fate == LOST_REQUEST:
            self._note(body, 0)
        else:
            status, headers, answer = self._forward(body)
            self._note(body, status)
            if fate is None:
                self._answer(status, headers, answer)
                return
        self.close_connection = True  # without a word

    def _note(self, body: bytes, status: int) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.proxy.seen.append(Seen(self.command, self.path, headers, body, status))

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = self.proxy.upstream
        connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in {204, 304}:
            self.wfile.write(body)

    def __getattr__(self, name: str) -> Any:
        """`do_GET` and its like, for whatever method comes."""
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: pytest shows what went wrong."""
