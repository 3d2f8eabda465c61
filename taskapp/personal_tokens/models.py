"""Personal tokens: the credentials of scripts."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base, part_of


class PersonalToken(Base):
    """A script's credential; only a digest of its secret is kept."""

    __tablename__ = "personal_tokens"
    __table_args__ = (sa.Index(None, "user_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = part_of("users.id")
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(sa.JSON)
    digest: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
