#!/usr/bin/env python3
"""Asks a running service without a pause while something is done to it; counts what fails.

    deploy/load.py URL SECONDS         then, for example, deploy/deploy in another window

Half of the clients keep their connection, half take a new one each time; a third of their requests
write. Nobody tries again, but for what RFC 9112 (9.3.1) expects of each client: where a kept
connection was closed before an answer came, a GET is sent once more (these are counted, too). At
last each acknowledged write is looked for. Needs open registration, and limits that allow it
(RATELIMIT_DEFAULT and RATELIMIT_ADDRESS="1000000 per minute"). The exit code is 0 if nothing failed
and nothing was lost.
"""

import http.client
import json
import secrets
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

CLIENTS = 8
FINE = {"GET 200", "POST 201", "(kept connection was closed)"}
PAUSE = 0.05  # seconds between a client's requests: a steady load, below what nginx takes of one

URL = urlsplit(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000")
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0


class Client(threading.Thread):
    def __init__(self, token: str, keeps: bool) -> None:
        super().__init__()
        self.token, self.keeps = token, keeps
        self.connection: http.client.HTTPConnection | None = None
        self.seen: Counter[str] = Counter()
        self.written: list[int] = []
        self.slowest = 0.0

    def run(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            began = time.monotonic()
            method = "POST" if self.seen.total() % 3 == 0 else "GET"
            try:
                status, body = self.ask(method)
            except (OSError, http.client.HTTPException) as error:
                self.connection = None
                self.seen[f"{method} {type(error).__name__}"] += 1
            else:
                self.seen[f"{method} {status}"] += 1
                if status == 201:
                    self.written.append(body["id"])
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(PAUSE)

    def ask(self, method: str) -> tuple[int, dict]:
        reused = self.connection is not None
        body = {"title": secrets.token_hex(8)} if method == "POST" else None
        try:
            return self.once(method, body)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.connection = None
            if not reused or method == "POST":
                raise
            self.seen["(kept connection was closed)"] += 1
            return self.once(method, body)

    def once(self, method: str, body: dict | None) -> tuple[int, dict]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=60)
        status, answer = call(self.connection, method, "/api/v1/tasks?limit=5", body, self.token)
        if not self.keeps:
            self.connection.close()
            self.connection = None
        return status, answer


def call(connection, method, path, body, token=""):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    path = path if method == "GET" else path.partition("?")[0]
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read() or b"{}")


def account() -> str:
    """A new account's token."""
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=60)
    person = {
        "email": f"load-{secrets.token_hex(8)}@example.com",
        "password": secrets.token_hex(16),
    }
    call(connection, "POST", "/api/v1/auth/register", {**person, "name": "Load"})
    return call(connection, "POST", "/api/v1/auth/login", person)[1]["access_token"]


def stored(token: str) -> set[int]:
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=60)
    ids, cursor = set(), ""
    while cursor is not None:
        path = f"/api/v1/tasks?limit=200&fields=id{cursor and '&cursor=' + cursor}"
        _, page = call(connection, "GET", path, None, token)
        ids |= {task["id"] for task in page["items"]}
        cursor = page["next_cursor"]
    return ids


def main() -> None:
    token = account()
    clients = [Client(token, keeps=bool(n % 2)) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seen = sum((client.seen for client in clients), Counter())
    written = {task for client in clients for task in client.written}
    failed = sum(n for kind, n in seen.items() if kind not in FINE)
    lost = len(written - stored(token))
    slowest = max(client.slowest for client in clients)
    kinds = ", ".join(f"{kind}: {n}" for kind, n in sorted(seen.items()))
    sys.stdout.write(
        f"{kinds}\n{failed} failed, {lost} of {len(written)} writes lost; "
        f"the slowest took {slowest:.2f} s\n"
    )
    raise SystemExit(bool(failed or lost))


main()
