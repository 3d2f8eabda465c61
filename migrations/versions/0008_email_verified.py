"""Whether an account's address was proved to be its holder's.

At once on any number of rows: both databases add such a column without writing them; then the
admins are updated, who were made by an operator or an admin. Old workers may run beside it: the
accounts that they make are unproved. Undone by the downgrade, which loses nothing else.

Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    proved = sa.Column("email_verified", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("users", proved)
    op.execute("UPDATE users SET email_verified = true WHERE role = 'admin'")


def downgrade() -> None:
    op.drop_column("users", "email_verified")
