"""Search takes more signs for quotes: the acute accent (U+00B4) and double primes among them.

Tasks with one of these signs are folded anew after the commit, in pieces of 500, while workers of
the release before go on: it changes no schema. What such a worker writes meanwhile is found by its
own folding until it is written again.

100,000 tasks, 25,000 of them with such a sign, took 2 s of one processor on SQLite and on
PostgreSQL besides its own (4 s and 12 s in all while the machine was busy), and the way back none.
The downgrade does nothing: the release before finds these tasks with its own folding once they are
written again.

Revises: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from taskapp.tasks.models import TASK
from taskapp.tasks.refolding import refold

revision = "0020"
down_revision = "0019"
SIGNS = "`´″‶‹›❛❜❝❞ʺˮ΄᾽᾿"  # noqa: RUF001 - the release before folded them otherwise


def upgrade() -> None:
    op.get_context().opts["after_commit"].append(fold_quotes_anew)


def fold_quotes_anew(connection: sa.Connection) -> None:
    text = TASK.title + TASK.description
    refold(connection, sa.or_(*[text.contains(sign) for sign in SIGNS]))


def downgrade() -> None: ...
