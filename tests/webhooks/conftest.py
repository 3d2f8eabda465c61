"""A receiver on loopback, and webhooks that may reach it."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask

from taskapp.courier import delivery
from tests.conftest import Client, Json


@dataclass
class Receiver:
    """Keeps what it is sent; answers with the statuses in `answers`, then with 204."""

    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.received.append((dict(self.headers.items()), body))
            self.send_response(kept.answers.pop(0) if kept.answers else 204)
            for name, value in kept.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def loopback_allowed(app: Flask) -> Iterator[None]:
    """As with WEBHOOK_NETWORKS=127.0.0.0/8."""
    before = app.extensions["taskapp"]
    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    app.extensions["taskapp"] = replace(before, webhook_networks=networks)
    yield
    app.extensions["taskapp"] = before


@pytest.fixture
def webhook(alice: Client, shared: Json, receiver: Receiver, loopback_allowed: None) -> Json:
    body = {"url": receiver.url}
    response = alice.post(f"/api/v1/projects/{shared['id']}/webhooks", json=body)
    assert response.status_code == 201, response.get_json()
    created: Json = response.get_json()
    return created


def run_courier(app: Flask) -> int:
    """Deliver all that is due now; returns how many webhooks were served."""
    served = 0
    while True:
        with app.app_context():
            lease = delivery.take_lease()
            if lease is None:
                return served
            delivery.deliver(lease)
        served += 1
