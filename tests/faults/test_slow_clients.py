"""Clients that say nothing, send a byte a second, or do not read: others are served"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskapp.server import client_socket
from taskapp.server.client_socket import PATIENCE, ClientSocket, ClientTooSlow
from tests import servers

Pair = tuple[ClientSocket, socket.socket]
LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """The service's side of a connection and the client's, with a tenth of a second's patience."""
    monkeypatch.setattr(client_socket, "PATIENCE", 0.1)
    monkeypatch.setattr(client_socket, "LAST_WORD", 0.1)
    ours, theirs = socket.socketpair()
    progress: list[float] = []
    connection = ClientSocket(ours.family, ours.detach(), lambda: progress.append(time.monotonic()))
    with connection, theirs:
        yield connection, theirs


def test_a_client_that_sends_nothing_is_given_up(pair: Pair) -> None:
    ours, _ = pair

    with pytest.raises(ClientTooSlow):
        ours.recv(100)
    with pytest.raises(ClientTooSlow):  # and is not waited for again
        ours.recv(100)


def test_a_byte_now_and_then_does_not_buy_time(pair: Pair) -> None:
    ours, theirs = pair
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.03):
            theirs.send(b"x")

    client = threading.Thread(target=trickle)
    client.start()
    received: list[bytes] = []
    with pytest.raises(ClientTooSlow):
        received.extend(iter(lambda: ours.recv(100), b""))
    over.set()
    client.join()

    assert 0 < len(received) < 10


def test_bytes_that_keep_coming_may_come_for_long(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer of five times the patience: each piece pays for the wait before it."""
    monkeypatch.setattr(client_socket, "EARNS", 1000)
    ours, theirs = pair

    def send() -> None:
        for _ in range(10):
            time.sleep(0.05)
            theirs.send(bytes(1000))

    client = threading.Thread(target=send)
    client.start()
    received = 0
    while received < 10_000:
        received += len(ours.recv(1000))
    client.join()


def test_a_client_that_does_not_read_is_given_up(pair: Pair) -> None:
    ours, _ = pair

    with pytest.raises(ClientTooSlow):
        ours.sendall(bytes(50_000_000))


def whole_answer(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize("fast", ["1", "0"])
def test_idle_and_slow_clients_hold_workers_for_seconds_only(tmp_path: Path, fast: str) -> None:
    """As many of each kind as there are workers, one kind after the other, on a real server."""
    settings = {"TASKAPP_INSTANCE": str(tmp_path), "FAST": fast}
    servers.migrate(**settings)
    with servers.gunicorn(**settings, WEB_CONCURRENCY="2") as base:
        address = ("127.0.0.1", int(base.rpartition(":")[2]))
        silent = [socket.create_connection(address) for _ in range(2)]
        began = time.monotonic()
        assert servers.ask(f"{base}/health")[0] == 200  # they never reach a worker
        assert time.monotonic() - began < PATIENCE / 2

        unfinished = [socket.create_connection(address, timeout=60) for _ in range(2)]
        for connection in unfinished:
            connection.sendall(LOGIN + b"Content-Length: 100\r\n\r\n{")
        answers = [whole_answer(connection) for connection in unfinished]
        assert servers.ask(f"{base}/health")[0] == 200
        waited = time.monotonic() - began
        for connection in (*silent, *unfinished):
            connection.close()

    assert all(answer.startswith(b"HTTP/1.1 400 ") for answer in answers)
    assert all(b"malformed-request" in answer for answer in answers)
    assert waited < 4 * PATIENCE  # one of them may have waited for the other
