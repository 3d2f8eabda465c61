"""What every server is measured on: a PostgreSQL of its own, migrated, filled, and signed in to."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg2
from flask_migrate import upgrade

import config
from bench import data
from bench.servers import cpu_seconds
from lab import servers
from taskapp import create_app
from taskapp.extensions import db


@dataclass(frozen=True)
class Stage:
    """A filled database; `environment` is what a server needs to serve it."""

    environment: dict[str, str]
    people: list[data.Person]
    tasks: int

    @property
    def url(self) -> str:
        return self.environment["DATABASE_URL"]

    def database_cpu_seconds(self) -> float:
        """What PostgreSQL's processes used since it started; SQLite has none of its own."""
        folder = parse_qs(urlsplit(self.url).query).get("host")
        if folder is None:
            return 0.0
        postmaster = (Path(folder[0]) / "postmaster.pid").read_text().split()[0]
        return cpu_seconds(int(postmaster))


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL with its own defaults, durable ones too; yields a maintenance URL."""
    with servers.postgresql() as database:
        yield database.url


def new_database(maintenance_url: str, name: str) -> str:
    connection = psycopg2.connect(maintenance_url)
    connection.autocommit = True
    connection.cursor().execute(f'CREATE DATABASE "{name}"')
    connection.close()
    return maintenance_url.replace("/postgres?", f"/{name}?")


def prepare(instance: Path, tasks: int, database_url: str | None = None) -> Stage:
    """Migrate, fill and sign in; without a URL on SQLite, as the default install has it."""
    environment = {
        "TASKAPP_INSTANCE": str(instance),
        "SECRET_KEY": secrets.token_hex(32),
        "ACCESS_TOKEN_MINUTES": "1440",
        # Everything is counted, nobody is refused.
        "RATELIMIT_DEFAULT": "100000000 per minute",
        "RATELIMIT_ADDRESS": "100000000 per minute",
        "DATABASE_URL": database_url or f"sqlite:///{instance / 'taskapp.db'}",
    }
    app = create_app(config.load(environment))
    with app.app_context():
        upgrade()
    people = data.fill(app, tasks)
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
    return Stage(environment, people, tasks)
