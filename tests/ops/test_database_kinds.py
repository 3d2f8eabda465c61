"""Databases in another encoding or read-only, and statements without an end"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import OperationalError

from taskapp.database import sqlite
from taskapp.database.session import read
from taskapp.errors import DatabaseBusy, from_database
from tests import servers
from tests.conftest import new_database

COUNT_TO = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT max(i) FROM n
"""
END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def encoded_url(postgresql_url: str, request: pytest.FixtureRequest) -> str:
    """A database in another encoding."""
    name = f"encoded_{os.getpid()}"
    url = sa.make_url(new_database(postgresql_url, name))
    engine = sa.create_engine(
        postgresql_url.replace("postgresql://", "postgresql+psycopg2://"),
        isolation_level="AUTOCOMMIT",
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "{name}"')
        connection.exec_driver_sql(
            f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING {request.param} LOCALE "C"'
        )
    engine.dispose()
    return url.render_as_string(hide_password=False)


@pytest.mark.parametrize("command", ["flask --app wsgi db upgrade", "gunicorn wsgi:app"])
def test_a_database_in_another_encoding_is_refused_at_the_start(
    encoded_url: str, tmp_path: Path, command: str
) -> None:
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "DATABASE_URL": encoded_url}
    port = str(servers.free_port())
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=servers.ROOT,
        env=servers.environment(PORT=port, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "DATABASE_URL: the database is in " in done.stderr
    assert "ENCODING 'UTF8'" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_names_the_encoding(encoded_url: str, tmp_path: Path) -> None:
    doctor = servers.flask("doctor", TASKAPP_INSTANCE=str(tmp_path), DATABASE_URL=encoded_url)

    assert doctor.returncode == 1
    assert "down      database       DATABASE_URL: the database is in " in doctor.stdout


@pytest.mark.parametrize("fresh_environment", ["postgresql"], indirect=True)
def test_a_database_that_became_read_only_is_degraded(fresh_environment: dict[str, str]) -> None:
    url = sa.make_url(fresh_environment["DATABASE_URL"])
    with servers.gunicorn(**fresh_environment) as base:
        token = servers.sign_up(base, "alice@example.com")
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg2"))
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            name = url.database
            setting = "default_transaction_read_only = on"
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET {setting}')
            connection.exec_driver_sql(END_OTHERS)
        engine.dispose()
        time.sleep(0.3)  # a connection that has rested is pinged before it is used again
        status, _, ready = servers.ask(f"{base}/health/ready")
        write = servers.ask(f"{base}/api/v1/tasks", {"title": "Refused"}, token=token)

        assert (status, ready["status"], ready["checks"]["database"]) == (
            200, "degraded", "degraded",
        )  # fmt: skip
        assert (write[0], write[2]["code"]) == (503, "storage-full")
        assert "read-only" in write[2]["detail"]
        assert servers.ask(f"{base}/api/v1/tasks", token=token)[0] == 200


@pytest.fixture
def app_on_sqlite(request: pytest.FixtureRequest) -> Flask:
    stage = request.getfixturevalue("_stage_on_sqlite")
    app: Flask = stage.app
    return app


def test_a_statement_of_a_request_ends_in_time(
    app_on_sqlite: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "STATEMENT_TIMEOUT", 0.05)
    endless = sa.text(COUNT_TO.format(10**12))

    with app_on_sqlite.test_request_context(), pytest.raises(OperationalError) as caught:
        read(endless)

    assert isinstance(from_database(caught.value), DatabaseBusy)


def test_a_statement_of_a_command_may_take_long(
    app_on_sqlite: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup or a migration of a large database does."""
    monkeypatch.setattr(sqlite, "STATEMENT_TIMEOUT", 0.0)

    with app_on_sqlite.app_context():
        assert read(sa.text(COUNT_TO.format(1_000_000))).scalar_one() == 1_000_000
