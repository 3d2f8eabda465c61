"""flask copy-to: everything from one kind of database into the other, and back"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

import config
from taskapp import create_app
from taskapp.database.session import now
from taskapp.extensions import db
from taskapp.mail import tokens
from taskapp.mail.service import MAILS
from taskapp.ops import copy_to
from taskapp.schema import Base
from taskapp.webhooks.service import DELIVERIES
from tests import servers
from tests.conftest import new_database

AT = dt.datetime(2030, 12, 31, 17, tzinfo=dt.UTC)
MADE: dict[str, dict[str, Any]] = {
    "second_factors": {"user_id": 1, "sealed_seed": "ab:cd", "last_step": 59, "created_at": AT},
    "recovery_codes": {"user_id": 1, "digest": "ab", "used_at": AT},
    "identities": {"user_id": 1, "issuer": "https://id.example", "subject": "7", "created_at": AT},
    "sign_in_tickets": {
        "user_id": 1,
        "digest": "cd",
        "purpose": "second factor",
        "bound_to": "",
        "tries": 4,
        "expires_at": AT,
    },
    "invitations": {
        "project_id": 1,
        "email": "finn@example.com",
        "email_key": "finn@example.com",
        "role": "viewer",
        "invited_by": 1,
        "created_at": AT,
        "expires_at": AT,
    },
}
Rows = dict[str, list[dict[str, Any]]]
ALICE = {"email": "alice@example.com", "password": "seven mossy lanterns"}


@pytest.fixture
def small(tmp_path: Path) -> dict[str, str]:
    """A service on SQLite."""
    variables = {"TASKAPP_INSTANCE": str(tmp_path / "small")}
    Path(variables["TASKAPP_INSTANCE"]).mkdir()
    servers.migrate(**variables)
    return variables


@pytest.fixture
def large_url(postgresql_url: str, tmp_path: Path) -> str:
    """An empty PostgreSQL database."""
    return new_database(postgresql_url, f"large_{os.getpid()}_{abs(hash(tmp_path))}")


@contextmanager
def app_on(variables: dict[str, str]) -> Iterator[Flask]:
    app = create_app(config.load({"RATELIMIT_ENABLED": "false", **variables}))
    with app.app_context():
        yield app
    servers.close(app)


def rows_of(variables: dict[str, str]) -> Rows:
    with app_on(variables), db.engine.connect() as connection:
        return {
            table.name: sorted(
                (dict(row._mapping) for row in connection.execute(sa.select(table))), key=repr
            )
            for table in Base.metadata.sorted_tables
        }


def fill(variables: dict[str, str]) -> None:
    """Something in every table; a subtask is older than its parent."""
    seeded = servers.flask("seed", "--tasks", "60", "--users", "3", **variables)
    assert seeded.returncode == 0, seeded.stderr
    with app_on(variables) as app:
        client = app.test_client()
        register = {**ALICE, "email": "zoe@example.com", "name": "Zoe Ünal"}
        assert client.post("/api/v1/auth/register", json=register).status_code == 201
        login = {"email": register["email"], "password": ALICE["password"]}
        token = client.post("/api/v1/auth/login", json=login).get_json()["access_token"]
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        key = {"Idempotency-Key": "a-key-of-zoes"}
        child = client.post("/api/v1/tasks", json={"title": "Größe"}, headers=key).get_json()
        parent = client.post("/api/v1/tasks", json={"title": "Later"}).get_json()
        task = f"/api/v1/tasks/{child['id']}"
        changed = client.patch(task, json={"parent_id": parent["id"], "labels": ["ärger"]})
        assert changed.status_code == 200
        made = [
            client.post("/api/v1/auth/tokens", json={"name": "script", "scopes": ["read"]}),
            client.post(f"{task}/comments", json={"body": "A comment\nof two lines"}),
            client.post(f"{task}/attachments", data={"file": (BytesIO(b"bytes"), "a.bin")}),
        ]
        assert [answer.status_code for answer in made] == [201, 201, 201]
        project = client.post("/api/v1/projects", json={"name": "Garden"}).get_json()
        webhooks = f"/api/v1/projects/{project['id']}/webhooks"
        hook = {"url": "https://example.com/", "is_active": False}
        webhook = client.post(webhooks, json=hook).get_json()
        delivery = {"webhook_id": webhook["id"], "event_id": 1, "status": "failed", "ms": 7}
        with app.app_context(), db.session.begin():
            db.session.execute(sa.insert(DELIVERIES).values(**delivery, at=now()))
            for name, row in MADE.items():
                db.session.execute(sa.insert(Base.metadata.tables[name]).values(row))
            add_mail("sent")


def add_mail(status: str) -> None:
    at = now()
    mail = {"key": status, "kind": "letter", "address": "a@example.com", "data": {}}
    mail |= {"attempts": 0, "next_at": at, "leased_until": at, "created_at": at}
    db.session.execute(sa.insert(MAILS).values(**mail, status=status))


def copied(variables: dict[str, str], url: str) -> str:
    done = servers.flask("copy-to", url, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_arrives_and_comes_back(
    small: dict[str, str], large_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_to, "ROWS_AT_ONCE", 7)  # every table but the smallest in pieces
    fill(small)
    before = rows_of(small)
    empty = {name for name, rows in before.items() if not rows}
    assert empty == {"mailed_tokens", "readers"}, "the test fills each table but these"

    told = copied(small, large_url)
    large = {**small, "DATABASE_URL": large_url}
    there = rows_of(large)
    (reader,) = there.pop("readers")  # mail is paused, with its bookmark at the present
    assert (reader["is_active"], reader["event_id"]) == (
        False,
        max(row["id"] for row in before["events"]),
    )
    assert there == {name: rows for name, rows in before.items() if name != "readers"}
    back_url = f"sqlite:///{tmp_path / 'back.db'}"
    copied(large, back_url)
    back = rows_of({**small, "DATABASE_URL": back_url})
    assert {name: rows for name, rows in back.items() if name != "readers"} == there

    assert f"{len(before['tasks'])} tasks" in told
    for url in (large_url, back_url):
        with servers.gunicorn(**{**small, "DATABASE_URL": url}) as base:
            login = {"email": "zoe@example.com", "password": ALICE["password"]}
            token = servers.ask(f"{base}/api/v1/auth/login", login)[2]["access_token"]
            found = servers.ask(f"{base}/api/v1/tasks?q=gr%C3%B6%C3%9Fe", token=token)[2]["items"]
            assert [task["title"] for task in found] == ["Größe"]
            task = servers.ask(f"{base}/api/v1/tasks", {"title": "Next"}, token=token)[2]
            assert task["id"] == max(row["id"] for row in before["tasks"]) + 1


def test_no_mail_and_no_mailed_token_of_before_is_good_in_the_copy(
    small: dict[str, str], large_url: str
) -> None:
    fill(small)
    with app_on(small), db.session.begin():
        add_mail("waiting")
        tokens.issue(tokens.RESET, 1, "a@example.com")
    copied(small, large_url)

    there = rows_of({**small, "DATABASE_URL": large_url})
    assert [mail["status"] for mail in there["mails"]] == ["sent"]
    assert there["mailed_tokens"] == []


@pytest.mark.parametrize("wrong", ["mysql://x/y", "large"])
def test_refuses_what_is_not_an_empty_database(
    small: dict[str, str], large_url: str, wrong: str
) -> None:
    fill(small)
    copied(small, large_url)
    before = rows_of({**small, "DATABASE_URL": large_url})

    refused = servers.flask("copy-to", large_url if wrong == "large" else wrong, **small)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    expected = "is not empty" if wrong == "large" else "the argument DATABASE_URL must begin with"
    assert expected in refused.stderr
    assert rows_of({**small, "DATABASE_URL": large_url}) == before


def test_refuses_to_copy_into_itself(small: dict[str, str]) -> None:
    fill(small)
    before = rows_of(small)
    itself = f"sqlite:///{small['TASKAPP_INSTANCE']}/taskapp.db"

    assert "is not empty" in servers.flask("copy-to", itself, **small).stderr
    assert rows_of(small) == before


def test_a_copy_that_differs_is_noticed(
    small: dict[str, str], large_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one row is lost on its way."""
    fill(small)
    insert = sa.insert
    lost = Base.metadata.tables["comments"]

    def losing(table: sa.Table) -> Any:
        return insert(table) if table is not lost else sa.text("SELECT 1")

    monkeypatch.setattr(copy_to.sa, "insert", losing)
    refused = servers.flask("copy-to", large_url, **small)

    assert refused.returncode == 1
    assert "comments differs: 1 rows were read, 0 are there" in refused.stderr


def test_a_restore_into_the_other_kind_says_what_to_do(
    small: dict[str, str], large_url: str, tmp_path: Path
) -> None:
    folder = str(tmp_path / "backups")
    assert servers.flask("backup", folder, **small).returncode == 0

    refused = servers.flask("restore", folder, **{**small, "DATABASE_URL": large_url})

    assert refused.returncode == 1
    assert "flask --app wsgi copy-to DATABASE_URL" in refused.stderr
