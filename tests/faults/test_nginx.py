"""Behind nginx, as deploy/ configures it: framing, slow clients, workers that are replaced"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import servers
from tests.faults.conftest import Load, Service, running

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.faults


@contextmanager
def nginx(folder: Path, base: str) -> Iterator[str]:
    """deploy/nginx/nginx.conf, with this machine's folders, ports and service put in."""
    assert NGINX, "there is no nginx on the PATH"
    port = servers.free_port()
    text = (servers.ROOT / "deploy/nginx/nginx.conf").read_text()
    for there, here in {
        "http://api:8000": base,
        "http://standby:8000": base,
        "/tmp/": f"{folder}/",  # noqa: S108 - the image's own, replaced
        "/dev/stdout": str(folder / "access.log"),
        "/dev/stderr": str(folder / "error.log"),
        "listen 8080": f"listen 127.0.0.1:{port}",
        "listen 8082": f"listen 127.0.0.1:{servers.free_port()}",
        "listen 127.0.0.1:8081": f"listen 127.0.0.1:{servers.free_port()}",
    }.items():
        assert there in text, there
        text = text.replace(there, here)
    (folder / "nginx.conf").write_text(text)
    folder.chmod(0o777)  # nginx's workers are nobody
    command = [NGINX, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            servers._wait_for_answer(f"http://127.0.0.1:{port}/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@contextmanager
def behind_nginx(folder: Path, **variables: str) -> Iterator[tuple[Service, Service]]:
    """The service through nginx, and itself."""
    with running(**variables, TRUSTED_PROXIES="1") as direct:
        (folder / "nginx").mkdir()
        with nginx(folder / "nginx", direct.base) as base:
            yield Service(base, direct.token), direct


def status_of(base: str, request: bytes) -> int:
    """The status alone: nginx may reset a connection whose body never came."""
    port = int(base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return int(connection.recv(4096).split()[1])


def test_whatever_two_parsers_could_read_in_two_ways_is_refused(
    on_sqlite: dict[str, str], tmp_path: Path
) -> None:
    task = b'{"title": "x"}'
    chunk = b"e\r\n" + task + b"\r\n0\r\n\r\n"
    length, chunked = f"Content-Length: {len(task)}", "Transfer-Encoding: chunked"
    with behind_nginx(tmp_path, **on_sqlite) as (service, _):

        def post(*headers: str, body: bytes) -> int:
            lines = ["POST /api/v1/tasks HTTP/1.1", "Host: x", "Content-Type: application/json"]
            lines += [f"Authorization: Bearer {service.token}", "Connection: close", *headers]
            head = "".join(f"{line}\r\n" for line in lines).encode()
            return status_of(service.base, head + b"\r\n" + body)

        assert post(length, body=task) == 201
        assert post(chunked, body=chunk) == 201
        for headers, body in (
            ((length, chunked), chunk),
            ((length, "Content-Length: 5"), task),
            (("Content-Length: -1",), task),
            (("Content-Length: +14",), task),
            (("Content-Length: 0xe",), task),
            (("Transfer-Encoding: xchunked",), chunk),
            ((chunked,), b"zz\r\n" + task),
        ):
            assert post(*headers, body=body) == 400, headers
        assert post(length, "Content-Encoding: gzip", body=task) == 415
        assert post("Content-Length: 30000000", body=b"") == 413
        trace = b"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert status_of(service.base, trace) == 405
        assert service.total() == 2


def test_thirty_clients_that_stand_still_are_noticed_by_nobody(
    on_sqlite: dict[str, str], tmp_path: Path
) -> None:
    beginning = b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\n"
    started = beginning + b'Content-Length: 100\r\nContent-Type: application/json\r\n\r\n{"ti'
    with behind_nginx(tmp_path, **on_sqlite) as (service, _), ExitStack() as stalled:
        port = int(service.base.rpartition(":")[2])
        for number in range(30):
            connection = socket.create_connection(("127.0.0.1", port))
            stalled.enter_context(connection)
            connection.sendall(started if number % 2 else beginning)

        began = time.monotonic()
        assert [service.create(str(number)) for number in range(10)] == 10 * [(201, "")]
        assert time.monotonic() - began < 10


def test_no_request_fails_while_workers_are_replaced(
    fresh_environment: dict[str, str], tmp_path: Path
) -> None:
    with behind_nginx(tmp_path, **fresh_environment) as (service, direct):
        load = Load(service)
        with load.going():
            for _ in range(3):
                time.sleep(1)
                for worker in direct.workers:
                    worker.terminate()
            time.sleep(1)
        assert set(load.answers) == {(201, "")}, load.answers
        assert load.missing(service) == set()
