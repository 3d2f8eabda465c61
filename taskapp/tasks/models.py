"""Tasks, their labels, and the words they are found by."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from taskapp.schema import Base, part_of, table

STATUSES = ("todo", "in_progress", "done", "cancelled")
OPEN = ("todo", "in_progress")
PRIORITIES = ("none", "low", "medium", "high", "urgent")
SORTED_BY = ("title_key", "status", "priority", "due", "created_at", "updated_at")

# As literal text: a partial index is used only if the query has the same condition.
IS_OPEN = sa.literal_column("tasks.status") < sa.literal_column(str(len(OPEN)))


class Ranked(TypeDecorator[str]):
    """One of a few names, stored as its rank, so that an index sorts in the order of the ranks."""

    impl = sa.SmallInteger
    cache_ok = True

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.names = names

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else self.names.index(value)

    def result_processor(self, dialect: sa.Dialect, coltype: Any) -> Callable[[int], str]:
        return self.names.__getitem__  # called for every row, and never with NULL


class Words(TypeDecorator[list[str]]):
    """The words of a task: a tsvector on PostgreSQL; on SQLite text, which triggers hand to FTS5.

    Both get the same words from `folding.words`, so no parser or locale of a database matters.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import TSVECTOR  # which SQLite does not load

            return dialect.type_descriptor(TSVECTOR())
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: list[str] | None, dialect: sa.Dialect) -> str:
        words = sorted(set(value or ()))
        if dialect.name == "postgresql":
            words = [f"'{word}'" for word in words]
        return " ".join(words)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> list[str] | None:
        """Only `copy-to` reads them: to write them to the other kind of database."""
        if value is None:
            return None
        return sorted(value.replace("'", "").split())


# Sorted by code point on every database, whatever its locale.
InCodePoints = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class Task(Base):
    __tablename__ = "tasks"
    __table_args__ = (
        sa.UniqueConstraint("project_id", "external_id"),
        sa.Index(None, "project_id", "id"),
        sa.Index(None, "project_id", "revision"),
        *(sa.Index(None, "project_id", name, "id") for name in SORTED_BY),
        sa.Index(None, "project_id", "completed_at"),
        sa.Index(None, "assignee_id", "project_id", "id"),
        sa.Index(None, "parent_id", "id"),
        sa.Index(None, "next_reminder_at"),
        # However often a task becomes done, it has one next occurrence.
        sa.Index(None, "series_id", "occurrence", unique=True),
        # Migrations alone name those with options of one database, for which SQLAlchemy would load
        # its dialect: of open tasks by due (0004) and by age (0019), of repeating tasks (0016); on
        # PostgreSQL the latest due date first, tasks without last (0004), and the words of each
        # project (0017).
        {"sqlite_autoincrement": True},  # a deleted task's id must never come back
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = part_of("projects.id")
    external_id: Mapped[str | None]
    title: Mapped[str] = mapped_column(InCodePoints)
    description: Mapped[str]
    status: Mapped[str] = mapped_column(Ranked(*STATUSES))
    priority: Mapped[str] = mapped_column(Ranked(*PRIORITIES))
    due_at: Mapped[dt.datetime | None]
    due_on: Mapped[dt.date | None]
    due: Mapped[int | None]  # either of them as a number: `tasks/due.py`
    repeat: Mapped[dict[str, str] | None] = mapped_column(sa.JSON(none_as_null=True))
    reminders: Mapped[list[str]] = mapped_column(sa.JSON, server_default="[]")
    assignee_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"))
    parent_id: Mapped[int | None] = part_of("tasks.id")
    labels: Mapped[list[str]] = mapped_column(sa.JSON)
    created_by: Mapped[int]  # no foreign key: it stays when that user is deleted
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    completed_at: Mapped[dt.datetime | None]
    revision: Mapped[int]
    words: Mapped[list[str]] = mapped_column(Words)
    # Moments in UTC that are still to come; an index finds the next one.
    pending_reminders: Mapped[list[str]] = mapped_column(sa.JSON, server_default="[]")
    next_reminder_at: Mapped[dt.datetime | None]
    series_id: Mapped[int | None]  # the first task of the series; None: this may become the first
    occurrence: Mapped[int] = mapped_column(server_default="1")  # its number in the series
    next_id: Mapped[int | None]  # the next occurrence, even if that was deleted
    due_wall: Mapped[str | None]  # the local time of an occurrence whose hour the clocks skipped
    # Title and description as search compares them; NULL where that is what `lower` makes of them.
    folded: Mapped[str | None]
    title_key: Mapped[str] = mapped_column(InCodePoints, server_default="")


TASKS = table(Task)
TASK = TASKS.c
HIDDEN = {
    *("due", "words", "folded", "title_key", "pending_reminders", "next_reminder_at"),
    *("series_id", "occurrence", "next_id", "due_wall"),
}
COLUMNS = tuple(column for column in TASKS.columns if column.name not in HIDDEN)  # what is shown
SHOWN = sa.select(*COLUMNS)
TASK_IDS = sa.select(TASK.id)


class TaskLabel(Base):
    """What the filter by label looks up; `Task.labels` is what clients see."""

    __tablename__ = "task_labels"
    # With the name, so that labels are listed and counted from the index alone.
    __table_args__ = (sa.Index(None, "project_id", "key", "task_id", "name"),)

    task_id: Mapped[int] = part_of("tasks.id", primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)  # the name as it is compared
    name: Mapped[str]
    project_id: Mapped[int | None]  # the task's; triggers keep it: migration 0014


LABELS = table(TaskLabel)
