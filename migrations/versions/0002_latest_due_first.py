"""The latest due date first and none last, on PostgreSQL: no index read backwards has that order.

On SQLite it does nothing. On PostgreSQL one index is built, which 100,000 tasks, half of them with
a due date, took 0.5 s for, and a million takes ten times that; who writes tasks waits meanwhile, in
old workers, too, which may run beside it. Undone by the downgrade, at once, which loses nothing.

Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
COLUMNS = ["project_id", sa.text("due_at DESC NULLS LAST"), sa.text("id DESC")]


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.create_index("ix_tasks_latest_due", "tasks", COLUMNS)


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.drop_index("ix_tasks_latest_due", "tasks")
