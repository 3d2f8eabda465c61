"""Real servers under one contract: gunicorn with taskapp, uvicorn with its async twin.

Each service stands on SQLite and on PostgreSQL. A server starts when the first test asks for it
and serves all tests of its kind; Alice and Charlie have an account on each.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from lab.servers import end
from tests import servers
from tests.conftest import new_database
from tests.servers import ROOT, environment, free_port

Json = dict[str, Any]
PASSWORD = "seven mossy lanterns"
SERVICES = ("sync", "twin")
DATABASES = ("sqlite", "postgresql")


@contextmanager
def twin(**variables: str) -> Iterator[str]:
    """The twin in a process of its own; yields its base URL."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "lab.twin.app:app", "--port", str(port)]
    command += ["--log-level", "warning"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(**variables)) as process:
        try:
            base = f"http://127.0.0.1:{port}"
            servers._wait_for_port(port, process.poll, seconds=60)
            servers._wait_for_answer(f"{base}/health")
            yield base
        finally:
            end(process)


START: dict[str, Callable[..., Any]] = {"sync": servers.gunicorn, "twin": twin}


@dataclass
class Service:
    """A running service and the two who have an account on it."""

    base: str
    variables: dict[str, str]
    alice: httpx.Client
    charlie: httpx.Client
    anonymous: httpx.Client

    def somebody(self) -> httpx.Client:
        """A client of a user who has nothing yet."""
        return signed_up(self.base, f"{uuid4().hex}@example.com")


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with servers.postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], Service]]:
    """Start a service on first use, and stop them all at the end."""
    with ExitStack() as stack:
        known: dict[tuple[str, str], Service] = {}

        def start(kind: str, database: str) -> Service:
            if (kind, database) not in known:
                made = (
                    _beside(start("sync", database)) if kind == "beside" else _alone(kind, database)
                )
                known[kind, database] = made
            return known[kind, database]

        def _alone(kind: str, database: str) -> Service:
            maintenance = request.getfixturevalue("postgresql_url") if database != "sqlite" else ""
            variables = empty_database(tmp_path_factory.mktemp("instance"), maintenance)
            base = stack.enter_context(START[kind](**variables))
            cast = [signed_up(base, f"{name}@example.com") for name in ("alice", "charlie")]
            return Service(base, variables, *cast, visitor(base))

        def _beside(sync: Service) -> Service:
            """A narrow twin on taskapp's database, with its SECRET_KEY and its cast."""
            variables = {**sync.variables, "DATABASE_POOL_SIZE": "1", "REQUIRE_IF_MATCH": "true"}
            base = stack.enter_context(twin(**variables))
            cast = (visitor(base, client.headers) for client in (sync.alice, sync.charlie))
            return Service(base, variables, *cast, visitor(base))

        yield start
        for service in known.values():
            for client in (service.alice, service.charlie, service.anonymous):
                client.close()


def each(kinds: tuple[str, ...], databases: tuple[str, ...]) -> list[Any]:
    """Every pair, each kept on one test process: `--dist loadgroup`."""
    return [
        pytest.param((kind, database), id=f"{kind}-{database}", marks=pytest.mark.xdist_group(kind))
        for kind in kinds
        for database in databases
    ]


@pytest.fixture(params=each(SERVICES, DATABASES))
def service(request: pytest.FixtureRequest, running: Callable[[str, str], Service]) -> Service:
    """taskapp and its twin in turn, on each database in turn."""
    return running(*request.param)


@pytest.fixture
def alice(service: Service) -> httpx.Client:
    return service.alice


@pytest.fixture
def charlie(service: Service) -> httpx.Client:
    return service.charlie


@pytest.fixture
def anonymous(service: Service) -> httpx.Client:
    return service.anonymous


@pytest.fixture
def newcomer(service: Service) -> Iterator[httpx.Client]:
    client = service.somebody()
    yield client
    client.close()


@pytest.fixture
def task(alice: httpx.Client) -> Json:
    """A task in Alice's inbox."""
    return made(alice, title="Water the fern")


def empty_database(folder: Path, maintenance_url: str = "") -> dict[str, str]:
    """The environment of a service on an empty, migrated database."""
    url = f"sqlite:///{folder / 'taskapp.db'}"
    if maintenance_url:
        url = new_database(maintenance_url, f"lab_{os.getpid()}_{uuid4().hex[:8]}")
    variables = {"DATABASE_URL": url, "TASKAPP_INSTANCE": str(folder)}
    variables |= {"SECRET_KEY": secrets.token_hex(32), "RATELIMIT_ENABLED": "false"}
    variables["ACCESS_TOKEN_MINUTES"] = "60"
    migrated = servers.flask("db", "upgrade", **variables)
    assert migrated.returncode == 0, migrated.stderr
    return variables


def visitor(base: str, headers: httpx.Headers | None = None) -> httpx.Client:
    return httpx.Client(base_url=base, headers=headers, timeout=30)


def signed_up(base: str, email: str) -> httpx.Client:
    """Register and sign in through the front door."""
    client = visitor(base)
    body = {"email": email, "password": PASSWORD, "name": "Somebody"}
    assert client.post("/api/v1/auth/register", json=body).status_code == 201
    del body["name"]
    pair = client.post("/api/v1/auth/login", json=body).json()
    client.headers["Authorization"] = f"Bearer {pair['access_token']}"
    return client


def made(client: httpx.Client, **body: Any) -> Json:
    """A new task."""
    response = client.post("/api/v1/tasks", json=body)
    assert response.status_code == 201, response.text
    created: Json = response.json()
    return created


def ids(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["items"]]


def refused(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of a problem, after a look at the whole of it."""
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == response.status_code
    assert problem["type"] == f"/problems/{problem['code']}"
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert problem.keys() - {"errors"} == {
        "type", "title", "status", "detail", "code", "request_id"
    }  # fmt: skip
    return response.status_code, str(problem["code"])


def named(response: httpx.Response) -> set[str]:
    """The fields and parameters that a 422 names."""
    assert refused(response) == (422, "validation-error"), response.text
    return {each.get("pointer", each.get("parameter")) for each in response.json()["errors"]}
