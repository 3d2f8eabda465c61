"""Users: who can sign in."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base

NOTIFIED = '{"reminder": true, "assigned": true, "digest_at": null}'
ROLES = ("user", "admin")


class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        sa.CheckConstraint(f"role IN {ROLES}", name="role"),
        {"sqlite_autoincrement": True},  # tasks and events name users that may be gone
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)  # the address as it is compared
    name: Mapped[str]
    role: Mapped[str]
    is_active: Mapped[bool]
    email_verified: Mapped[bool] = mapped_column(server_default=sa.false())
    timezone: Mapped[str] = mapped_column(server_default="UTC")  # an IANA name
    # {reminder, assigned, digest_at}: what is mailed, and at which hour of the time zone.
    notifications: Mapped[dict[str, Any]] = mapped_column(sa.JSON, server_default=NOTIFIED)
    next_digest_at: Mapped[dt.datetime | None] = mapped_column(index=True)
    password_hash: Mapped[str]  # empty: signs in at a provider until a password is set
    # What quotas compare (database/quotas.py).
    project_count: Mapped[int] = mapped_column(server_default="0")  # shared ones
    token_count: Mapped[int] = mapped_column(server_default="0")
    attachment_bytes: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
