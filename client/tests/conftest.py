"""The service as it ships, a proxy in front that loses answers, and `tasks` as pipx installs it."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from .proxy import Proxy

ROOT = Path(__file__).parents[2]
TASKS = Path(sys.executable).with_name("tasks")
PASSWORD = "seven mossy lanterns"
Json = dict[str, Any]
Ran = subprocess.CompletedProcess[str]
_numbers = itertools.count(1)


@dataclass
class Person:
    """Somebody with an account, a machine, and a way to look at the service directly."""

    url: str
    email: str
    home: Path
    api: httpx.Client
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self, **variables: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TZ": "Europe/Berlin",
            "COLUMNS": "100",
            "PYTHONWARNINGS": "error",
            "TASKS_URL": self.url,
            **self.variables,
            **variables,
        }

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Ran:
        """Run `tasks` in a process of its own, without a terminal."""
        return subprocess.run(
            [TASKS, *arguments],
            env=self.environment(**variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def does(self, *arguments: str, stdin: str = "", **variables: str) -> str:
        """Run it, and be sure that it worked; what it printed."""
        ran = self.run(*arguments, stdin=stdin, **variables)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def add(self, title: str = "Water the fern", **fields: Any) -> Json:
        """A task that was there before, made without `tasks`."""
        answer = self.api.post("/tasks", json={"title": title, **fields})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def task(self, task_id: int) -> Json:
        return dict(self.api.get(f"/tasks/{task_id}").json())

    def change(self, task_id: int, **fields: Any) -> None:
        """What somebody else does meanwhile."""
        assert self.api.patch(f"/tasks/{task_id}", json=fields).status_code == 200

    def all_tasks(self) -> list[Json]:
        page = self.api.get("/tasks", params={"limit": 200, "sort": "id"}).json()
        assert page["next_cursor"] is None
        return list(page["items"])

    def through(self, proxy: Proxy) -> Person:
        """The same person behind a proxy, signed in by environment."""
        variables = {"TASKS_URL": proxy.url, "TASKS_TOKEN": self.token}
        return Person(proxy.url, self.email, self.home, self.api, variables)

    @property
    def token(self) -> str:
        answer = httpx.post(
            f"{self.url}/api/v1/auth/login", json={"email": self.email, "password": PASSWORD}
        )
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        body = {"name": "test", "scopes": ["write"]}
        created = httpx.post(f"{self.url}/api/v1/auth/tokens", json=body, headers=headers)
        return str(created.json()["token"])


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gunicorn(tmp_path_factory.mktemp("instance")) as url:
        yield url


@contextmanager
def gunicorn(instance: Path, **settings: str) -> Iterator[str]:
    """The service on a fresh SQLite database; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {
        "PATH": os.environ["PATH"],
        "PORT": str(port),
        "TASKAPP_INSTANCE": str(instance),
        "RATELIMIT_ENABLED": "false",
        "ACCESS_TOKEN_MINUTES": "60",
        **settings,
    }
    flask = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    subprocess.run(flask, cwd=ROOT, env=variables, check=True, capture_output=True, timeout=120)
    log = (instance / "log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "wsgi:app"],
        cwd=ROOT,
        env=variables,
        stdout=log,
        stderr=log,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url)
        yield url
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            assert httpx.get(f"{url}/health").status_code == 200
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{url} does not answer")


@pytest.fixture
def stranger(service: str, tmp_path: Path) -> Iterator[Person]:
    """Somebody with an account, on a machine that has never seen `tasks`."""
    home = tmp_path / "home"
    home.mkdir()
    with somebody(service, home) as person:
        yield person


@contextmanager
def somebody(service: str, home: Path) -> Iterator[Person]:
    """A new account, and a home for it."""
    email = f"person{next(_numbers)}@example.com"
    body = {"email": email, "password": PASSWORD, "name": "Person"}
    base = f"{service}/api/v1"
    assert httpx.post(f"{base}/auth/register", json=body).status_code == 201
    del body["name"]
    token = httpx.post(f"{base}/auth/login", json=body).json()["access_token"]
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}) as api:
        yield Person(service, email, home, api)


@pytest.fixture
def alice(stranger: Person) -> Person:
    """Somebody who is signed in on this machine."""
    stranger.does("login", "--email", stranger.email, stdin=f"{PASSWORD}\n")
    return stranger


@pytest.fixture
def proxy(service: str) -> Iterator[Proxy]:
    with Proxy(service) as running:
        yield running


@pytest.fixture
def lossy(stranger: Person, proxy: Proxy) -> Person:
    """Somebody behind the proxy."""
    return stranger.through(proxy)


@pytest.fixture
def editor(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """An $EDITOR that does to the text what these lines of Python do to `text`."""

    def make(lines: str) -> dict[str, str]:
        script = tmp_path / f"editor{next(_numbers)}.py"
        head = "import sys, pathlib\nfile = pathlib.Path(sys.argv[-1])\ntext = file.read_text()\n"
        script.write_text(f"{head}{lines}\nfile.write_text(text)\n")
        return {"EDITOR": f"{sys.executable} {script}"}

    return make
