"""How the service is: checks that `/health/detailed` and `flask doctor` share, and doctor's own."""

import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from taskapp.auth.models import Session
from taskapp.database.redis import shared
from taskapp.database.session import now, read
from taskapp.extensions import db, settings
from taskapp.web.openapi import VERSION

Told = tuple[str, ...]  # how it is ("degraded": the service goes on), what was found, a remedy
MIGRATIONS = Path(__file__).parents[2] / "migrations"
SCHEMA = sa.select(sa.column("version_num", sa.String)).select_from(sa.table("alembic_version"))
LOCAL = ("127.", "localhost:", "[::1]:", "unix:")


def run(check: Callable[[], Told]) -> dict[str, Any]:
    """What a check found, in how many milliseconds."""
    began = time.perf_counter()
    try:
        told = check()
    except (SQLAlchemyError, OSError) as error:
        told = ("down", type(error).__name__, "See DATABASE_URL and the log")
    found = {"remedy": "", **dict(zip(("status", "detail", "remedy"), told, strict=False))}
    ms = round((time.perf_counter() - began) * 1e3, 1)
    return {"name": check.__name__, "ms": ms, **found}


def database() -> Told:
    found, wanted = schema_found(), schema_wanted()
    if found != wanted:
        detail = f"The database is at schema {found}, this code wants {wanted}"
        return "down", detail, "Run flask --app wsgi db upgrade"
    return "ok", f"{db.engine.dialect.name}, schema {found}"


def cache() -> Told:
    if (state := shared().state()) == "down":
        remedy = "See REDIS_URL, and whether it runs, has room and knows the password"
        return "degraded", "Redis takes no writes", remedy
    return "ok", f"redis {state}"


def disk() -> Told:
    total, _, free = shutil.disk_usage(settings().instance)
    return _room(free / 2**20, total / 2**20, "Remove old backups and logs")


def memory() -> Told:
    told = dict(re.findall(r"(\w+): +(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii")))
    free, total = (int(told[name]) / 1024 for name in ("MemAvailable", "MemTotal"))
    return _room(free, total, "Lower WEB_CONCURRENCY")


def _room(free: float, total: float, remedy: str) -> Told:
    told = f"{free:.0f} of {total:.0f} MiB free"
    return ("degraded", told, remedy) if free < total / 20 else ("ok", told)


def versions() -> Told:
    engine = db.engines["reads"].dialect
    server = ".".join(map(str, getattr(engine, "server_version_info", None) or ("unknown",)))
    return "ok", f"taskapp {VERSION}, python {platform.python_version()}, {engine.name} {server}"


def configuration() -> Told:
    told = settings()
    local, production = told.bind.startswith(LOCAL), told.environment == "production"
    if not (local or production):
        return "degraded", "Development, open to others", "Set ENVIRONMENT=production"
    if production and not told.trusted_hosts:
        return "degraded", "Answers to any host name", "Set TRUSTED_HOSTS"
    return "ok", told.environment


def secret() -> Told:
    """Its strength was checked at the start; what is left is who else can read it."""
    path = settings().instance / "secret_key"
    if path.exists() and path.stat().st_mode & 0o077:
        return "degraded", f"Others can read {path}", f"Run chmod 600 {path}"
    return "ok", "two keys, for an exchange" if settings().secret_key_previous else "one key"


def folders() -> Told:
    """By writing: rights do not tell of a disk that is full or read-only."""
    for folder in (settings().instance, settings().instance / "attachments"):
        try:
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"doctor")
        except OSError as error:
            return "down", f"{folder}: {error.strerror}", "Make it writable, make room"
    db.session.connection()  # takes SQLite's write lock, which a read-only file refuses
    db.session.rollback()
    return "ok", str(settings().instance)


def proxies() -> Told:
    told = settings()
    local, hops = told.bind.startswith(LOCAL), told.trusted_proxies
    if local and not hops and told.environment == "production":
        detail = "Only a proxy can reach it, and none is trusted: all clients look alike"
        return "degraded", detail, "Set TRUSTED_PROXIES=1"
    return "ok", f"{hops} trusted" + ("" if local or not hops else ": nobody else may reach it")


def clock() -> Told:
    """Against the database server's; SQLite has none, but the last use of a session is no later."""
    remote = db.engine.dialect.name != "sqlite"
    theirs = sa.select(sa.func.now() if remote else sa.func.max(Session.last_used_at))
    ahead = ((read(theirs).scalar() or now()) - now()).total_seconds()
    if ahead > 5 or (remote and ahead < -5):
        return "down", f"{abs(ahead):.0f} s away from the database's", "Run an NTP client"
    return "ok", "agrees with the database"


def replica() -> Told:
    """Being behind is no trouble: what it lacks, the primary answers."""
    if (engine := db.engines.get("replica")) is None:
        return "ok", "unused"
    with suppress(SQLAlchemyError), engine.connect() as connection:
        if connection.scalar(sa.select(sa.func.pg_is_in_recovery())):
            return "ok", "follows"
    return "degraded", "It is away, or no replica", "See DATABASE_REPLICA_URL"


HEALTH = (database, cache, disk, memory, versions)
DOCTOR = (configuration, secret, *HEALTH, replica, folders, proxies, clock)


def schema_found() -> str | None:
    """The schema that the database is at, or None where there is none."""
    with db.engines["reads"].connect() as connection:
        there = sa.inspect(connection).has_table("alembic_version")
        return connection.scalar(SCHEMA) if there else None


@lru_cache
def schema_wanted() -> str:
    """The schema that this code was written for: the files of migrations begin with theirs."""
    return max(file.name[:4] for file in MIGRATIONS.glob("versions/*.py"))
