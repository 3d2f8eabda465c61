"""Statements on the driver's cursor: the rows, the values and the errors of SQLAlchemy's own way"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, g
from sqlalchemy.exc import OperationalError, ProgrammingError

from taskapp.database.hot import MOST_TEXTS, Hot
from taskapp.database.session import now, read, release
from taskapp.extensions import db
from taskapp.ledger import access
from taskapp.schema import Instant
from taskapp.tasks.models import SHOWN, TASK
from tests.conftest import Client

IDS = sa.bindparam("ids", expanding=True)
LATE = sa.bindparam("late", type_=TASK.created_at.type)
SOME = SHOWN.where(
    TASK.id.in_(IDS),
    TASK.created_at < LATE,
    TASK.status.in_(["todo", "done"]),
    TASK.title != "50 %",
).order_by(TASK.id)


class Absent(Exception):
    pass


def test_names_and_values_have_any_letters(app: Flask) -> None:
    with app.app_context():
        row = read(sa.text("SELECT CAST('水やり ü' AS TEXT) AS \"größe_水\"")).one()

    assert dict(row._mapping) == {"größe_水": "水やり ü"}


@pytest.fixture
def ids(alice: Client) -> list[int]:
    bodies: list[dict[str, Any]] = [
        {"title": "Fern", "labels": ["home"], "due_at": "2030-01-01T10:00:00Z"},
        {"title": "100 %", "status": "done"},
        {"title": "50 %"},
        {"title": "In progress", "status": "in_progress"},
    ]
    return [alice.post("/api/v1/tasks", json=body).get_json()["id"] for body in bodies]


@pytest.fixture
def inside(app: Flask) -> Iterator[Flask]:
    chosen = app.extensions["taskapp"]
    app.extensions["taskapp"] = replace(chosen, fast=True)
    with app.app_context():
        yield app
    app.extensions["taskapp"] = chosen


def test_rows_are_those_of_any_other_read(ids: list[int], inside: Flask) -> None:
    hot = Hot(SOME)
    for asked in (ids, ids[:1], [], ids[::-1], [*ids, 10**12]):
        values = {"ids": asked, "late": now()}
        expected = read(SOME, values).all()
        assert hot.tuples(values) == [tuple(row) for row in expected]
        rows = hot.rows(values)
        assert rows == expected
        assert [row._mapping for row in rows] == [row._mapping for row in expected]
        assert all(isinstance(row, sa.Row) for row in rows)
    assert hot.names == tuple(read(SOME, values).keys())
    assert hot.rows({"ids": ids, "late": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}) == []
    titles = [row.title for row in hot.rows({"ids": ids, "late": now()})]
    assert titles == ["Fern", "100 %"]


def test_no_value_of_one_run_is_left_in_another(ids: list[int], inside: Flask) -> None:
    hot = Hot(SHOWN.where(TASK.id == sa.bindparam("task_id"), TASK.project_id.in_(IDS)))
    projects = [row.project_id for row in read(SHOWN.where(TASK.id == ids[0]))]

    assert hot.one_or_raise({"task_id": ids[0], "ids": projects}, Absent).id == ids[0]
    with pytest.raises(Absent):
        hot.one_or_raise({"task_id": 10**12, "ids": projects}, Absent)
    with pytest.raises(Absent):
        hot.one_or_raise({"task_id": ids[0], "ids": [10**12]}, Absent)
    for missing in ({"task_id": ids[0]}, {"ids": projects}):
        with pytest.raises(KeyError):
            hot.rows(missing)


def test_texts_are_bounded(ids: list[int], inside: Flask) -> None:
    hot = Hot(SOME)
    for length in range(2 * MOST_TEXTS):
        hot.tuples({"ids": list(range(length)), "late": now()})

    assert len(hot.texts) <= MOST_TEXTS + 1


def test_values_are_converted_both_ways(inside: Flask) -> None:
    """SQLite keeps moments as text in UTC, whatever the zone that they are sent in."""
    moment = dt.datetime(2030, 5, 1, 12, 30, 0, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    sent = sa.bindparam("moment", type_=Instant)
    is_sqlite = db.engine.dialect.name == "sqlite"
    shown = sa.type_coerce(sent, Instant) if is_sqlite else sa.cast(sent, Instant)
    statement = sa.select(shown.label("moment"))
    (row,) = Hot(statement).rows({"moment": moment})

    assert row.moment == moment
    assert row.moment.utcoffset() == dt.timedelta(0)


def test_an_error_is_sqlalchemys(inside: Flask) -> None:
    hot = Hot(sa.select(sa.column("nothing")).select_from(sa.table("nowhere")))

    with pytest.raises((OperationalError, ProgrammingError)) as hot_error:
        hot.rows({})
    with pytest.raises((OperationalError, ProgrammingError)) as error:
        read(hot.statement)
    assert type(hot_error.value) is type(error.value)
    assert type(hot_error.value.orig) is type(error.value.orig)
    assert Hot(sa.select(sa.literal(1).label("one"))).rows({})[0].one == 1


def test_a_lost_connection_is_dropped_and_the_next_read_has_another(inside: Flask) -> None:
    if db.engine.dialect.name == "sqlite":  # a file has no server that could end a connection
        db.engines["reads"].dispose()
        assert Hot(sa.select(sa.literal(1).label("one"))).rows({})[0].one == 1
        return
    hot = Hot(sa.select(sa.func.pg_backend_pid().label("pid")))
    pid = hot.rows({})[0].pid
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    with pytest.raises(OperationalError) as lost:
        hot.rows({})
    assert lost.value.connection_invalidated
    release()

    assert hot.rows({})[0].pid != pid


def test_whatever_is_no_connection_of_ours_reads_as_ever(ids: list[int], inside: Flask) -> None:
    """A replica decides for each statement who answers it; FAST=0 wants the plain way."""
    hot, values = Hot(SOME), {"ids": ids, "late": now()}
    plain = replace(inside.extensions["taskapp"], fast=False)

    class Elsewhere:
        asked = 0

        def execute(self, statement: sa.Executable, values: Any) -> Any:
            self.asked += 1
            return db.session.execute(statement, values)

    expected = hot.rows(values)
    release()
    elsewhere = g.reads = Elsewhere()
    assert hot.rows(values) == expected
    assert elsewhere.asked == 1
    g.pop("reads")
    inside.extensions["taskapp"], fast = plain, inside.extensions["taskapp"]
    try:
        assert hot.rows(values) == expected
        assert hot.texts.keys() <= {(db.engine.dialect.name, len(ids))}
    finally:
        inside.extensions["taskapp"] = fast


def test_whoever_listens_to_statements_is_told_of_all(ids: list[int], inside: Flask) -> None:
    hot, values, told = Hot(SOME), {"ids": ids, "late": now()}, []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        told.append(statement)

    expected = hot.rows(values)
    engine = db.engines["reads"]
    sa.event.listen(engine, "before_cursor_execute", note)
    assert hot.rows(values) == expected
    sa.event.remove(engine, "before_cursor_execute", note)
    assert hot.rows(values) == expected

    assert len(told) == 1
    assert told[0].startswith("SELECT")


OWNER = sa.select(access.MEMBERSHIPS.c.user_id, access.MEMBERSHIPS.c.role)
OF_USER = access.MEMBERSHIPS.c.user_id == sa.bindparam("user_id")
IN_PROJECT = access.MEMBERSHIPS.c.project_id == sa.bindparam("project_id")


def test_what_is_asked_along_is_there_once_for_the_same_values(
    ids: list[int], alice: Client, inside: Flask
) -> None:
    hot, owner = Hot(SOME), Hot(OWNER.where(OF_USER, IN_PROJECT))
    values = {"ids": ids[::-1], "late": now()}
    project_id = read(SHOWN.where(TASK.id == ids[0])).one().project_id
    both = {**values, "user_id": alice.user["id"], "project_id": project_id}
    expected = read(SOME, values).all()
    assert len(expected) == 2

    found = hot.along(owner, both)
    assert found == (alice.user["id"], "owner")
    assert found.role == "owner"
    with statements_of("reads") as sent:
        assert hot.rows(values) == expected
        assert sent == []
        assert hot.rows(values) == expected
    assert len(sent) == 1

    for others in ({"ids": ids[:1], "late": values["late"]}, {"ids": [], "late": values["late"]}):
        hot.along(owner, both)
        assert hot.rows(others) == read(SOME, others).all()
    hot.along(owner, both)
    assert owner.one_or_raise(both, Absent) == found
    with statements_of("reads") as sent:
        hot.rows(values)
    assert len(sent) == 1


def test_nothing_comes_along_where_either_is_missing(
    ids: list[int], alice: Client, inside: Flask
) -> None:
    hot, owner = Hot(SOME), Hot(OWNER.where(OF_USER, IN_PROJECT))
    project_id = read(SHOWN.where(TASK.id == ids[0])).one().project_id
    both = {"ids": ids, "late": now(), "user_id": alice.user["id"], "project_id": project_id}

    assert hot.along(owner, {**both, "ids": [10**12]}) is None
    assert "along" not in g
    assert hot.along(owner, {**both, "user_id": 10**12}) is None
    assert "along" not in g
    assert hot.along(owner, both) is not None


@contextmanager
def statements_of(engine: str) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    sa.event.listen(db.engines[engine], "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(db.engines[engine], "before_cursor_execute", note)
