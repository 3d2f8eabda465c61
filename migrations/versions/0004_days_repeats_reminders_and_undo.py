"""Tasks due on a day, tasks that repeat, reminders, and deletes that can be undone.

One column, `due`, orders days and moments alike, so one index serves both. Comments and attachments
outlive their task until `flask purge`, so that a deleted task can be restored with them.

One transaction. 100,000 short tasks, a third of them with a due date, took 2 s up and 3 s down on
SQLite, 5 s up and 1 s down on PostgreSQL, on a busy machine with two processors; the time grows
with their number, so count on a minute for a million, and on more where they are long. Stop the
service meanwhile: on PostgreSQL the table of tasks is locked all that time, and workers of the
release before would write due dates that lists do not see. The downgrade makes each day a moment at
00:00 UTC, and drops repeats, reminders, and the comments and attachments of deleted tasks.

Revises: 0003
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
INSTANT = sa.DateTime(timezone=True)


def task_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("due_on", sa.Date),
        sa.Column("due", BIG),
        sa.Column("repeat", sa.JSON),
        sa.Column("reminders", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("pending_reminders", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("next_reminder_at", INSTANT),
        sa.Column("series_id", BIG),
        sa.Column("occurrence", BIG, nullable=False, server_default="1"),
        sa.Column("next_id", BIG),
        sa.Column("due_wall", sa.Text),
    ]


# What `taskapp.tasks.due.rank` computes of a moment: its microseconds since 1970, doubled, plus 1.
RANKED = {
    "postgresql": """UPDATE tasks SET due = (extract(epoch FROM due_at) * 1000000)::bigint * 2 + 1
    WHERE due_at IS NOT NULL""",
    "sqlite": """UPDATE tasks
    SET due = (strftime('%s', due_at) * 1000000 + substr(due_at, 21, 6)) * 2 + 1
    WHERE due_at IS NOT NULL""",
}
AT_MIDNIGHT = {
    "postgresql": """UPDATE tasks SET due_at = due_on::timestamp AT TIME ZONE 'UTC'
    WHERE due_on IS NOT NULL""",
    "sqlite": "UPDATE tasks SET due_at = due_on || ' 00:00:00.000000' WHERE due_on IS NOT NULL",
}
LATEST_DUE = "ix_tasks_latest_due"
OPEN = sa.text("status < 2")
NEW_INDEXES: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "ix_tasks_project_id_due_id": ("tasks", ["project_id", "due", "id"], {}),
    "ix_tasks_open_due": (
        "tasks",
        ["project_id", "due"],
        {"postgresql_where": OPEN, "sqlite_where": OPEN},
    ),
    "ix_tasks_project_id_completed_at": ("tasks", ["project_id", "completed_at"], {}),
    "ix_tasks_assignee_id_project_id_id": ("tasks", ["assignee_id", "project_id", "id"], {}),
    "ix_tasks_next_reminder_at": ("tasks", ["next_reminder_at"], {}),
    "ix_events_project_id_id": ("events", ["project_id", "id"], {}),
}
OLD_INDEXES = {
    "ix_tasks_project_id_due_at_id": ["project_id", "due_at", "id"],
    "ix_tasks_assignee_id_id": ["assignee_id", "id"],
}


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    op.add_column("users", sa.Column("timezone", sa.Text, nullable=False, server_default="UTC"))
    for column in task_columns():
        op.add_column("tasks", column)
    op.execute(RANKED[dialect])
    op.execute("UPDATE projects SET revision = revision + 1")  # tasks show more than they did
    _drop_latest_due(dialect)
    for name in OLD_INDEXES:
        op.drop_index(name, "tasks")
    for name, (table, columns, options) in NEW_INDEXES.items():
        op.create_index(name, table, columns, **options)
    op.create_index(
        "ix_tasks_series_id_occurrence", "tasks", ["series_id", "occurrence"], unique=True
    )
    _create_latest_due(dialect, "due")
    _outlive_their_task(dialect)


def downgrade() -> None:
    dialect = op.get_context().dialect.name
    _end_with_their_task(dialect)
    op.execute(AT_MIDNIGHT[dialect])
    _drop_latest_due(dialect)
    op.drop_index("ix_tasks_series_id_occurrence", "tasks")
    for name, (table, _, __) in NEW_INDEXES.items():
        op.drop_index(name, table)
    for column in task_columns():
        op.drop_column("tasks", column.name)
    for name, columns in OLD_INDEXES.items():
        op.create_index(name, "tasks", columns)
    _create_latest_due(dialect, "due_at")
    op.drop_column("users", "timezone")


def _create_latest_due(dialect: str, column: str) -> None:
    """No index read backwards has this order: the latest first, and none last."""
    if dialect == "postgresql":
        order = ["project_id", sa.text(f"{column} DESC NULLS LAST"), sa.text("id DESC")]
        op.create_index(LATEST_DUE, "tasks", order)


def _drop_latest_due(dialect: str) -> None:
    if dialect == "postgresql":
        op.drop_index(LATEST_DUE, "tasks")


def _outlive_their_task(dialect: str) -> None:
    for table in ("comments", "attachments"):
        with _altered(table, dialect) as batch:
            batch.drop_constraint(f"fk_{table}_task_id", type_="foreignkey")


def _end_with_their_task(dialect: str) -> None:
    op.execute("DELETE FROM comments WHERE task_id NOT IN (SELECT id FROM tasks)")
    op.execute("DELETE FROM attachments WHERE task_id NOT IN (SELECT id FROM tasks)")
    for table in ("comments", "attachments"):
        with _altered(table, dialect) as batch:
            batch.create_foreign_key(
                f"fk_{table}_task_id", "tasks", ["task_id"], ["id"], ondelete="CASCADE"
            )


@contextmanager
def _altered(table: str, dialect: str) -> Iterator[Any]:
    """SQLite makes the table anew; the ids that were given stay given."""
    with op.batch_alter_table(table, table_kwargs={"sqlite_autoincrement": True}) as batch:
        highest = _highest_id(table) if dialect == "sqlite" else None
        yield batch
    if highest is not None:
        kept = sa.text("UPDATE sqlite_sequence SET seq = :seq WHERE name = :name")
        op.get_bind().execute(kept, {"seq": highest, "name": table})


def _highest_id(table: str) -> int | None:
    given = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    highest: int | None = op.get_bind().execute(given, {"name": table}).scalar()
    return highest
