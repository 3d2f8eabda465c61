"""Behind an nginx as others configure it: compression, a path of its own, HTTP/1.0 upstream"""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson
import pytest

from tests import leftovers, servers
from tests.faults.conftest import URL, Service, running
from tests.faults.test_nginx import NGINX

pytestmark = pytest.mark.faults
PREFIX = "/team-a/tasks"
CONFIGURATION = """
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    access_log off;
    client_max_body_size 64m;
    server {{
        listen 127.0.0.1:{port};
        location {place} {{
            proxy_pass {base}/;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            {directives}
        }}
    }}
}}
"""
GZIP = "proxy_http_version 1.1; gzip on; gzip_min_length 1; gzip_proxied any; gzip_types *;"
BELOW_A_PATH = f"proxy_http_version 1.1; proxy_set_header X-Forwarded-Prefix {PREFIX};"
OLD = "proxy_http_version 1.0; proxy_buffering off;"
NEW = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off;"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for nginx, whose workers are nobody."""
    with leftovers.folder() as folder:
        folder.chmod(0o777)
        yield folder


@contextmanager
def proxied(
    folder: Path, directives: str, variables: dict[str, str], place: str = "/"
) -> Iterator[Service]:
    """The service, as it is reached through such an nginx."""
    assert NGINX, "there is no nginx on the PATH"
    port = servers.free_port()
    with running(**variables, TRUSTED_PROXIES="1", WEB_CONCURRENCY="1") as direct:
        text = CONFIGURATION.format(
            folder=folder, port=port, place=place, base=direct.base, directives=directives
        )
        (folder / "nginx.conf").write_text(text)
        command = [NGINX, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        base = f"http://127.0.0.1:{port}{place.rstrip('/')}"
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                servers._wait_for_answer(f"{base}/health")
                servers.masters[base] = servers.masters[direct.base]
                yield Service(base, direct.token)
            finally:
                process.terminate()


def compressed(service: Service, path: str, **headers: str) -> tuple[int, str, Any]:
    """The status, the tag and the body of an answer that may be compressed."""
    connection = HTTPConnection(service.base.removeprefix("http://"), timeout=30)
    sent = {"Authorization": f"Bearer {service.token}", "Accept-Encoding": "gzip"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=sent)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.status == 200:
        assert answer.headers["Content-Encoding"] == "gzip"
        data = gzip.decompress(data)
    return answer.status, answer.headers["ETag"], orjson.loads(data) if data else None


def test_a_tag_that_compression_weakened_still_matches(
    on_sqlite: dict[str, str], folder: Path
) -> None:
    with proxied(folder, GZIP, on_sqlite) as service:
        task = service.ask(URL, {"title": "Fern"})[2]
        path = f"{URL}/{task['id']}"

        status, tag, body = compressed(service, path)
        assert (status, body["title"]) == (200, "Fern")
        assert tag.startswith('W/"')
        assert compressed(service, path, If_None_Match=tag)[0] == 304
        changed = service.ask(path, {"title": "Moss"}, method="PATCH", If_Match=tag)
        stale = service.ask(path, {"title": "Rest"}, method="PATCH", If_Match=tag)
        assert (changed[0], stale[0], stale[2]["code"]) == (200, 412, "precondition-failed")
        again = compressed(service, path)[1]
        assert service.ask(path, method="DELETE", If_Match=again)[0] == 204


@pytest.mark.parametrize("path", [URL, "/api/v1/changes", "/api/v1/projects", "/openapi.json"])
def test_a_list_that_is_compressed_is_not_sent_twice(
    on_sqlite: dict[str, str], folder: Path, path: str
) -> None:
    with proxied(folder, GZIP, on_sqlite) as service:
        service.ask(URL, {"title": "Fern"})
        status, tag, _ = compressed(service, path)

        assert status == 200
        assert compressed(service, path, If_None_Match=tag)[0] == 304


def test_every_address_leads_back_below_the_path(on_sqlite: dict[str, str], folder: Path) -> None:
    with proxied(folder, BELOW_A_PATH, on_sqlite, f"{PREFIX}/") as service:
        created = service.ask(URL, {"title": "Fern"})
        service.ask(URL, {"title": "Moss"})
        first = service.ask(f"{URL}?limit=1")
        following = first[1]["Link"].partition(">")[0].lstrip("<")
        feed = service.ask("/api/v1/auth/tokens", {"name": "Calendar", "scopes": ["feed"]})[2]

        for address in (created[1]["Location"], following, feed["feed_url"]):
            assert address.startswith(f"{service.base}/"), address
            assert status_of(address, service) == 200
        assert service.ask(following.removeprefix(service.base))[2]["items"][0]["title"] == "Fern"


def test_documents_and_problems_work_below_the_path(
    on_sqlite: dict[str, str], folder: Path
) -> None:
    with proxied(folder, BELOW_A_PATH, on_sqlite, f"{PREFIX}/") as service:
        host = service.base.removesuffix(PREFIX)
        problem = service.ask(f"{URL}/1000000")[2]
        document = service.ask("/openapi.json")[2]

        assert problem["type"] == f"{PREFIX}/problems/not-found"
        assert status_of(host + problem["type"], service) == 200
        (server,) = document["servers"]
        assert server["url"].removeprefix(host).rstrip("/") == PREFIX
        for page in ("/docs", "/redoc", "/"):
            html = text_of(service.base + page)
            needed = re.findall(r'(?:src|href)="([^"#]+\.(?:js|css|svg|png|json))"', html)
            assert needed, page
            for reference in needed:
                address = urljoin(service.base + page, reference)
                assert address.startswith(f"{service.base}/"), reference
                assert status_of(address, service) == 200, reference


def status_of(address: str, service: Service) -> int:
    with asked(address, Authorization=f"Bearer {service.token}") as answer:
        answer.read()
        return answer.status


def text_of(address: str) -> str:
    with asked(address, Accept="text/html") as answer:
        return answer.read().decode()


@contextmanager
def asked(address: str, **headers: str) -> Iterator[HTTPResponse]:
    parts = urlsplit(address)
    path = parts._replace(scheme="", netloc="").geturl()
    with closing(HTTPConnection(parts.netloc, timeout=60)) as connection:
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            yield answer


@pytest.mark.parametrize(("directives", "counted"), [(OLD, True), (NEW, False)])
@pytest.mark.parametrize("shape", ["ndjson", "csv"])
def test_an_export_that_is_cut_is_told_from_a_whole_one(
    on_sqlite: dict[str, str], folder: Path, directives: str, counted: bool, shape: str
) -> None:
    rows = [{"title": f"{number}", "description": 65_000 * "x"} for number in range(330)]
    with proxied(folder, directives, {**on_sqlite, "MAX_BODY_BYTES": "30000000"}) as service:
        for part in range(3):  # more than the buffers between here and there hold
            imported = service.ask(f"{URL}/import", {"items": rows[part::3]})
            assert imported[0] == 200, imported[2]
        address = f"{service.base}{URL}?format={shape}"
        authorization = f"Bearer {service.token}"
        with asked(address, Authorization=authorization) as whole:
            size = len(whole.read())
            assert (whole.headers["Content-Length"] == str(size)) == counted
        assert size > 20_000_000

        with asked(address, Authorization=authorization) as cut:
            cut.read(10_000)
            for worker in service.workers:
                worker.kill()
            with pytest.raises((IncompleteRead, ConnectionError)):
                cut.read()
