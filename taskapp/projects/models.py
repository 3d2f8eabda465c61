"""Invitations: an address that may come into a project, whether or not it has an account."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.ledger.models import ROLES
from taskapp.schema import Base, part_of


class Invitation(Base):
    __tablename__ = "invitations"
    __table_args__ = (
        sa.CheckConstraint(f"role IN {ROLES}", name="role"),
        sa.UniqueConstraint("project_id", "email_key"),
        sa.Index(None, "email_key"),
        {"sqlite_autoincrement": True},  # a withdrawn one's id never becomes another's
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = part_of("projects.id")
    email: Mapped[str]
    email_key: Mapped[str]  # the mailbox that is invited (users/access.py: mailbox_key)
    role: Mapped[str]
    invited_by: Mapped[int] = part_of("users.id", index=True)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
