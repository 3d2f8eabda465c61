"""The service needs a role that may read and write rows, and change no table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from psycopg2 import errors

from tests import servers
from tests.conftest import new_database

ROLES = servers.ROOT / "deploy" / "postgres" / "roles.psql"


@pytest.fixture(scope="module")
def service_url(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database that one role has migrated, for the role that serves."""
    url = sa.make_url(new_database(postgresql_url, f"roles_{os.getpid()}"))
    with closing(connected(url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for role in ("taskapp_owner", "taskapp"):
            cursor.execute(f"CREATE ROLE {role} LOGIN")
        cursor.execute(ROLES.read_text())
        folder = str(tmp_path_factory.mktemp("owner"))
        owner = url.set(username="taskapp_owner").render_as_string(hide_password=False)
        servers.migrate(TASKAPP_INSTANCE=folder, DATABASE_URL=owner)
        yield url.set(username="taskapp").render_as_string(hide_password=False)
        for role in ("taskapp_owner", "taskapp"):
            cursor.execute(f"DROP OWNED BY {role} CASCADE")
            cursor.execute(f"DROP ROLE {role}")


def connected(url: sa.URL) -> Any:
    plain = url.set(drivername="postgresql")
    return psycopg2.connect(plain.render_as_string(hide_password=False))


def test_a_role_without_ddl_is_enough_to_serve(service_url: str, tmp_path: Path) -> None:
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "DATABASE_URL": service_url}
    with servers.gunicorn(**variables) as base:
        token = servers.sign_up(base, "alice@example.com")
        url = f"{base}/api/v1/tasks"
        task = servers.ask(url, {"title": "Fern"}, token=token)[2]
        assert servers.ask(f"{base}/health/ready")[2]["status"] == "ok"
        changed = {"status": "done", "labels": ["home"]}
        assert servers.ask(f"{url}/{task['id']}", changed, method="PATCH", token=token)[0] == 200
        operations = [{"op": "create", "body": {"title": f"{n}"}} for n in range(3)]
        assert servers.ask(f"{url}/batch", {"operations": operations}, token=token)[0] == 200
        rows = {"items": [{"title": "Imported"}]}
        assert (
            servers.ask(f"{url}/import?project_id={task['project_id']}", rows, token=token)[0]
            == 200
        )
        assert servers.ask(f"{url}?q=fern&label=home&total=true", token=token)[2]["total"] == 1
        assert servers.ask(f"{url}/{task['id']}", method="DELETE", token=token)[0] == 204
    for command in (("doctor",), ("purge",), ("users", "list")):
        done = servers.flask(*command, **variables)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "ALTER TABLE tasks ADD COLUMN mine int",
        "DROP TABLE tasks CASCADE",
        "TRUNCATE users CASCADE",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_that_role_changes_no_table(service_url: str, statement: str) -> None:
    with closing(connected(sa.make_url(service_url))) as connection:
        cursor = connection.cursor()
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(statement)
