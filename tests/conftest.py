"""The stage and the cast: the whole service on SQLite and on PostgreSQL with Redis.

Alice owns, Bob is on her project, Charlie must see nothing, Admin administers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from werkzeug.test import TestResponse

import config
from taskapp import create_app
from taskapp.extensions import cache, db
from taskapp.schema import Base
from tests import servers
from tests.document import Document

PASSWORD = "seven mossy lanterns"
CAST = ("admin", "alice", "bob", "charlie")
DATABASES = ("sqlite", "postgresql")
Json = dict[str, Any]
# Each example goes through HTTP to a real database, so a few must do; their fixtures stay.
hypothesis.settings.register_profile(
    "taskapp",
    max_examples=20,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("taskapp")


class Client(FlaskClient):
    """A client that holds every answer against the OpenAPI document."""

    document: Document
    user: Json

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **{"buffered": True, **kwargs})  # read, and closed
        self.document.check(response)
        return response

    def as_token(self, token: str) -> Client:
        """Another client of the same app, with this token."""
        other = self.application.test_client()
        assert isinstance(other, Client)
        other.environ_base = {**self.environ_base, "HTTP_AUTHORIZATION": f"Bearer {token}"}
        return other


@dataclass
class Stage:
    """An app on its database, and the rows that every test starts with."""

    app: Flask
    rows: dict[str, list[Json]]
    cast: dict[str, tuple[Json, str]]


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server for this test process."""
    with servers.postgresql() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def _stage_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("instance")
    yield (stage := set_the_stage(folder, {}))
    servers.close(stage.app)


@pytest.fixture(scope="session")
def _stage_on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgresql_url: str, redis_url: str
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("instance")
    url = new_database(postgresql_url, f"stage_{os.getpid()}")
    yield (stage := set_the_stage(folder, {"DATABASE_URL": url, "REDIS_URL": redis_url}))
    servers.close(stage.app)


@pytest.fixture(params=DATABASES)
def stage(request: pytest.FixtureRequest) -> Stage:
    """The service on each database in turn, as it was after the cast had signed in."""
    stage: Stage = request.getfixturevalue(f"_stage_on_{request.param}")
    _put_back(stage)
    return stage


@pytest.fixture
def app(stage: Stage) -> Flask:
    return stage.app


@pytest.fixture
def anonymous(app: Flask) -> Client:
    """Somebody without a credential."""
    client = app.test_client()
    assert isinstance(client, Client)
    return client


@pytest.fixture
def alice(stage: Stage) -> Client:
    return signed_in(stage, "alice")


@pytest.fixture
def bob(stage: Stage) -> Client:
    return signed_in(stage, "bob")


@pytest.fixture
def charlie(stage: Stage) -> Client:
    return signed_in(stage, "charlie")


@pytest.fixture
def admin(stage: Stage) -> Client:
    return signed_in(stage, "admin")


@pytest.fixture
def shared(alice: Client, bob: Client) -> Json:
    """A project that Alice owns and Bob edits."""
    project: Json = alice.post("/api/v1/projects", json={"name": "Garden"}).get_json()
    member = {"email": bob.user["email"], "role": "editor"}
    added = alice.post(f"/api/v1/projects/{project['id']}/members", json=member)
    assert added.status_code == 201
    fresh: Json = alice.get(f"/api/v1/projects/{project['id']}").get_json()
    return fresh


@pytest.fixture
def shared_task(alice: Client, shared: Json) -> Json:
    """A task of Alice's in the project that Bob edits."""
    body = {"title": "Water the fern", "project_id": shared["id"]}
    made: Json = alice.post("/api/v1/tasks", json=body).get_json()
    return made


@pytest.fixture
def task(alice: Client) -> Json:
    """A task in Alice's inbox."""
    made: Json = alice.post("/api/v1/tasks", json={"title": "Water the fern"}).get_json()
    return made


@pytest.fixture(params=DATABASES)
def fresh_environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of a service on an empty, migrated database, for real processes."""
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "ACCESS_TOKEN_MINUTES": "60"}
    if request.param == "postgresql":
        maintenance = request.getfixturevalue("postgresql_url")
        name = f"fresh_{os.getpid()}_{abs(hash(str(tmp_path)))}"
        template = request.getfixturevalue("migrated_template")
        variables["DATABASE_URL"] = new_database(maintenance, name, template)
    else:
        servers.migrate(**variables)
    return variables


@pytest.fixture(scope="session")
def migrated_template(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated database to copy: that is quicker than migrating each."""
    name = f"template_{os.getpid()}"
    url, instance = new_database(postgresql_url, name), str(tmp_path_factory.mktemp("template"))
    servers.migrate(DATABASE_URL=url, TASKAPP_INSTANCE=instance)
    return name


def new_database(maintenance_url: str, name: str, template: str = "template1") -> str:
    """A database on the test server, empty or a copy."""
    url = maintenance_url.replace("postgresql://", "postgresql+psycopg2://")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}"')
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    engine.dispose()
    return sa.make_url(url).set(database=name).render_as_string(hide_password=False)


