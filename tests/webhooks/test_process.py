"""The courier as a process of its own: killed, restarted, stopped"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests import servers


@contextmanager
def slow_receiver() -> Iterator[tuple[str, list[str]]]:
    """A target that takes a second for its first answer; and the webhook-ids that it was sent."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(str(self.headers["webhook-id"]))
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(1 if len(received) == 1 else 0)
            try:
                self.send_response(204)
                self.end_headers()
            except OSError:  # who asked was killed
                return

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def start_courier(variables: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "courier"]
    environment = servers.environment(**variables)
    return subprocess.Popen(command, cwd=servers.ROOT, env=environment)


def wait_until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def expire_leases(database: Path) -> None:
    """As if a minute had passed."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE webhooks SET leased_until = created_at")


def test_a_killed_courier_costs_at_most_a_repeat_and_the_next_goes_on_in_order(
    tmp_path: Path,
) -> None:
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "WEBHOOK_NETWORKS": "127.0.0.0/8"}
    servers.migrate(**variables)
    with servers.gunicorn(**variables) as base, slow_receiver() as (url, received):
        token = servers.sign_up(base, "owner@example.com")
        _, _, project = servers.ask(f"{base}/api/v1/projects", {"name": "Garden"}, token=token)
        webhooks = f"{base}/api/v1/projects/{project['id']}/webhooks"
        assert servers.ask(webhooks, {"url": url}, token=token)[0] == 201
        for number in range(3):
            body = {"title": f"Task {number}", "project_id": project["id"]}
            assert servers.ask(f"{base}/api/v1/tasks", body, token=token)[0] == 201

        first = start_courier(variables)
        wait_until(lambda: len(received) == 1)
        first.kill()
        first.wait()
        expire_leases(tmp_path / "taskapp.db")
        second = start_courier(variables)
        wait_until(lambda: len(set(received)) == 3)
        second.terminate()
        assert second.wait(30) == 0

    numbers = [int(webhook_id.removeprefix("evt_")) for webhook_id in received]
    assert numbers == sorted(numbers)
    assert len(received) <= 4
