"""A schema that is not this code's, and migrations that are killed half-way"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests import servers
from tests.conftest import new_database
from tests.faults.conftest import Postgres, wait_until
from tests.faults.test_postgresql import WAITING
from tests.faults.test_sqlite import sound


@pytest.mark.parametrize("found", ["0000", "9999", None])
def test_another_schema_is_not_ready_and_says_why(
    fresh_environment: dict[str, str], found: str | None
) -> None:
    folder = fresh_environment["TASKAPP_INSTANCE"]
    url = fresh_environment.get("DATABASE_URL", f"sqlite:///{folder}/taskapp.db")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
        if found:
            written = sa.text("INSERT INTO alembic_version VALUES (:found)")
            connection.execute(written, {"found": found})
    engine.dispose()

    with servers.gunicorn(**fresh_environment) as base:
        for path in ("/health/ready", "/health/startup"):
            status, headers, problem = servers.ask(f"{base}{path}")
            assert (status, problem["code"]) == (503, "database-unavailable")
            assert f"at schema {found}" in problem["detail"]
            assert headers["Retry-After"]
        assert servers.ask(f"{base}/health")[0] == 200


@contextmanager
def migrating(**variables: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    environment = servers.environment(**variables)
    with subprocess.Popen(
        command, cwd=servers.ROOT, env=environment, stderr=subprocess.DEVNULL
    ) as process:
        yield process


def test_killed_half_way_on_postgresql_it_is_undone(postgres: Postgres, tmp_path: Path) -> None:
    url = new_database(postgres.server.get_uri(), f"half_{abs(hash(str(tmp_path)))}")
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "DATABASE_URL": url}
    with closing(postgres.connect(url)) as other, closing(postgres.connect(url)) as watcher:
        other.autocommit = False
        other.cursor().execute("CREATE TABLE comments (id int)")  # the migration must wait here
        with migrating(**variables) as process, watcher.cursor() as cursor:
            name = watcher.info.dbname
            wait_until(lambda: cursor.execute(WAITING, [name]) or cursor.fetchall())
            process.send_signal(signal.SIGKILL)
        other.rollback()

        tables = "SELECT 1 FROM pg_tables WHERE schemaname = 'public'"
        with watcher.cursor() as cursor:
            wait_until(lambda: cursor.execute(tables) or not cursor.fetchall())
    assert servers.flask("db", "upgrade", **variables).returncode == 0
    assert servers.flask("users", "list", **variables).returncode == 0


def killed_at_work(folder: Path) -> bool:
    """Whether a migration of a new database was killed while it held the lock that writers take."""

    def at_work() -> bool:
        path = folder / "taskapp.db"
        try:
            uri = f"file:{path}?mode=rw"
            with closing(sqlite3.connect(uri, timeout=0, uri=True)) as connection:
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
        return False

    folder.mkdir()
    with migrating(TASKAPP_INSTANCE=str(folder)) as process:
        while not at_work() and process.poll() is None:
            pass
        process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def test_killed_half_way_on_sqlite_it_is_undone(tmp_path: Path) -> None:
    tries = (tmp_path / str(number) for number in range(10))  # it may be over before it is seen
    folder = next(folder for folder in tries if killed_at_work(folder))
    variables = {"TASKAPP_INSTANCE": str(folder)}

    assert sound(folder)
    assert servers.flask("db", "upgrade", **variables).returncode == 0
    assert servers.flask("users", "list", **variables).returncode == 0
