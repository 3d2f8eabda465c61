"""flask purge: what nobody can ask for any more goes, and nothing else"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from flask import Flask

from taskapp.extensions import db
from tests.conftest import PASSWORD, Client, Json

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def make_old(table: str, column: str, which: str = "true") -> None:
    ids = sa.table(table, sa.column(column, sa.DateTime(timezone=True)))
    with db.engine.begin() as connection:
        connection.execute(sa.update(ids).where(sa.text(which)).values({column: LONG_AGO}))


def count(table: str) -> int:
    with db.engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table))) or 0)


def test_only_what_is_past_its_time_goes(
    app: Flask, alice: Client, anonymous: Client, task: Json
) -> None:
    gone = alice.post("/api/v1/tasks", json={"title": "Gone"}).get_json()
    alice.delete(f"/api/v1/tasks/{gone['id']}")
    key = {"Idempotency-Key": "an-old-key-of-hers"}
    alice.post("/api/v1/tasks", json={"title": "Once"}, headers=key)
    for name in ("old", "new"):
        made = alice.post("/api/v1/auth/tokens", json={"name": name, "scopes": ["read"]})
        alice.delete(f"/api/v1/auth/tokens/{made.get_json()['id']}")
    login = {"email": "alice@example.com", "password": PASSWORD}
    second = anonymous.post("/api/v1/auth/login", json=login).get_json()["access_token"]
    anonymous.as_token(second).post("/api/v1/auth/logout")
    with app.app_context():
        tables = ("sessions", "personal_tokens", "events", "idempotency_keys")
        before = {name: count(name) for name in tables}
        assert app.test_cli_runner().invoke(args=["purge"]).output.startswith("0 idempotency keys")
        assert {name: count(name) for name in tables} == before

        make_old("sessions", "ended_at", "ended_at IS NOT NULL")
        make_old("personal_tokens", "ended_at", "name = 'old'")
        make_old("events", "at")
        make_old("idempotency_keys", "created_at")
        output = app.test_cli_runner().invoke(args=["purge"]).output

        deleted = {name: before[name] - count(name) for name in tables}
    assert deleted == {"sessions": 1, "personal_tokens": 1, "events": 2, "idempotency_keys": 1}
    assert "1 sessions\n1 personal tokens\n0 invitations\n2 events of deleted tasks\n" in output
    assert alice.get(f"/api/v1/tasks/{task['id']}").status_code == 200
