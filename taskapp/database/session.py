"""How the services read and write: reads outside any transaction, writes inside one."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from flask import g
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, SessionTransaction

from taskapp.database.kept import kept
from taskapp.extensions import db, settings

Row = sa.Row[Any]
Body = dict[str, Any]  # what a client sent, validated
# Refuses a row that is not as the client last saw it; None where there is no row.
Precondition = Callable[[Row | None], None]
CONNECTION = "the connection of the transaction"  # in the session's info, while it has begun


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what is written inside, or leave nothing of it behind."""
    try:
        yield
        if _has_session():
            db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def in_transaction() -> bool:
    """Whether one has begun, with its first statement."""
    return _has_session() and db.session().in_transaction()


def _has_session() -> bool:
    """Not where nothing was written, nor where one statement did all: to make one costs more."""
    return db.session.registry.has()


def read(statement: sa.Executable, values: dict[str, Any] | None = None) -> sa.Result[Any]:
    """Run one SELECT outside any transaction: reads need no BEGIN, no ROLLBACK and no lock."""
    return reads().execute(statement, values)


def reads() -> sa.Connection:
    """The request's one connection for reads; `release` hands it back."""
    held = g._get_current_object()  # a proxy: it costs
    connection: sa.Connection | None = held.get("reads")
    if connection is None:
        connection = held.reads = kept().take()
    return connection


def writes() -> sa.Connection:
    """The connection of the request's transaction, which begins with its first statement."""
    session = db.session()
    begun: sa.Connection | None = session.info.get(CONNECTION)
    return begun or session.connection()


@sa.event.listens_for(db.session, "after_begin")
def _remember_connection(session: Session, _: SessionTransaction, begun: sa.Connection) -> None:
    """To find it in the session takes longer than most statements."""
    session.info[CONNECTION] = begun


@sa.event.listens_for(db.session, "after_transaction_end")
def _forget_connection(session: Session, _: SessionTransaction) -> None:
    session.info.pop(CONNECTION, None)


def release(_: BaseException | None = None) -> None:
    """Hand the connection for reads back, when the request or the command ends."""
    held = g._get_current_object()  # a proxy: it costs
    connection = held.pop("reads", None)
    if type(connection) is sa.Connection and settings().fast:
        kept().put(connection)
    elif connection is not None:  # a replica may have a part in it
        connection.close()


def one_or_raise(result: sa.Result[Any], refusal: type[Exception]) -> Row:
    """The one row of a result.

    Raises:
        refusal: There is none.
    """
    row = result.one_or_none()
    if row is None:
        raise refusal
    return row


def insert_or_raise(
    statement: sa.Executable, refusal: type[Exception], *values: Body
) -> sa.Result[Any]:
    """Execute a write.

    Raises:
        refusal: It violates a unique or a foreign key.
    """
    try:
        return db.session.execute(statement, *values)
    except IntegrityError as error:
        raise refusal from error


def changed_fields(row: Row, body: Body) -> dict[str, list[Any]]:
    """The fields that a body would really change, as {field: [old, new]}."""
    before = row._mapping
    changes = {}
    for name, new in body.items():
        old = before[name]
        if old != new:
            changes[name] = [old, new]
    return changes
