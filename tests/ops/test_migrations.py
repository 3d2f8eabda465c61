"""The migrations: up, down, and equal to the models, on both databases"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import check, downgrade, upgrade

import config
import taskapp.attachments.models
import taskapp.comments.models  # noqa: F401 - tables are compared whether or not they are used
from taskapp import create_app
from taskapp.extensions import db
from taskapp.ops import checks
from taskapp.schema import Base
from tests import servers
from tests.conftest import DATABASES, new_database


@pytest.fixture(params=DATABASES)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """A service whose database is empty still."""
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "RATELIMIT_ENABLED": "false"}
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        variables["DATABASE_URL"] = new_database(url, f"empty_{abs(hash(str(tmp_path)))}")
    return variables


@pytest.fixture
def empty(environment: dict[str, str]) -> Iterator[Flask]:
    app = create_app(config.load(environment))
    with app.app_context():
        yield app
    servers.close(app)


def tables() -> set[str]:
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_lead_to_the_models_and_back(empty: Flask) -> None:
    for _ in range(2):
        upgrade()
        check()
        assert tables() >= Base.metadata.tables.keys()
        downgrade(revision="base")
        assert tables() == set()


def test_an_invitation_is_for_the_mailbox_that_was_invited(empty: Flask) -> None:
    upgrade(revision="0014")
    emails = ["bob@stra\u00dfe.example", "Bob@Example.com"]
    before = dict.fromkeys(["bob@strasse.example", "bob@example.com"])
    insert = sa.text(
        "INSERT INTO invitations (project_id, email, email_key, role, invited_by, created_at,"
        " expires_at) VALUES (1, :email, :key, 'viewer', 1, :at, :at)"
    )
    keys = sa.text("SELECT email_key FROM invitations ORDER BY id")
    with db.engine.begin() as connection:
        at = "2026-11-30 10:00:00"
        user = "INSERT INTO users (id, email, email_key, name, role, is_active, password_hash,"
        user += " created_at, updated_at) VALUES (1, 'a', 'a', 'A', 'user', true, '', :at, :at)"
        connection.execute(sa.text(user), {"at": at})
        project = "INSERT INTO projects (id, name, description, revision, created_at,"
        project += " updated_at) VALUES (1, 'P', '', 1, :at, :at)"
        connection.execute(sa.text(project), {"at": at})
        for email, key in zip(emails, before, strict=True):
            connection.execute(insert, {"email": email, "key": key, "at": at})
    upgrade()
    with db.engine.connect() as connection:
        after = list(connection.scalars(keys))
    downgrade(revision="0014")
    with db.engine.connect() as connection:
        again = list(connection.scalars(keys))

    assert after == ["bob@stra\u00dfe.example", "bob@example.com"]
    assert again == list(before)


@pytest.mark.parametrize(
    "statement", ["DROP INDEX ix_tasks_project_id_due_id", "ALTER TABLE tasks ADD more TEXT"]
)
def test_a_difference_would_be_seen(empty: Flask, statement: str) -> None:
    upgrade()
    with db.engine.begin() as connection:
        connection.exec_driver_sql(statement)

    with pytest.raises(SystemExit):
        check()


def test_two_at_once_are_one(environment: dict[str, str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(lambda _: servers.process("db", "upgrade", **environment), range(2)))

    assert [each.returncode for each in ran] == [0, 0], ran
    assert servers.flask("users", "list", **environment).returncode == 0


def test_the_schema_that_is_wanted_is_the_last_migrations(empty: Flask) -> None:
    assert checks.schema_found() is None

    upgrade()

    assert checks.schema_found() == checks.schema_wanted()


def test_an_empty_note_of_the_schema_is_none(empty: Flask) -> None:
    upgrade()
    with db.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")

    assert checks.schema_found() is None
