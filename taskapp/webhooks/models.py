"""Webhooks: readers of a project's events with a bookmark; and what came of their deliveries."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base, part_of

FORMATS = ("standard", "slack", "discord", "text")
RESULTS = ("delivered", "failed", "skipped")


class Webhook(Base):
    """Where the events of a project go, and how far its target has been told."""

    __tablename__ = "webhooks"
    __table_args__ = (
        sa.Index(None, "project_id", "id"),
        sa.Index(None, "is_active", "next_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = part_of("projects.id")
    url: Mapped[str]  # as it is shown: masked where it is a credential
    sealed_url: Mapped[str]
    kinds: Mapped[list[str]] = mapped_column(sa.JSON)  # of events; empty: all
    format: Mapped[str]
    is_active: Mapped[bool]
    sealed_secret: Mapped[str]
    sealed_previous: Mapped[str | None]  # signs, too, until previous_until
    previous_until: Mapped[dt.datetime | None]
    event_id: Mapped[int]  # the bookmark: the last event that was delivered or passed over
    test_requested: Mapped[bool]
    attempts: Mapped[int]  # of the event after the bookmark
    next_at: Mapped[dt.datetime]
    leased_until: Mapped[dt.datetime]
    failing_since: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]


class Delivery(Base):
    """One attempt to deliver an event; the newest hundred of a webhook are kept."""

    __tablename__ = "deliveries"
    __table_args__ = (sa.Index(None, "webhook_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = part_of("webhooks.id")
    event_id: Mapped[int]
    at: Mapped[dt.datetime]
    status: Mapped[str]
    code: Mapped[int | None]  # the HTTP status of the answer
    ms: Mapped[int]
    next_at: Mapped[dt.datetime | None]
