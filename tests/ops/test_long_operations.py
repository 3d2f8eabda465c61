"""Exports, imports and large batches never take all workers"""

from __future__ import annotations

import fcntl
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import servers
from tests.faults.conftest import URL, Service, running

BUSY = (503, "database-busy")
REST = b"]}"  # of an import
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def place_taken(instance: Path) -> Iterator[None]:
    """As by another worker's export."""
    with (instance / "long-operations" / "0.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def batch(size: int) -> dict[str, object]:
    return {"operations": [{"op": "create", "body": {"title": f"{n}"}} for n in range(size)]}


def long_ones(service: Service) -> list[tuple[int, str]]:
    """An export, an import and a batch of 51: the status and the code of each."""
    rows = {"items": [{"title": "Imported"}]}
    export = export_of(service)
    refused = []
    for path, body in ((f"{URL}/import", rows), (f"{URL}/batch", batch(51))):
        status, headers, reply = service.ask(path, body)
        refused.append((status, reply.get("code", "")))
        assert status == 200 or int(headers["Retry-After"]) >= 1
    return [export, *refused]


def export_of(service: Service) -> tuple[int, str]:
    status, _, reply = service.ask(f"{URL}?format=ndjson&label=nothing")
    return status, "" if reply is None else reply["code"]


@pytest.fixture
def service(fresh_environment: dict[str, str]) -> Iterator[Service]:
    with running(**fresh_environment, WEB_CONCURRENCY="2") as service:
        assert service.create("one row to export")[0] == 201
        assert export_of(service)[0] == 200
        yield service


def test_the_next_long_operation_is_refused_and_short_ones_go_on(
    service: Service, fresh_environment: dict[str, str]
) -> None:
    with place_taken(Path(fresh_environment["TASKAPP_INSTANCE"])):
        assert long_ones(service) == [BUSY, BUSY, BUSY]
        assert service.read() == 200
        assert service.create("a short write") == (201, "")
        assert service.ask(f"{URL}/batch", batch(50))[0] == 200

    assert long_ones(service)[1:] == [(200, ""), (200, "")]
    assert long_ones(service)[1:] == [(200, ""), (200, "")]  # each gave its place back


def test_an_export_has_its_place_until_its_last_byte_is_sent(service: Service) -> None:
    """Flask tears a request down before its stream begins, too."""
    rows = [{"title": f"{n}", "description": "long " * 2_500} for n in range(1_500)]
    assert service.ask(f"{URL}/import", {"items": rows})[0] == 200
    connection = HTTPConnection(urlsplit(service.base).netloc, timeout=30)
    headers = {"Authorization": f"Bearer {service.token}"}
    connection.request("GET", f"{URL}?format=ndjson", headers=headers)
    response = connection.getresponse()

    assert (response.status, response.read(1)) == (200, b"{")
    assert export_of(service) == BUSY

    assert response.read().count(b"\n") == 1_501
    connection.close()
    assert export_of(service)[0] == 200


@pytest.mark.parametrize("line", ["GET {} HTTP/1.0", "GET {} HTTP/1.1", "HEAD {} HTTP/1.1"])
def test_who_has_all_of_an_export_may_ask_for_the_next(service: Service, line: str) -> None:
    path = f"{URL}?format=csv"
    request = f"{line.format(path)}\r\nHost: x\r\nAuthorization: Bearer {service.token}\r\n\r\n"
    statuses = [status_of_whole(service, request.encode()) for _ in range(20)]

    assert statuses == [200] * 20


def status_of_whole(service: Service, request: bytes) -> int:
    """The status, as soon as the last byte of the answer is there; the server closes after it."""
    parts = urlsplit(service.base)
    method = request.split()[0].decode()
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=30) as connection:
        connection.sendall(request)
        with HTTPResponse(connection, method=method) as answer:
            answer.begin()
            answer.read(int(answer.headers.get("Content-Length", -1)))
            return answer.status


def key(name: str) -> dict[str, str]:
    return {"Idempotency_Key": f"{name} of the retried import".replace(" ", "-")}


@contextmanager
def import_in_progress(service: Service, place: Path) -> Iterator[HTTPConnection]:
    """An import whose first half has arrived, so that it has its place."""
    half = b'{"items": [{"title": "Fern"}'
    connection = HTTPConnection(urlsplit(service.base).netloc, timeout=30)
    connection.putrequest("POST", f"{URL}/import")
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
    headers |= {"Idempotency-Key": key("first")["Idempotency_Key"]}
    headers["Content-Length"] = str(len(half) + len(REST))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(half)
    deadline = time.monotonic() + 10
    while not is_taken(place) and time.monotonic() < deadline:
        time.sleep(0.01)
    yield connection
    connection.close()


def is_taken(place: Path) -> bool:
    with place.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_retry_learns_that_its_long_operation_is_in_progress(
    service: Service, fresh_environment: dict[str, str]
) -> None:
    place = Path(fresh_environment["TASKAPP_INSTANCE"], "long-operations", "0.lock")
    rows = {"items": [{"title": "Fern"}]}
    with import_in_progress(service, place) as first:
        again = service.ask(f"{URL}/import", rows, **key("first"))
        other = service.ask(f"{URL}/import", rows, **key("other"))
        unnamed = service.ask(f"{URL}/import", rows)
        first.send(REST)
        status = first.getresponse().status

    codes = [(status, reply["code"]) for status, _, reply in (again, other, unnamed)]
    assert (status, codes) == (200, [(409, "request-in-progress"), BUSY, BUSY])
    status, headers, counts = service.ask(f"{URL}/import", rows, **key("first"))
    assert (status, headers["Idempotency-Replayed"], counts["created"]) == (200, "true", 1)


@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_a_killed_worker_leaves_no_place_taken(
    service: Service, fresh_environment: dict[str, str]
) -> None:
    place = Path(fresh_environment["TASKAPP_INSTANCE"], "long-operations", "0.lock")
    command = [sys.executable, "-c", HOLD, str(place)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=servers.environment()
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert export_of(service) == BUSY
        holder.kill()
        holder.wait()

        assert export_of(service)[0] == 200
