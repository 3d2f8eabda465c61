"""Words lie together by project, so that a search reads those of the caller's projects alone.

`12xwater` stands for "water" in project 12: on PostgreSQL in a GIN index over an expression, which
is built without holding up writers (CREATE INDEX CONCURRENTLY) and takes the place of the one
before; on SQLite in FTS5's table, which is filled anew in the migration's transaction.
A million tasks took 48 s on PostgreSQL and 28 s on SQLite, where nobody writes meanwhile, on a busy
machine. To put the project to the words costs PostgreSQL 5 µs for each task that is written.
Old workers may run beside it. On PostgreSQL their searches take longer without their index; on
SQLite they find nothing by words until they are restarted. If it is interrupted on PostgreSQL,
`flask db downgrade 0016` and `upgrade` begin anew. Undone by the downgrade, which loses nothing.

Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
FORMER = "ix_tasks_words"
INDEX = "ix_tasks_project_words"
# Literally what `taskapp.tasks.search` asks for.
EXPRESSION = "replace(' ' || words::text, ' ''', ' ''' || project_id || 'x')::tsvector"


IN_PROJECT = "replace(' ' || {row}.words, ' ', ' ' || {row}.project_id || 'x')"
# Words are asked for one by one, never as phrases: FTS5 need not know their places.
BY_PROJECT = """
    CREATE VIRTUAL TABLE task_words
    USING fts5(words, content='', detail='none', columnsize=0, tokenize='ascii')
"""
FILL = """
    INSERT INTO task_words (rowid, words)
    SELECT id, replace(' ' || words, ' ', ' ' || project_id || 'x') FROM tasks
"""
OF_ALL = """
    CREATE VIRTUAL TABLE task_words
    USING fts5(words, content='tasks', content_rowid='id', tokenize='ascii')
"""
REBUILD = "INSERT INTO task_words (task_words) VALUES ('rebuild')"
FORGET = "INSERT INTO task_words (task_words, rowid, words) VALUES ('delete', old.id, {words});"
LEARN = "INSERT INTO task_words (rowid, words) VALUES (new.id, {words});"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.get_context().opts["after_commit"].append(exchange_indexes)
        return
    drop_fts5()
    op.execute(BY_PROJECT)
    op.execute(FILL)
    follow(IN_PROJECT, "words, project_id")


def exchange_indexes(connection: sa.Connection) -> None:
    """Build the new index, then drop the one before."""
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.exec_driver_sql(
        f"CREATE INDEX CONCURRENTLY {INDEX} ON tasks USING gin (({EXPRESSION}))"
    )
    connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY {FORMER}")
    connection.commit()


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.create_index(FORMER, "tasks", ["words"], postgresql_using="gin", if_not_exists=True)
        op.drop_index(INDEX, "tasks", if_exists=True)
        return
    drop_fts5()
    op.execute(OF_ALL)
    op.execute(REBUILD)
    follow("{row}.words", "words")


def drop_fts5() -> None:
    for event in ("insert", "delete", "update"):
        op.execute(f"DROP TRIGGER task_words_{event}")
    op.execute("DROP TABLE task_words")


def follow(words: str, columns: str) -> None:
    """Hand to FTS5 what these columns of a task hold."""
    forget = FORGET.format(words=words.format(row="old"))
    learn = LEARN.format(words=words.format(row="new"))
    triggers = {
        "insert": f"INSERT ON tasks BEGIN {learn} END",
        "delete": f"DELETE ON tasks BEGIN {forget} END",
        "update": f"UPDATE OF {columns} ON tasks BEGIN {forget} {learn} END",
    }
    for event, body in triggers.items():
        op.execute(f"CREATE TRIGGER task_words_{event} AFTER {body}")
