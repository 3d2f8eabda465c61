"""Behind nginx, as deploy/ configures it: framing, slow clients, workers that are replaced"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import pytest

from taskapp.web import assets
from tests import leftovers, servers
from tests.faults.conftest import Load, Service, running

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.faults


SMALLER = {"rate=200r/s": "rate=5r/s", "burst=400": "burst=20"}  # so that few requests are a flood


@contextmanager
def nginx(folder: Path, base: str, changed: dict[str, str]) -> Iterator[str]:
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
        **changed,
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
def behind_nginx(
    folder: Path, changed: dict[str, str] | None = None, **variables: str
) -> Iterator[tuple[Service, Service]]:
    """The service through nginx, and itself."""
    with ExitStack() as stack:
        direct = stack.enter_context(running(**variables, TRUSTED_PROXIES="1"))
        base = stack.enter_context(nginx(folder, direct.base, changed or {}))
        yield Service(base, direct.token), direct


def status_of(base: str, request: bytes) -> int:
    """The status alone: nginx may reset a connection whose body never came."""
    port = int(base.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return int(connection.recv(4096).split()[1])


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder for nginx, whose workers are nobody."""
    with leftovers.folder() as folder:
        yield folder


def begin(base: str, path: str, length: int, token: str = "") -> tuple[int, Any, Any]:
    """The answer to a request whose body never comes."""
    connection = HTTPConnection(base.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", path)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(length))
    connection.putheader("If-None-Match", "*")
    if token:
        connection.putheader("Authorization", f"Bearer {token}")
    connection.endheaders(b"[")
    answer = connection.getresponse()
    told = answer.status, answer.headers, orjson.loads(answer.read())
    connection.close()
    return told


def test_a_large_body_is_taken_from_nobody_who_is_not_signed_in(
    on_sqlite: dict[str, str], public: Path
) -> None:
    large = 20_000_000
    with behind_nginx(public, **on_sqlite) as (service, _):
        task = service.ask("/api/v1/tasks", {"title": "Fern"})[2]["id"]
        for path in ("/api/v1/tasks/import", f"/api/v1/tasks/{task}/attachments"):
            status, headers, body = begin(service.base, path, large)
            assert (status, body["code"], body["status"]) == (401, "unauthorized", 401)
            assert headers["WWW-Authenticate"].startswith("Bearer")
            status, _, body = begin(service.base, path, large, "tsk_nobody")
            assert (status, body["code"]) == (401, "invalid-token")
        for path in ("/api/v1/auth/login", "/api/v1/tasks", "/openapi.json"):
            status, _, body = begin(service.base, path, large)
            assert (status, body["code"]) == (413, "payload-too-large")
        spooled = (public / "client_body").rglob("*")
        assert [path for path in spooled if path.is_file()] == []


def test_who_is_signed_in_imports_and_attaches(on_sqlite: dict[str, str], public: Path) -> None:
    rows = [{"title": f"{number}", "description": 5000 * "x"} for number in range(600)]
    attached = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    attached += 5_000_000 * b"y" + b"\r\n--x--\r\n"
    with behind_nginx(public, **on_sqlite) as (service, _):
        task = service.ask("/api/v1/tasks", {"title": "Fern"})[2]
        project = task["project_id"]
        imported = service.ask(f"/api/v1/tasks/import?project_id={project}", {"items": rows})
        assert imported[0] == 200, imported[2]

        connection = HTTPConnection(service.base.removeprefix("http://"), timeout=30)
        headers = {"Authorization": f"Bearer {service.token}"}
        headers["Content-Type"] = "multipart/form-data; boundary=x"
        path = f"/api/v1/tasks/{task['id']}/attachments"
        connection.request("POST", path, iter([attached]), headers, encode_chunked=True)
        assert connection.getresponse().status == 201
        connection.close()


def test_a_flood_from_one_address_is_refused_in_the_services_words(
    on_sqlite: dict[str, str], public: Path
) -> None:
    with behind_nginx(public, SMALLER, **on_sqlite) as (service, _):
        answers = [servers.ask(f"{service.base}/health") for _ in range(60)]

    refused = [answer for answer in answers if answer[0] != 200]
    assert refused
    for status, headers, body in refused:
        assert (status, body["code"], headers["Retry-After"]) == (429, "rate-limited", "1")


def test_one_address_has_64_requests_at_a_time(on_sqlite: dict[str, str], public: Path) -> None:
    started = b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with behind_nginx(public, **on_sqlite) as (service, _), ExitStack() as stalled:
        port = int(service.base.rpartition(":")[2])
        for _ in range(64):
            connection = socket.create_connection(("127.0.0.1", port))
            stalled.enter_context(connection)
            connection.sendall(started)
        deadline = time.monotonic() + 5
        while (status := servers.ask(f"{service.base}/health")[0]) == 200:
            assert time.monotonic() < deadline
        assert status == 429


def test_no_log_of_nginx_holds_a_secret(on_sqlite: dict[str, str], public: Path) -> None:
    secret = "tsk_a-secret-of-a-feed"
    with behind_nginx(public, **on_sqlite) as (service, direct):

        def ask(path: str, *headers: str) -> None:
            lines = (f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *headers)
            status_of(service.base, "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")

        paths = [f"/api/v1/{feeds}/{secret}.ics" for feeds in ("feeds", "%66eeds", "x/../feeds")]
        paths += [f"/api/v1/feeds%2F{secret}.ics", f"/api/v1%2ffeeds/{secret}.ics"]
        paths += [f"/api/v1/feeds/{secret}.ics?as=todos", f"//api/v1//feeds//{secret}.ics"]
        for path in paths:
            ask(path)
            ask(path, f"Authorization Bearer {secret}", f"A\0: {secret}")
        ask("/health", f"Authorization\0: Bearer {secret}", f"no colon {secret}")
        for process in (direct.master, *direct.workers):
            process.suspend()
            process.kill()
        for path in paths:
            ask(path)
        logs = {path.name: path.read_text() for path in public.glob("*.log")}

    assert "/feeds/..." in logs["access.log"]
    assert [name for name, text in logs.items() if secret in text] == []


def test_static_files_come_from_nginx_and_may_be_kept_for_good(
    on_sqlite: dict[str, str], public: Path
) -> None:
    (public / "static").mkdir()
    copied = assets.copy(public / "static")
    address, file = f"/static/{copied.name}/swagger-ui", "swagger-ui.css"
    (copied / "swagger-ui/only-here.css").write_text("body {}")
    with behind_nginx(public, {"root /srv": f"root {public}"}, **on_sqlite) as (service, _):

        def get(path: str, method: str = "GET") -> tuple[int, Any, bytes]:
            connection = HTTPConnection(service.base.removeprefix("http://"), timeout=10)
            connection.request(method, path)
            answer = connection.getresponse()
            told = answer.status, answer.headers, answer.read()
            connection.close()
            return told

        for_good = "public, max-age=31536000, immutable"
        status, headers, body = get(f"{address}/only-here.css")
        assert (status, headers["Cache-Control"], body) == (200, for_good, b"body {}")
        assert headers["X-Content-Type-Options"] == "nosniff"
        (copied / "swagger-ui" / file).unlink()  # what nginx does not have, the service has
        status, headers, body = get(f"{address}/{file}")
        assert (status, headers["Cache-Control"]) == (200, for_good)
        assert headers["X-Request-ID"]
        assert [get(f"{address}/{name}")[0] for name in ("", "nothing", "..%2f..%2fx")] == 3 * [404]
        assert get(f"{address}/only-here.css", "POST")[0] == 405


def test_whatever_two_parsers_could_read_in_two_ways_is_refused(
    on_sqlite: dict[str, str], public: Path
) -> None:
    task = b'{"title": "x"}'
    chunk = b"e\r\n" + task + b"\r\n0\r\n\r\n"
    length, chunked = f"Content-Length: {len(task)}", "Transfer-Encoding: chunked"
    with behind_nginx(public, **on_sqlite) as (service, _):

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
    on_sqlite: dict[str, str], public: Path
) -> None:
    beginning = b"POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\n"
    started = beginning + b'Content-Length: 100\r\nContent-Type: application/json\r\n\r\n{"ti'
    with behind_nginx(public, **on_sqlite) as (service, _), ExitStack() as stalled:
        port = int(service.base.rpartition(":")[2])
        for number in range(30):
            connection = socket.create_connection(("127.0.0.1", port))
            stalled.enter_context(connection)
            connection.sendall(started if number % 2 else beginning)

        began = time.monotonic()
        assert [service.create(str(number)) for number in range(10)] == 10 * [(201, "")]
        assert time.monotonic() - began < 10


def test_no_request_fails_while_workers_are_replaced(
    fresh_environment: dict[str, str], public: Path
) -> None:
    unlimited = {"limit_req zone=requests burst=400 nodelay;": ""}  # 200 a second are soon sent
    with behind_nginx(public, unlimited, **fresh_environment) as (service, direct):
        load = Load(service)
        with load.going():
            for _ in range(3):
                time.sleep(1)
                for worker in direct.workers:
                    worker.terminate()
            time.sleep(1)
        assert set(load.answers) == {(201, "")}, load.answers
        assert load.missing(service) == set()
