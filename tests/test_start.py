"""What gunicorn loads, and what it says: where to go, and no secret."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import servers

# What a server on SQLite does not load, and who does. All processes together have it once: only
# what a master loads before it forks is shared.
LOADED_BY_OTHERS = {
    "alembic": "`flask db`",
    "icalendar": "tests",
    "psycopg2": "a service on PostgreSQL",
    "redis": "a service with REDIS_URL",
    "smtplib": "the courier",
    "sqlalchemy.dialects.postgresql": "a service on PostgreSQL",
    "taskapp.courier": "the courier",
    "taskapp.ops.backup": "commands",
    "taskapp.ops.cli": "commands",
    "taskapp.ops.seed": "commands",
    "zxcvbn": "who chooses a password: most workers never see one",
}
# As `python -m gunicorn wsgi:app` begins, up to its first worker.
BEGIN = """
import gc, json, sys
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter

sys.argv = ["gunicorn", "wsgi:app", "--bind=127.0.0.1:0", "--log-level=error"]
arbiter = Arbiter(WSGIApplication())
arbiter.start()
told = {"modules": list(sys.modules), "collects": gc.isenabled(), "left": gc.get_freeze_count()}
arbiter.app.reload()  # as for a SIGHUP, up to its first worker
arbiter.setup(arbiter.app)
arbiter.cfg.on_reload(arbiter)
print(json.dumps({**told, "still_collects": gc.isenabled()}))
"""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What stands in gunicorn's master once everything is loaded."""
    folder = tmp_path_factory.mktemp("begun")
    variables = servers.environment(TASKAPP_INSTANCE=str(folder), ENVIRONMENT="production")
    variables["SECRET_KEY"] = "0123456789abcdef" * 4
    command = [sys.executable, "-c", BEGIN]
    return json.loads(subprocess.check_output(command, cwd=servers.ROOT, env=variables))


@pytest.mark.parametrize("module", LOADED_BY_OTHERS)
def test_what_others_need_is_not_loaded_to_serve(module: str, begun: Any) -> None:
    assert module not in begun["modules"]


def test_garbage_is_collected_once_everything_is_loaded(begun: Any) -> None:
    assert begun["collects"]
    assert begun["still_collects"]
    assert begun["left"] > 10_000


def test_a_server_on_ones_own_machine_says_what_to_open(tmp_path: Path) -> None:
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    log = tmp_path / "log"

    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path)) as base:
        pass

    assert f"Open {base}/ in a browser" in log.read_text()
    assert "users create --admin" in log.read_text()


def test_a_server_in_production_does_not(tmp_path: Path) -> None:
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    log = tmp_path / "log"
    variables = {"ENVIRONMENT": "production", "SECRET_KEY": "0123456789abcdef" * 4}

    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path), **variables):
        pass

    assert "Listening at" in log.read_text()
    assert "in a browser" not in log.read_text()


@pytest.mark.parametrize(
    ("request_line", "header", "reason"),
    [
        ("GET / HTTP/1.1", "Authorization Bearer {}", "InvalidHeader"),
        ("GET / HTTP/1.1", "Authorization\0: {}", "InvalidHeaderName"),
        ("GET /api/v1/feeds/{}.ics HTTP/0.1", "Host: x", "InvalidHTTPVersion"),
    ],
)
def test_what_gunicorn_cannot_read_is_not_quoted_in_the_log(
    request_line: str, header: str, reason: str, tmp_path: Path
) -> None:
    servers.migrate(TASKAPP_INSTANCE=str(tmp_path))
    log, secret = tmp_path / "log", "tsk_secret-of-a-feed"
    sent = f"{request_line}\r\n{header}\r\n\r\n".format(secret)

    with servers.gunicorn(log=log, TASKAPP_INSTANCE=str(tmp_path)) as base:
        port = int(base.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(sent.encode())
            assert b" 400 " in connection.recv(4096)

    assert f'address="127.0.0.1" reason="{reason}"' in log.read_text()
    assert secret not in log.read_text()
