"""The extensions, made once and bound to an app by the factory; it imports nothing of ours."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import Any, cast

import sqlalchemy as sa
from flask import Request, current_app, g, request
from flask.ctx import _AppCtxGlobals
from flask_caching import Cache
from flask_jwt_extended import JWTManager
from flask_limiter import Limiter
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column, registry
from sqlalchemy.types import TypeDecorator

from config import Settings

Row = sa.Row[Any]
Body = dict[str, Any]  # what a client sent, validated
Expect = Callable[[Row | None], None]  # refuses a row that is not as the client last saw it
BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite autoincrements INTEGER only


class InstantInText(TypeDecorator[dt.datetime]):
    """A moment as SQLite keeps it, which has no such type: text, always in UTC."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        return value and value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        return value and value.replace(tzinfo=dt.UTC)


# A moment in UTC, to the microsecond.
Instant = sa.DateTime(timezone=True).with_variant(InstantInText(), "sqlite")


class Base(DeclarativeBase):
    """The parent of every model."""

    registry = registry(
        metadata=sa.MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={int: BigInt, str: sa.Text(), dt.datetime: Instant},
    )


def part_of(column: str, **options: Any) -> MappedColumn[Any]:
    """A foreign key of what is deleted with the row it names."""
    return mapped_column(sa.ForeignKey(column, ondelete="CASCADE"), **options)


def counted_by() -> str:
    """Whom a limit counts: the user where there is one, else the address."""
    caller = g.get("caller")
    return f"user:{caller.user_id}" if caller else client_address()


def client_address() -> str:
    """Where the request came from: an IPv4 address, or the /64 that one IPv6 client may roam in."""
    address = ip_address(request.remote_addr or "::")
    return str(address if address.version == 4 else ip_network((address, 64), strict=False))


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
jwt = JWTManager()
cache = Cache()
limiter = Limiter(counted_by, in_memory_fallback_enabled=True, headers_enabled=False)


def table(model: type[Base]) -> sa.Table:
    """A model's table: statements on it touch rows, and no objects."""
    return cast("sa.Table", model.__table__)


def settings() -> Settings:
    """The settings that this app was made with."""
    made_with: Settings = current_app.extensions["taskapp"]
    return made_with


def secret_keys() -> list[str]:
    """The key that signs and seals, then the one before, while keys are exchanged."""
    told = settings()
    return [key for key in (told.secret_key, told.secret_key_previous) if key]


def here() -> tuple[Request, _AppCtxGlobals]:
    """This request and its `g`, for what looks at them often: each look through a proxy costs."""
    return request._get_current_object(), g._get_current_object()  # type: ignore[attr-defined]  # a proxy


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def read(statement: sa.Executable, values: dict[str, Any] | None = None) -> sa.Result[Any]:
    """Run one SELECT outside any transaction: reads need no BEGIN, no ROLLBACK and no lock.

    The request keeps one connection for all of them; `release` hands it back.
    """
    connection: sa.Connection | None = g.get("reads")
    if connection is None:
        connection = g.reads = db.engines["reads"].connect()
    return connection.execute(statement, values)


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what is written inside, or leave nothing of it behind."""
    try:
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def one(found: sa.Result[Any], otherwise: type[Exception]) -> Row:
    """The one row that was found; without it the refusal that says what is not there."""
    row = found.one_or_none()
    if row is None:
        raise otherwise
    return row


def unique(statement: sa.Executable, otherwise: type[Exception], *values: Body) -> sa.Result[Any]:
    """Write what may be there only once, or hangs on what may go; the refusal says what is so."""
    try:
        return db.session.execute(statement, *values)
    except IntegrityError as error:
        raise otherwise from error


def changes(row: Row, body: Body) -> dict[str, list[Any]]:
    """The fields that a body would really change, as {field: [old, new]}."""
    old = row._mapping
    return {name: [old[name], new] for name, new in body.items() if old[name] != new}


def release(_: BaseException | None = None) -> None:
    if connection := g.pop("reads", None):
        connection.close()