def set_the_stage(folder: Path, variables: dict[str, str]) -> Stage:
    app = create_app(
        config.load(
            {
                "TASKAPP_INSTANCE": str(folder),
                "RATELIMIT_ENABLED": "false",
                "WEB_CONCURRENCY": "4",  # so that three imports may run at once
                "ACCESS_TOKEN_MINUTES": "600",
                "FAST": os.environ.get("FAST", ""),
                **variables,
            }
        )
    )
    app.test_client_class = Client
    with app.app_context():
        upgrade()
    Client.document = Document(app)
    cast = {name: _join(app, name) for name in CAST}
    with app.app_context():
        rows = {table.name: _rows(table) for table in Base.metadata.sorted_tables}
    return Stage(app, rows, cast)


def _join(app: Flask, name: str) -> tuple[Json, str]:
    """Register and sign in through the front door; the first admin is made by the operator."""
    client = app.test_client()
    email = f"{name}@example.com"
    if name == "admin":
        made = app.test_cli_runner().invoke(
            args=["users", "create", "--admin", email, "--name", "Admin"], input=PASSWORD
        )
        assert made.exit_code == 0, made.output
    else:
        body = {"email": email, "password": PASSWORD, "name": name.title()}
        assert client.post("/api/v1/auth/register", json=body).status_code == 201
    pair = client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
    token = str(pair.get_json()["access_token"])
    me = client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
    return dict(me.get_json()), token


def signed_in(stage: Stage, name: str) -> Client:
    user, token = stage.cast[name]
    client = stage.app.test_client()
    assert isinstance(client, Client)
    client.environ_base = {**client.environ_base, "HTTP_AUTHORIZATION": f"Bearer {token}"}
    client.user = user
    return client


def _rows(table: sa.Table) -> list[Json]:
    with db.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(table))]


def _put_back(stage: Stage) -> None:
    """Everything as it was when the cast had signed in; quicker than a new database."""
    # As text, and for PostgreSQL in one go: this runs before every test, over every table.
    tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
    deletes = [f"DELETE FROM {name}" for name in tables]  # noqa: S608 - names of our own
    with stage.app.app_context(), db.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            deletes = ["; ".join(deletes)]
        for delete in deletes:
            connection.exec_driver_sql(delete)
        for table in Base.metadata.sorted_tables:
            if rows := stage.rows[table.name]:
                connection.execute(sa.insert(table), rows)
        cache.clear()
        if redis := stage.app.extensions["shared"].redis:  # it remembers revisions to come again
            redis.flushdb()


@pytest.fixture
def with_mail(app: Flask) -> Iterator[None]:
    """As with SMTP_URL, of a server that is away: mails wait."""
    before = app.extensions["taskapp"]
    away = config.mail_server("smtp://127.0.0.1:9?tls=none")
    app.extensions["taskapp"] = replace(before, smtp_url=away, mail_from="tasks@example.com")
    yield
    app.extensions["taskapp"] = before


def demote(owner: Client, member: Client, project_id: int) -> None:
    """Let a member read only."""
    url = f"/api/v1/projects/{project_id}/members/{member.user['id']}"
    assert owner.patch(url, json={"role": "viewer"}).status_code == 200


@contextmanager
def inviting(app: Flask) -> Iterator[None]:
    """Members are invited meanwhile, as where strangers register."""
    before = app.extensions["taskapp"]
    app.extensions["taskapp"] = replace(before, invitations=True)
    try:
        yield
    finally:
        app.extensions["taskapp"] = before


def invite(owner: Client, project_id: int, email: str, role: str = "viewer") -> Json:
    """A pending invitation, as its project's owners see it."""
    url = f"/api/v1/projects/{project_id}"
    with inviting(owner.application):
        response = owner.post(f"{url}/members", json={"email": email, "role": role})
    assert response.status_code == 202, response.get_json()
    pending = owner.get(f"{url}/invitations?limit=200").get_json()["items"]
    return next(dict(each) for each in pending if each["email"] == email)


def prove(client: Client) -> None:
    """The address of a client's user counts as proved."""
    with client.application.app_context(), db.engine.begin() as connection:
        users = Base.metadata.tables["users"]
        this_one = users.c.id == client.user["id"]
        connection.execute(sa.update(users).where(this_one).values(email_verified=True))


def events(app: Flask, kind: str) -> list[Json]:
    """What the events of a kind say."""
    with app.app_context(), db.engine.connect() as connection:
        table = Base.metadata.tables["events"]
        rows = connection.execute(sa.select(table).where(table.c.kind == kind).order_by("id"))
        return [dict(row._mapping) for row in rows]


def made(client: Client, what: str, **fields: Any) -> Json:
    """Whatever a POST makes: `made(alice, "tasks", title="Water the fern")`."""
    response = client.post(f"/api/v1/{what}", json=fields)
    assert response.status_code == 201, response.get_json()
    return dict(response.get_json())


def add(client: Client, title: str = "Water the fern", **fields: Any) -> Json:
    """A new task."""
    return made(client, "tasks", title=title, **fields)


def refused(response: TestResponse) -> tuple[int, str]:
    """The status and the code of a problem."""
    problem = response.get_json()
    assert response.mimetype == "application/problem+json"
    assert problem["status"] == response.status_code
    return response.status_code, str(problem["code"])


def named(response: TestResponse) -> list[str]:
    """The fields and parameters that a 422 names, each once."""
    assert refused(response)[0] == 422
    reasons = response.get_json()["errors"]
    return list(dict.fromkeys(reason.get("pointer", reason.get("parameter")) for reason in reasons))
