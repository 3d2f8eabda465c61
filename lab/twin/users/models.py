"""Users: who can sign in."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from lab.twin.database import Base


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_key: Mapped[str] = mapped_column(unique=True)  # the address as it is compared
    name: Mapped[str]
    role: Mapped[str]
    is_active: Mapped[bool]
    email_verified: Mapped[bool] = mapped_column(server_default=sa.false())
    timezone: Mapped[str] = mapped_column(server_default="UTC")
    notifications: Mapped[dict[str, Any]] = mapped_column(sa.JSON, server_default="{}")
    password_hash: Mapped[str]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
