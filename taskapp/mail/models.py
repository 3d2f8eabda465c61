"""Mails that wait for the courier, tokens that were mailed, and readers' bookmarks."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base, part_of

PURPOSES = ("password-reset", "email-verification")


class Mail(Base):
    """A mail to one address. Its text is made when it is sent, so no token lies here."""

    __tablename__ = "mails"
    __table_args__ = (
        sa.Index(None, "status", "next_at"),
        sa.Index(None, "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)  # of its Message-ID, the same at each attempt
    kind: Mapped[str]
    user_id: Mapped[int | None] = part_of("users.id")  # None: to somebody who may have no account
    address: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    status: Mapped[str]  # waiting, sent, failed, or dropped because nobody should get it any more
    attempts: Mapped[int]
    next_at: Mapped[dt.datetime]
    leased_until: Mapped[dt.datetime]
    created_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]


class MailedToken(Base):
    """What a mailed token opens, once; only its digest is kept."""

    __tablename__ = "mailed_tokens"
    __table_args__ = (
        sa.CheckConstraint(f"purpose IN {PURPOSES}", name="purpose"),
        sa.Index(None, "user_id", "purpose"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    purpose: Mapped[str]
    user_id: Mapped[int] = part_of("users.id")
    email_key: Mapped[str]  # the mailbox that it was mailed to (users/access.py: mailbox_key)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]


class Reader(Base):
    """A reader of all projects' events; webhooks are rows of their own, one project each."""

    __tablename__ = "readers"

    name: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[int]  # the bookmark: the last event that it has read
    is_active: Mapped[bool]  # not after a restore or a copy: nobody is called by accident
    at: Mapped[dt.datetime]  # its last turn
    attempts: Mapped[int]  # that have failed since the last good one
    failing_since: Mapped[dt.datetime | None]
