"""Mails, mailed tokens and readers' bookmarks.

The tables are new and empty, so it takes no time. Old workers may run beside it: they know nothing
of it. Undone by `flask db downgrade`, which deletes the mails that wait.

Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.DateTime(), "sqlite")
PURPOSE = "purpose IN ('password-reset', 'email-verification')"


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("user_id", BIG),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("leased_until", MOMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_mails"),
        sa.UniqueConstraint("key", name="uq_mails_key"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_mails_user_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mails_status_next_at", "mails", ["status", "next_at"])
    op.create_index("ix_mails_user_id", "mails", ["user_id"])
    op.create_table(
        "mailed_tokens",
        sa.Column("id", BIG, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mailed_tokens"),
        sa.UniqueConstraint("digest", name="uq_mailed_tokens_digest"),
        sa.CheckConstraint(PURPOSE, name="ck_mailed_tokens_purpose"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_mailed_tokens_user_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mailed_tokens_user_id_purpose", "mailed_tokens", ["user_id", "purpose"])
    op.create_table(
        "readers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("failing_since", MOMENT),
        sa.PrimaryKeyConstraint("name", name="pk_readers"),
    )


def downgrade() -> None:
    for table in ("readers", "mailed_tokens", "mails"):
        op.drop_table(table)
