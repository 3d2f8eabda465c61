"""The state of the service: checks that `/health/detailed` and doctor share, and doctor's own."""

import datetime as dt
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from config import MIB
from taskapp.auth.models import Session
from taskapp.database.quotas import wrong_counts
from taskapp.database.redis import shared
from taskapp.database.session import now, read
from taskapp.database.sqlite import database_file
from taskapp.errors import DatabaseUnavailable
from taskapp.extensions import db, settings
from taskapp.mail.access import mail_reader
from taskapp.ops import readers, reseal
from taskapp.web.openapi import VERSION

MIGRATIONS = Path(__file__).parents[2] / "migrations"
SCHEMA = sa.select(sa.column("version_num", sa.String)).select_from(sa.table("alembic_version"))
IS_READ_ONLY = sa.text("SELECT current_setting('transaction_read_only')")
LOCAL = ("127.", "localhost:", "[::1]:", "unix:")
LEAST_FREE = 0.05  # of a disk, of memory
MAX_CLOCK_DIFFERENCE = 5  # seconds
SILENCE = dt.timedelta(minutes=2)  # without a courier's turn
LONGEST_LAG = 900.0  # seconds that a reader may be behind without a failure
READERS_SHOWN = 5


class Finding(NamedTuple):
    """The result of a check: "ok", "degraded" (the service goes on) or "down"; and a remedy."""

    status: str
    detail: str
    remedy: str = ""


def run(check: Callable[[], Finding]) -> dict[str, Any]:
    """What a check found, in how many milliseconds."""
    began = time.perf_counter()
    try:
        finding = check()
    except DatabaseUnavailable as refusal:
        finding = Finding("down", refusal.detail)
    except (SQLAlchemyError, OSError) as error:
        finding = Finding("down", type(error).__name__, "See DATABASE_URL and the log")
    ms = round((time.perf_counter() - began) * 1e3, 1)
    return {"name": check.__name__, "ms": ms, **finding._asdict()}


def database() -> Finding:
    is_sqlite = db.engine.dialect.name == "sqlite"
    if is_sqlite:
        database_file().check()
    found = schema_found()
    wanted = schema_wanted()
    if found != wanted:
        detail = f"The database is at schema {found}, this code needs {wanted}"
        return Finding("down", detail, "Run flask --app wsgi db upgrade")
    if not is_sqlite and read(IS_READ_ONLY).scalar_one() == "on":
        detail = "The database is read-only: writes are refused, reads go on"
        return Finding("degraded", detail, "See default_transaction_read_only; is it a standby?")
    return Finding("ok", f"{db.engine.dialect.name}, schema {found}")


def cache() -> Finding:
    state = shared().state()
    if state == "down":
        remedy = "See REDIS_URL, and whether it runs, has room and knows the password"
        return Finding("degraded", "Redis takes no writes", remedy)
    return Finding("ok", f"redis {state}")


def counters() -> Finding:
    """Rate limits and throttled sign-ins count in it, where there is no Redis."""
    file = shared().file
    if file.state() == "down":
        detail = "The counters' file cannot be written: limits hold for each worker alone"
        return Finding("degraded", detail, f"Make {file.path} writable, make room")
    return Finding("ok", "counters.db")


def disk() -> Finding:
    total, _, free = shutil.disk_usage(settings().instance)
    return _room(free / MIB, total / MIB, "Remove old backups and logs")


def memory() -> Finding:
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    kib = dict(re.findall(r"(\w+): +(\d+) kB", text))
    free = int(kib["MemAvailable"]) / 1024
    total = int(kib["MemTotal"]) / 1024
    return _room(free, total, "Lower WEB_CONCURRENCY")


def _room(free: float, total: float, remedy: str) -> Finding:
    detail = f"{free:.0f} of {total:.0f} MiB free"
    if free < total * LEAST_FREE:
        return Finding("degraded", detail, remedy)
    return Finding("ok", detail)


def versions() -> Finding:
    dialect = db.engines["reads"].dialect
    numbers = getattr(dialect, "server_version_info", None) or ("unknown",)
    server = ".".join(map(str, numbers))
    python = platform.python_version()
    return Finding("ok", f"taskapp {VERSION}, python {python}, {dialect.name} {server}")


def configuration() -> Finding:
    chosen = settings()
    local = chosen.bind.startswith(LOCAL)
    production = chosen.environment == "production"
    if not (local or production):
        return Finding("degraded", "Development, open to others", "Set ENVIRONMENT=production")
    if production and not chosen.trusted_hosts:
        return Finding("degraded", "Answers to any host name", "Set TRUSTED_HOSTS")
    return Finding("ok", chosen.environment)


def secret() -> Finding:
    """Its strength was checked at the start; here, who else can read it."""
    for name in ("secret_key", "taskapp.db"):
        path = settings().instance / name
        if path.exists() and path.stat().st_mode & 0o077:
            return Finding("degraded", f"Others can read {path}", f"Run chmod 600 {path}")
    if settings().secret_key_previous:
        return Finding("ok", "two keys, for an exchange")
    return Finding("ok", "one key")


def folders() -> Finding:
    """By writing: permissions do not show that a disk is full or read-only."""
    for folder in (settings().instance, settings().instance / "attachments"):
        try:
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"doctor")
        except OSError as error:
            detail = f"{folder}: {error.strerror}"
            return Finding("down", detail, "Make it writable, make room")
    db.session.connection()  # takes SQLite's write lock, which a read-only file refuses
    db.session.rollback()
    return Finding("ok", str(settings().instance))


