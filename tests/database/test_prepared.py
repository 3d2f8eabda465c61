"""Statements that PostgreSQL keeps: once on each connection, and never one that is no good"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database import prepared
from taskapp.database.hot import Hot, HotWrite
from taskapp.database.session import reads, release
from taskapp.extensions import db
from taskapp.web.request_log import _without_values
from tests.conftest import Client, add

pytestmark = pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
NUMBER = sa.bindparam("number", type_=sa.Integer)
KEPT = sa.text("SELECT name, statement FROM pg_prepared_statements ORDER BY prepare_time")


@pytest.fixture
def inside(app: Flask) -> Iterator[Flask]:
    chosen = app.extensions["taskapp"]
    app.extensions["taskapp"] = replace(chosen, fast=True)
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()  # with what other tests have prepared
        yield app
    app.extensions["taskapp"] = chosen


@pytest.fixture
def numbers(inside: Flask) -> Iterator[sa.TableClause]:
    """A table of the test's own, with the numbers from 0 to 9."""
    with db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE numbers AS SELECT n FROM generate_series(0, 9) n"))
    yield sa.table("numbers", sa.column("n", sa.Integer))
    release()
    with db.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE numbers"))


def below(numbers: sa.TableClause, most: int = 100) -> Hot:
    n = numbers.c.n
    return Hot(sa.select(n).where(n < NUMBER, n < most, sa.literal("50 %") != "'").order_by(n))


def kept() -> list[Any]:
    return list(reads().execute(KEPT))


def test_a_statement_is_prepared_once_on_a_connection(numbers: sa.TableClause) -> None:
    hot = below(numbers)

    for most in (3, 0, 2):
        assert hot.tuples({"number": most}) == [(n,) for n in range(most)]
    ((name, statement),) = kept()
    assert name.startswith("taskapp_")
    assert "n < $1" in statement.replace("numbers.", "")
    assert "'50 %'" in statement
    release()
    db.engines["reads"].dispose()
    assert kept() == []
    assert hot.tuples({"number": 1}) == [(0,)]
    assert [row.name for row in kept()] == [name]


def test_other_constants_are_another_statement(numbers: sa.TableClause) -> None:
    first, second = below(numbers, 2), below(numbers, 4)

    for _ in range(2):
        assert len(first.tuples({"number": 9})) == 2
        assert len(second.tuples({"number": 9})) == 4
    assert len(kept()) == 2


def test_a_connection_keeps_no_more_than_so_many(
    numbers: sa.TableClause, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "MOST", 3)

    for most in (*range(6), *range(6)):
        assert len(below(numbers, most).tuples({"number": 9})) == most
    assert len(kept()) == 3


def test_no_list_is_planned_for_any_values(
    alice: Client, inside: Flask, numbers: sa.TableClause
) -> None:
    """A page's best plan is another for a rare word, and for each length of a list."""
    add(alice)
    for _ in range(2):
        assert alice.get("/api/v1/tasks?q=fern&status=todo").get_json()["items"]
    some = sa.select(numbers.c.n).where(numbers.c.n.in_(sa.bindparam("some", expanding=True)))
    assert len(Hot(some).tuples({"some": [1, 2]})) == 2

    assert [row.statement for row in kept() if "FROM tasks" in row.statement] == []
    assert [row.statement for row in kept() if "LIMIT" in row.statement] == []


def test_a_pooler_that_drops_the_options_gets_nothing_prepared(
    inside: Flask, numbers: sa.TableClause
) -> None:
    """It hands out another connection for each transaction."""

    class Record:
        info: dict[str, Any]

    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    for options, is_allowed in (("-c timezone=UTC", False), (prepared.STARTUP, True)):
        record = Record()
        record.info = {}
        connection = psycopg2.connect(url, options=options)
        prepared.allow(connection, record)
        assert (prepared.KNOWN in record.info) is is_allowed
        assert connection.info.transaction_status == 0  # none has begun
        connection.close()

    del reads().connection.info[prepared.KNOWN]
    assert len(below(numbers).tuples({"number": 3})) == 3
    assert kept() == []


@pytest.mark.parametrize(
    "spoil", ["DEALLOCATE ALL", "ALTER TABLE numbers ALTER n TYPE bigint", "DISCARD ALL"]
)
def test_what_is_no_good_any_more_costs_one_request(numbers: sa.TableClause, spoil: str) -> None:
    hot = below(numbers)
    for _ in range(3):
        hot.tuples({"number": 3})

    reads().execute(sa.text(spoil))
    with pytest.raises(sa.exc.DBAPIError) as error:
        hot.tuples({"number": 3})
    assert error.value.connection_invalidated
    release()
    assert len(hot.tuples({"number": 3})) == 3


def test_a_transaction_that_is_rolled_back_leaves_it_prepared(numbers: sa.TableClause) -> None:
    more = HotWrite(sa.insert(numbers).returning(numbers.c.n))

    for _ in range(3):
        assert more.tuples({"n": 10}) == [(10,)]
        with pytest.raises(sa.exc.DataError):
            more.tuples({"n": 10**12})
        db.session.rollback()
        assert more.tuples({"n": 11}) == [(11,)]
        assert len(db.session.execute(KEPT).all()) == 1
        db.session.rollback()


def test_the_log_names_the_statement_and_not_how_it_is_called(inside: Flask) -> None:
    call = prepared.Prepared("SELECT %(number)s", ["number"], {}).call

    assert call.startswith("EXECUTE taskapp_")
    assert _without_values(call) == "SELECT %(number)s"
