"""Search finds words without accents, width and quote style; titles sort without case and accents.

New columns (`folded`, `title_key`) and the index that sorts by titles. The statements take
milliseconds; then, after the commit, all tasks are folded anew in pieces of 500, while workers of
the release before go on. What is not folded yet is found as before. A task that such a worker
writes is folded by the next `flask purge`.

100,000 tasks, 28,639 of them beyond ASCII, took 23 s of one processor on SQLite; a million takes
ten times that, while the service goes on. 200,000 in ASCII took 9 s of one on SQLite and 11 s on
PostgreSQL, besides its own (45 s and 390 s in all while the machine was busy), and the way back a
second or two. Undone by the downgrade, which leaves the words folded
anew: a release before this one finds them with its own folding once they are written again.

Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from taskapp.tasks.refolding import refold

revision = "0005"
down_revision = "0004"
IN_CODE_POINTS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("tasks", sa.Column("folded", sa.Text, nullable=True))
    key = sa.Column("title_key", IN_CODE_POINTS, nullable=False, server_default="")
    op.add_column("tasks", key)
    op.drop_index("ix_tasks_project_id_title_id", "tasks")
    columns = ["project_id", "title_key", "id"]
    op.create_index("ix_tasks_project_id_title_key_id", "tasks", columns)
    op.get_context().opts["after_commit"].append(refold)


def downgrade() -> None:
    op.drop_index("ix_tasks_project_id_title_key_id", "tasks")
    op.create_index("ix_tasks_project_id_title_id", "tasks", ["project_id", "title", "id"])
    op.drop_column("tasks", "title_key")
    op.drop_column("tasks", "folded")
