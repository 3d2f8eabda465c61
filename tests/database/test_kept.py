"""The connection for reads that outlives its request"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database import kept
from taskapp.database.hot import Hot
from taskapp.database.kept import Kept
from taskapp.database.session import read, reads, release
from taskapp.extensions import db

ONE = sa.select(sa.literal(1).label("one"))


@pytest.fixture
def stock(app: Flask) -> Iterator[Kept]:
    """That of the app, empty, on the fast way."""
    chosen = app.extensions["taskapp"]
    app.extensions["taskapp"] = replace(chosen, fast=True)
    with app.app_context():
        kept.kept().drop()
        yield kept.kept()
        release()
        kept.kept().drop()
    app.extensions["taskapp"] = chosen


def _read() -> sa.Connection:
    assert Hot(ONE).tuples({}) == [(1,)]
    return reads()


def test_the_next_request_has_the_same_connection(stock: Kept) -> None:
    first = _read()
    release()
    assert not first.closed

    assert _read() is first


def test_two_at_once_have_one_each_and_one_is_kept(stock: Kept) -> None:
    first, second = stock.take(), stock.take()
    stock.put(first)
    stock.put(second)

    assert not first.closed
    assert second.closed


def test_one_that_ran_anything_else_goes_back_to_the_pool(stock: Kept) -> None:
    connection = _read()
    read(ONE)
    release()

    assert connection.closed
    assert not stock.stock


def test_the_plain_way_keeps_none(stock: Kept, app: Flask) -> None:
    connection = _read()
    app.extensions["taskapp"] = replace(app.extensions["taskapp"], fast=False)
    release()

    assert connection.closed


def test_one_that_was_lost_while_it_rested_is_replaced(stock: Kept) -> None:
    if db.engine.dialect.name == "sqlite":  # a file has no server that could end a connection
        rested = _read()
        release()
        time.sleep(kept.RESTED * 1.5)
        assert _read() is rested
        return
    hot = Hot(sa.select(sa.func.pg_backend_pid().label("pid")))
    pid = hot.rows({})[0].pid
    release()
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    time.sleep(kept.RESTED * 1.5)

    assert hot.rows({})[0].pid != pid


def test_an_engine_that_is_disposed_of_leaves_none_open(stock: Kept) -> None:
    connection = _read()
    driver = connection.connection.dbapi_connection
    assert driver is not None
    release()
    db.engines["reads"].dispose()

    assert connection.closed
    assert not stock.stock
    with pytest.raises(db.engine.dialect.loaded_dbapi.Error):
        driver.cursor().execute("SELECT 1")