def proxies() -> Finding:
    chosen = settings()
    local = chosen.bind.startswith(LOCAL)
    hops = chosen.trusted_proxies
    if local and not hops and chosen.environment == "production":
        detail = "Only a proxy can reach it, and none is trusted: all clients look alike"
        return Finding("degraded", detail, "Set TRUSTED_PROXIES=1")
    if chosen.environment == "production" and not local and not hops:
        detail = "It answers in plain HTTP on the network: passwords can be read on their way"
        return Finding("degraded", detail, "Put a proxy with TLS in front, and set TRUSTED_PROXIES")
    if hops and not local:
        return Finding("ok", f"{hops} trusted: nobody else may reach it")
    return Finding("ok", f"{hops} trusted")


def clock() -> Finding:
    """Against the database server's; SQLite has none, but the last use of a session is no later."""
    remote = db.engine.dialect.name != "sqlite"
    known = sa.func.now() if remote else sa.func.max(Session.last_used_at)
    theirs = read(sa.select(known)).scalar() or now()
    ahead = (theirs - now()).total_seconds()
    behind_server = remote and ahead < -MAX_CLOCK_DIFFERENCE
    if ahead > MAX_CLOCK_DIFFERENCE or behind_server:
        detail = f"{abs(ahead):.0f} s away from the database's"
        return Finding("down", detail, "Run an NTP client")
    return Finding("ok", "agrees with the database")


def replica() -> Finding:
    """Being behind does no harm: the primary answers what the replica lacks."""
    engine = db.engines.get("replica")
    if engine is None:
        return Finding("ok", "unused")
    with suppress(SQLAlchemyError), engine.connect() as connection:
        if connection.scalar(sa.select(sa.func.pg_is_in_recovery())):
            return Finding("ok", "follows")
    return Finding("degraded", "It is away, or no replica", "See DATABASE_REPLICA_URL")


def quotas() -> Finding:
    wrong = wrong_counts()
    if wrong:
        return Finding("degraded", f"{wrong} counts are wrong", "Run flask --app wsgi purge")
    return Finding("ok", "what is counted is there")


def sealed() -> Finding:
    """Secrets of webhooks and the like, which SECRET_KEY must open again."""
    current, previous, lost = reseal.state()
    if lost:
        remedy = "Set SECRET_KEY_PREVIOUS to the key that sealed them, run flask --app wsgi reseal"
        return Finding("degraded", f"{lost} secrets cannot be opened", remedy)
    if previous:
        detail = f"{previous} secrets are sealed with the previous key"
        return Finding("degraded", detail, "Run flask --app wsgi reseal")
    return Finding("ok", f"{current} sealed secrets can be opened")


def courier() -> Finding:
    """Whether one is at work, where something waits for it; and how far behind its readers are."""
    at = readers.last_turn()
    is_silent = at is None or now() - at > SILENCE
    if is_silent and not readers.is_needed():
        return Finding("ok", "not needed")
    if at is None or is_silent:
        since = "ever" if at is None else f"since {at:%Y-%m-%d %H:%M} UTC"
        detail = f"No courier at work {since}: webhooks, mail and reminders wait"
        return Finding("degraded", detail, "Run flask --app wsgi courier")
    return _lags(now() - at)


def _lags(since: dt.timedelta) -> Finding:
    """The readers that are the most behind, of a courier that is at work."""
    states = sorted(readers.states(), key=_lag, reverse=True)
    parts = [f"last turn {since.seconds} s ago", f"{len(states)} readers"]
    worst = states[:READERS_SHOWN]
    parts += [f"{each.name} {each.lag:.0f} s ({each.failures} failures)" for each in worst]
    detail = "; ".join(parts)
    slow = [state for state in states if state.lag > LONGEST_LAG and state.failures == 0]
    if slow:
        return Finding("degraded", f"Behind: {detail}", "Run a second courier")
    return Finding("ok", detail)


def _lag(state: readers.ReaderState) -> float:
    return state.lag


def mail() -> Finding:
    """Whether mail is set up, and goes on."""
    if settings().smtp_url is None:
        return Finding("ok", "not set up: nothing is mailed")
    reader = read(mail_reader()).one_or_none()
    if reader is None:
        return Finding("degraded", "No courier has run yet", "Run flask --app wsgi courier")
    if not reader.is_active:
        detail = "Paused since a restore or a copy; what waited then is not sent"
        return Finding("degraded", detail, "Run flask --app wsgi resume-mail")
    if reader.failing_since is not None:
        detail = f"The mail server takes no mail since {reader.failing_since:%Y-%m-%d %H:%M} UTC"
        return Finding("degraded", detail, "See SMTP_URL and the courier's log")
    return Finding("ok", "is sent")


HEALTH = (database, cache, counters, courier, disk, memory, versions)
DOCTOR = (configuration, secret, *HEALTH, sealed, mail, replica, folders, proxies, clock, quotas)


def schema_found() -> str | None:
    """The schema that the database is at, or None where it has none."""
    with db.engines["reads"].connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(SCHEMA)


@lru_cache
def schema_wanted() -> str:
    """The schema that this code needs: each migration's file name begins with its number."""
    return max(file.name[:4] for file in MIGRATIONS.glob("versions/*.py"))
