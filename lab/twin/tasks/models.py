"""Tasks, their labels, and the words they are found by."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from lab.twin.database import Base

STATUSES = ("todo", "in_progress", "done", "cancelled")
PRIORITIES = ("none", "low", "medium", "high", "urgent")


class Ranked(TypeDecorator[str]):
    """A name out of a few, stored as its rank, so that an index sorts it as people do."""

    impl = sa.SmallInteger
    cache_ok = True

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else self.names.index(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else self.names[value]


class Words(TypeDecorator[list[str]]):
    """A tsvector on PostgreSQL; on SQLite text, which triggers hand to FTS5."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        own = postgresql.TSVECTOR() if dialect.name == "postgresql" else sa.Text()
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: list[str] | None, dialect: sa.Dialect) -> str:
        words = sorted(set(value or ()))
        return " ".join(f"'{word}'" if dialect.name == "postgresql" else word for word in words)


class Task(Base):
    __tablename__ = "tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int]
    external_id: Mapped[str | None]
    # Sorted by code point on every database, whatever its locale.
    title: Mapped[str] = mapped_column(sa.Text().with_variant(sa.Text(collation="C"), "postgresql"))
    description: Mapped[str]
    status: Mapped[str] = mapped_column(Ranked(*STATUSES))
    priority: Mapped[str] = mapped_column(Ranked(*PRIORITIES))
    due_at: Mapped[dt.datetime | None]
    # Shown, and never written here: taskapp sets them.
    due_on: Mapped[dt.date | None]
    repeat: Mapped[dict[str, str] | None] = mapped_column(sa.JSON(none_as_null=True))
    reminders: Mapped[list[str]] = mapped_column(sa.JSON, server_default="[]")
    due: Mapped[int | None]  # due_at or due_on as a number, which lists sort by
    assignee_id: Mapped[int | None]
    parent_id: Mapped[int | None]
    labels: Mapped[list[str]] = mapped_column(sa.JSON)
    created_by: Mapped[int]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    completed_at: Mapped[dt.datetime | None]
    revision: Mapped[int]
    words: Mapped[list[str]] = mapped_column(Words)


class TaskLabel(Base):
    """The index behind the label filter; `Task.labels` holds what clients see."""

    __tablename__ = "task_labels"

    task_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)  # the name as it is compared
    name: Mapped[str]
