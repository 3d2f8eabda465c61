"""A session's tokens name its nonce, and a refresh token that was just used is answered again.

At once on any number of rows: both databases add such columns without writing them. Old workers
may run beside it; sessions that they begin have no nonce, which stays good for those sessions.
Undone by the downgrade: whoever signed in meanwhile signs in again.

Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("nonce", sa.Text, nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("previous_jti", sa.Text, nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM sessions WHERE nonce <> ''")
    op.drop_column("sessions", "previous_jti")
    op.drop_column("sessions", "nonce")
