"""JSON as the service writes it: times, and rows under their names"""

from __future__ import annotations

import datetime as dt

import orjson
import pytest
import sqlalchemy as sa

from taskapp.database.encoding import by_name, encode


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (dt.datetime(2026, 1, 31, 9, 30, 15, 123456, dt.UTC), "2026-01-31T09:30:15.123456Z"),
        (dt.datetime(2026, 1, 31, 9, 30, 15, 1, dt.UTC), "2026-01-31T09:30:15.000001Z"),
        (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), "1970-01-01T00:00:00.000000Z"),
        (dt.datetime(2999, 12, 31, 23, 59, 59, 999999, dt.UTC), "2999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_always_have_six_digits_of_a_second(moment: dt.datetime, text: str) -> None:
    assert encode({"at": moment}) == orjson.dumps({"at": text})


def test_a_row_has_the_names_of_its_statement() -> None:
    with sa.create_engine("sqlite://", poolclass=sa.NullPool).connect() as connection:
        one = sa.literal(1).label(sa.sql.quoted_name("one", quote=True))
        row = connection.execute(sa.select(one, sa.literal("b").label("Two"))).one()
    assert by_name(row) == {"one": 1, "Two": "b"}
    assert encode([row]) == b'[{"one":1,"Two":"b"}]'
