"""Every table of the first release, and the index of words.

The tables are new and empty, so it takes no time, and there are no older workers. Undone by
`flask db downgrade base`, which deletes everything.

Revises: nothing
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TITLE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WORDS = sa.Text().with_variant(TSVECTOR(), "postgresql")
# Children first: the order in which they can be dropped.
TABLES = "attachments comments task_labels tasks events memberships projects".split()
TABLES += "idempotency_keys personal_tokens sessions users".split()
TASK_LISTS = ("id", "revision", "status", "priority", "due_at", "created_at", "updated_at", "title")
# FTS5 keeps only the index; the words themselves stay in tasks.words, which these triggers follow.
FORGET = "INSERT INTO task_words (task_words, rowid, words) VALUES ('delete', old.id, old.words);"
LEARN = "INSERT INTO task_words (rowid, words) VALUES (new.id, new.words);"
FTS5 = (
    """CREATE VIRTUAL TABLE task_words
    USING fts5(words, content='tasks', content_rowid='id', tokenize='ascii')""",
    f"CREATE TRIGGER task_words_insert AFTER INSERT ON tasks BEGIN {LEARN} END",
    f"CREATE TRIGGER task_words_delete AFTER DELETE ON tasks BEGIN {FORGET} END",
    f"CREATE TRIGGER task_words_update AFTER UPDATE OF words ON tasks BEGIN {FORGET} {LEARN} END",
)


def number(name: str, *extra: Any, null: bool = False, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, BIG, *extra, nullable=null, primary_key=key)


def text(name: str, *, null: bool = False, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=null, primary_key=key)


def instant(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def parent(column: str, on_delete: str) -> sa.ForeignKey:
    return sa.ForeignKey(column, ondelete=on_delete)


def index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def upgrade() -> None:
    op.create_table(
        "users",
        number("id", key=True),
        text("email"),
        text("email_key"),
        text("name"),
        text("role"),
        sa.Column("is_active", sa.Boolean, nullable=False),
        text("password_hash"),
        instant("created_at"),
        instant("updated_at"),
        sa.CheckConstraint("role IN ('user', 'admin')", name=op.f("ck_users_role")),
        sa.UniqueConstraint("email_key", name=op.f("uq_users_email_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        number("id", key=True),
        number("user_id", parent("users.id", "CASCADE")),
        text("refresh_jti"),
        text("user_agent"),
        text("address"),
        instant("created_at"),
        instant("last_used_at"),
        instant("expires_at"),
        instant("ended_at", null=True),
        sqlite_autoincrement=True,
    )
    index("sessions", "user_id", "id")
    op.create_table(
        "personal_tokens",
        number("id", key=True),
        number("user_id", parent("users.id", "CASCADE")),
        text("name"),
        sa.Column("scopes", sa.JSON, nullable=False),
        text("digest"),
        instant("created_at"),
        instant("expires_at", null=True),
        instant("ended_at", null=True),
        sa.UniqueConstraint("digest", name=op.f("uq_personal_tokens_digest")),
        sqlite_autoincrement=True,
    )
    index("personal_tokens", "user_id", "id")
    op.create_table(
        "idempotency_keys",
        text("id", key=True),
        text("payload"),
        sa.Column("answer", sa.LargeBinary, nullable=True),
        instant("created_at"),
    )
    index("idempotency_keys", "created_at")
    op.create_table(
        "projects",
        number("id", key=True),
        text("name"),
        text("description"),
        number("inbox_of", parent("users.id", "CASCADE"), null=True),
        instant("archived_at", null=True),
        number("revision"),
        instant("created_at"),
        instant("updated_at"),
        sa.UniqueConstraint("inbox_of", name=op.f("uq_projects_inbox_of")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "memberships",
        number("project_id", parent("projects.id", "CASCADE"), key=True),
        number("user_id", parent("users.id", "CASCADE"), key=True),
        text("role"),
        number("revision"),
        instant("created_at"),
        sa.CheckConstraint(
            "role IN ('owner', 'editor', 'viewer')", name=op.f("ck_memberships_role")
        ),
    )
    index("memberships", "user_id", "project_id")
    op.create_table(
        "events",
        number("id", key=True),
        number("project_id"),
        number("revision"),
        number("task_id", null=True),
        number("user_id", null=True),
        text("kind"),
        sa.Column("changes", sa.JSON, nullable=False),
        instant("at"),
        sqlite_autoincrement=True,
    )
    index("events", "project_id", "revision")
    index("events", "task_id", "revision")
    _create_tasks()
    _create_what_hangs_on_tasks()


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        number("id", key=True),
        number("project_id", parent("projects.id", "CASCADE")),
        text("external_id", null=True),
        sa.Column("title", TITLE, nullable=False),
        text("description"),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        instant("due_at", null=True),
        number("assignee_id", parent("users.id", "SET NULL"), null=True),
        number("parent_id", parent("tasks.id", "CASCADE"), null=True),
        sa.Column("labels", sa.JSON, nullable=False),
        number("created_by"),
        instant("created_at"),
        instant("updated_at"),
        instant("completed_at", null=True),
        number("revision"),
        sa.Column("words", WORDS, nullable=False),
        sa.UniqueConstraint(
            "project_id", "external_id", name=op.f("uq_tasks_project_id_external_id")
        ),
        sqlite_autoincrement=True,
    )
    for column in TASK_LISTS:
        index("tasks", "project_id", column, *(() if column in {"id", "revision"} else ("id",)))
    index("tasks", "assignee_id", "id")
    index("tasks", "parent_id", "id")
    op.create_table(
        "task_labels",
        number("task_id", parent("tasks.id", "CASCADE"), key=True),
        text("key", key=True),
        text("name"),
    )
    index("task_labels", "key", "task_id")
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(op.f("ix_tasks_words"), "tasks", ["words"], postgresql_using="gin")
        return
    for statement in FTS5:
        op.execute(statement)


def _create_what_hangs_on_tasks() -> None:
    op.create_table(
        "comments",
        number("id", key=True),
        number("task_id", parent("tasks.id", "CASCADE")),
        text("body"),
        number("created_by"),
        instant("created_at"),
        instant("updated_at"),
        sqlite_autoincrement=True,
    )
    index("comments", "task_id", "id")
    op.create_table(
        "attachments",
        number("id", key=True),
        number("task_id", parent("tasks.id", "CASCADE")),
        text("name"),
        text("media_type"),
        number("size"),
        text("sha256"),
        number("created_by"),
        instant("created_at"),
        sqlite_autoincrement=True,
    )
    index("attachments", "task_id", "id")
    index("attachments", "sha256")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE task_words")
    for table in TABLES:
        op.drop_table(table)
