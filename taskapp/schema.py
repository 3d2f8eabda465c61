"""What tables are made of: column types that both databases store alike, and the models' parent.

The mapped classes are for Alembic, which compares them with a database. Statements name tables
and columns (`TASKS.c.id`), so a query touches rows and never builds objects.
"""

import datetime as dt
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column, registry
from sqlalchemy.types import TypeDecorator

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite autoincrements INTEGER only


class InstantInText(TypeDecorator[dt.datetime]):
    """A moment as SQLite keeps it, which has no such type: text, always in UTC."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        return None if value is None else value.replace(tzinfo=dt.UTC)


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
    """A foreign key whose row is deleted together with the row that it names."""
    return mapped_column(sa.ForeignKey(column, ondelete="CASCADE"), **options)


def table(model: type[Base]) -> sa.Table:
    """The table of a model, for statements."""
    return cast("sa.Table", model.__table__)
