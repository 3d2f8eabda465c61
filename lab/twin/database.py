"""The two async engines, and who hands them out: the twin of extensions.py and ops/database.py."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

import orjson
import sqlalchemy as sa
from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from lab.twin.edge import time_statements
from lab.twin.settings import Settings

Row = sa.Row[Any]
Body = dict[str, Any]  # what a client sent, validated
BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# Milliseconds: as long as taskapp's.
STATEMENT_TIMEOUT, LOCK_TIMEOUT = 20_000, 5_000
SQLITE_BUSY = 10  # seconds


class Instant(TypeDecorator[dt.datetime]):
    """A moment in UTC, to the microsecond; SQLite, which has no such type, keeps it as text."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: dt.datetime | None, dialect: sa.Dialect
    ) -> dt.datetime | None:
        return value and value.astimezone(dt.UTC)

    def process_result_value(
        self, value: dt.datetime | None, dialect: sa.Dialect
    ) -> dt.datetime | None:
        return value and value.replace(tzinfo=dt.UTC)


class Base(DeclarativeBase):
    """The parent of every model; the tables themselves are made by taskapp's migrations."""

    type_annotation_map = {int: BigInt, str: sa.Text(), dt.datetime: Instant()}  # noqa: RUF012 - SQLAlchemy's own form


class Database:
    """One engine for writes, in transactions; one for reads, born in AUTOCOMMIT."""

    def __init__(self, settings: Settings) -> None:
        self.writes = _engine(settings)
        self.reads = _engine(settings, isolation_level="AUTOCOMMIT")
        self.session = async_sessionmaker(self.writes, expire_on_commit=False)
        if self.writes.dialect.name == "sqlite":
            sa.event.listen(self.writes.sync_engine, "begin", _begin_immediate)

    async def dispose(self) -> None:
        await self.writes.dispose()
        await self.reads.dispose()


def _engine(settings: Settings, **options: Any) -> AsyncEngine:
    sqlite = settings.database_url.startswith("sqlite")
    engine = create_async_engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_pool_timeout,
        json_serializer=lambda value: encode(value).decode(),
        json_deserializer=orjson.loads,
        **(_sqlite() if sqlite else _postgresql()),
        **options,
    )
    time_statements(engine.sync_engine)
    if sqlite:
        sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _postgresql() -> dict[str, Any]:
    told = {"timezone": "UTC", "statement_timeout": str(STATEMENT_TIMEOUT)}
    told["lock_timeout"] = str(LOCK_TIMEOUT)
    return {"pool_pre_ping": True, "connect_args": {"timeout": 3, "server_settings": told}}


def _sqlite() -> dict[str, Any]:
    return {"connect_args": {"timeout": SQLITE_BUSY}}


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN is deferred: ours are not
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def encode(value: Any) -> bytes:
    """JSON as it stands in JSON columns."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return zulu(value)
    raise TypeError(type(value).__name__)


def zulu(value: dt.datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def table(model: type[Base]) -> sa.Table:
    return cast("sa.Table", model.__table__)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def database(request: Request) -> Database:
    made_once: Database = request.app.state.database
    return made_once


async def reader(
    database: Annotated[Database, Depends(database)],
) -> AsyncIterator[AsyncConnection]:
    """One connection for all reads of a request; back in the pool before the answer is sent."""
    async with database.reads.connect() as connection:
        yield connection


async def writer(database: Annotated[Database, Depends(database)]) -> AsyncIterator[AsyncSession]:
    """A session takes its connection with its first statement, and gives it back at the commit."""
    async with database.session() as session:
        yield session


# scope="function": a slow client must not hold a connection while it reads its answer.
Reader = Annotated[AsyncConnection, Depends(reader, scope="function")]
Writer = Annotated[AsyncSession, Depends(writer, scope="function")]
