"""Second factors, their recovery codes, and sign-ins between their two steps.

The tables are new and empty, so it takes no time. Old workers may run beside it: they ask nobody
for a code, so let none of them answer sign-ins once people may set a second factor up. Undone by
`flask db downgrade`, which takes everybody's second factor away.

Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.DateTime(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "second_factors",
        sa.Column("user_id", BIG, autoincrement=False, nullable=False),
        sa.Column("sealed_seed", sa.Text, nullable=False),
        sa.Column("last_step", BIG, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("confirmed_at", MOMENT),
        sa.PrimaryKeyConstraint("user_id", name="pk_second_factors"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_second_factors_user_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_codes"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_recovery_codes_user_id", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])
    op.create_table(
        "sign_in_tickets",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("bound_to", sa.Text, nullable=False),
        sa.Column("tries", BIG, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sign_in_tickets"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sign_in_tickets_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sign_in_tickets_user_id", "sign_in_tickets", ["user_id"])
    op.create_index("ix_sign_in_tickets_expires_at", "sign_in_tickets", ["expires_at"])


def downgrade() -> None:
    op.drop_table("sign_in_tickets")
    op.drop_table("recovery_codes")
    op.drop_table("second_factors")
