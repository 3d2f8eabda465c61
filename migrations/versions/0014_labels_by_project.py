"""Labels lie together by project, so that a list by labels reads those of a page.

A column of `task_labels`, which triggers keep equal to the task's, and the index that has it first.
The statements take milliseconds; then, after the commit, the column is filled in pieces of 10,000
tasks, and the index is built, on PostgreSQL without holding up writers (CREATE INDEX CONCURRENTLY).
200,000 tasks with as many labels took 3 s on SQLite and 7 s on PostgreSQL while the machine was
busy, and less than a second back; a million takes five times that.
Old workers may run beside it: the triggers see what they write, and what they ask for takes longer
without their index. If it is interrupted after the commit, `flask db downgrade 0013` and `upgrade`
begin anew. Undone by the downgrade, which loses nothing.

Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
FORMER = "ix_task_labels_key_task_id"
INDEX = "ix_task_labels_project_id_key_task_id_name"
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TASKS_AT_ONCE = 10_000
FILL = """
    UPDATE task_labels SET project_id = tasks.project_id FROM tasks
    WHERE tasks.id = task_labels.task_id AND task_labels.project_id IS NULL
    AND task_labels.task_id > :after AND task_labels.task_id <= :until
"""
ON_SQLITE = (
    """
    CREATE TRIGGER task_labels_insert AFTER INSERT ON task_labels WHEN NEW.project_id IS NULL BEGIN
    UPDATE task_labels SET project_id = (SELECT project_id FROM tasks WHERE id = NEW.task_id)
    WHERE task_id = NEW.task_id AND key = NEW.key; END
    """,
    """
    CREATE TRIGGER tasks_move_labels AFTER UPDATE OF project_id ON tasks
    WHEN OLD.project_id <> NEW.project_id BEGIN
    UPDATE task_labels SET project_id = NEW.project_id WHERE task_id = NEW.id; END
    """,
)
ON_POSTGRESQL = (
    """
    CREATE FUNCTION task_labels_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.project_id := (SELECT project_id FROM tasks WHERE id = NEW.task_id); RETURN NEW; END $$
    """,
    """
    CREATE TRIGGER task_labels_insert BEFORE INSERT ON task_labels
    FOR EACH ROW EXECUTE FUNCTION task_labels_insert()
    """,
    """
    CREATE FUNCTION tasks_move_labels() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE task_labels SET project_id = NEW.project_id WHERE task_id = NEW.id; RETURN NULL; END $$
    """,
    """
    CREATE TRIGGER tasks_move_labels AFTER UPDATE OF project_id ON tasks FOR EACH ROW
    WHEN (OLD.project_id <> NEW.project_id) EXECUTE FUNCTION tasks_move_labels()
    """,
)


def upgrade() -> None:
    op.add_column("task_labels", sa.Column("project_id", NUMBER, nullable=True))
    on_postgresql = op.get_context().dialect.name == "postgresql"
    for statement in ON_POSTGRESQL if on_postgresql else ON_SQLITE:
        op.execute(statement)
    op.get_context().opts["after_commit"] += [fill, exchange_indexes]


def fill(connection: sa.Connection) -> None:
    """Give each label the project of its task."""
    with connection.begin():
        last = connection.scalar(sa.text("SELECT max(task_id) FROM task_labels")) or 0
    for after in range(0, last, TASKS_AT_ONCE):
        with connection.begin():
            connection.execute(sa.text(FILL), {"after": after, "until": after + TASKS_AT_ONCE})


def exchange_indexes(connection: sa.Connection) -> None:
    """Build the new index, then drop the one before."""
    beside_writers = ""
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SET statement_timeout = 0")
        beside_writers = "CONCURRENTLY"
    columns = "(project_id, key, task_id, name)"
    connection.exec_driver_sql(f"CREATE INDEX {beside_writers} {INDEX} ON task_labels {columns}")
    connection.exec_driver_sql(f"DROP INDEX {beside_writers} {FORMER}")
    connection.commit()


def downgrade() -> None:
    op.create_index(FORMER, "task_labels", ["key", "task_id"], if_not_exists=True)
    op.drop_index(INDEX, "task_labels", if_exists=True)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TRIGGER tasks_move_labels ON tasks")
        op.execute("DROP TRIGGER task_labels_insert ON task_labels")
        op.execute("DROP FUNCTION tasks_move_labels()")
        op.execute("DROP FUNCTION task_labels_insert()")
    else:
        op.execute("DROP TRIGGER tasks_move_labels")
        op.execute("DROP TRIGGER task_labels_insert")
    op.drop_column("task_labels", "project_id")
