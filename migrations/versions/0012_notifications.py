"""What users are mailed, and when the next digest of each is due.

At once on any number of rows: both databases add such columns without writing them; the index is
over the users. Old workers may run beside it: they know nothing of it. Undone by
`flask db downgrade`, which forgets what everybody chose.

Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
MOMENT = sa.DateTime(timezone=True).with_variant(sa.DateTime(), "sqlite")
ALL = '{"reminder": true, "assigned": true, "digest_at": null}'


def upgrade() -> None:
    op.add_column("users", sa.Column("notifications", sa.JSON, nullable=False, server_default=ALL))
    op.add_column("users", sa.Column("next_digest_at", MOMENT))
    op.create_index("ix_users_next_digest_at", "users", ["next_digest_at"])


def downgrade() -> None:
    op.drop_index("ix_users_next_digest_at", "users")
    op.drop_column("users", "next_digest_at")
    op.drop_column("users", "notifications")
