"""Is it alive, has it started, can it serve? Probes need no credential and meet no limit."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Blueprint, current_app
from redis import Redis, RedisError

from taskapp.contract import ANYONE, replies
from taskapp.errors import DatabaseUnavailable
from taskapp.extensions import limiter, read, settings
from taskapp.ops.limits import redis_options
from taskapp.ops.schemas import HealthSchema

health = Blueprint("health", __name__)
limiter.exempt(health)


@health.get("/health")
@replies(HealthSchema(), access=ANYONE)
def alive() -> dict[str, Any]:
    """The process answers; nothing else is touched."""
    return {"status": "ok"}


@health.get("/health/startup")
@replies(HealthSchema(), 200, DatabaseUnavailable, access=ANYONE)
def started() -> dict[str, Any]:
    """The service has started: its database is there, at this code's schema."""
    return ready()


@health.get("/health/ready")
@replies(HealthSchema(), 200, DatabaseUnavailable, access=ANYONE)
def is_ready() -> dict[str, Any]:
    """The service can take requests; without Redis it is degraded, and serves."""
    return ready()


def ready() -> dict[str, Any]:
    found, wanted = schema_found(), schema_wanted()
    if found != wanted:
        raise DatabaseUnavailable(
            f"The database is at schema {found}, this code wants {wanted}: run flask db upgrade"
        )
    redis = redis_state()
    return {
        "status": "degraded" if redis == "down" else "ok",
        "checks": {"database": "ok", "redis": redis},
    }


def schema_found() -> str | None:
    """The schema that the database is at, or None where there is none."""
    try:
        version: str | None = read(sa.text("SELECT version_num FROM alembic_version")).scalar()
    except (sa.exc.ProgrammingError, sa.exc.OperationalError) as error:
        if "alembic_version" not in str(error.orig):
            raise
        return None
    return version


@cache
def schema_wanted() -> str | None:
    """The schema that this code was written for."""
    directory = current_app.extensions["migrate"].directory
    config = Config()
    config.set_main_option("script_location", directory)
    return ScriptDirectory.from_config(config).get_current_head()


def redis_state() -> str:
    url = settings().redis_url
    if url is None:
        return "unused"
    try:
        Redis.from_url(url, **redis_options()).ping()
    except RedisError:
        return "down"
    return "ok"
