"""Sessions: one for each sign-in."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base, part_of


class Session(Base):
    """A sign-in, ended by its owner, by reuse of a refresh token, or by time."""

    __tablename__ = "sessions"
    __table_args__ = (
        sa.Index(None, "user_id", "id"),
        {"sqlite_autoincrement": True},  # an ended session's id must never come back
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = part_of("users.id")
    nonce: Mapped[str] = mapped_column(server_default="")  # its tokens name it: ids may come again
    refresh_jti: Mapped[str]  # of the one refresh token that is still good
    previous_jti: Mapped[str | None]  # of the one before, which is answered again for a moment
    user_agent: Mapped[str]
    address: Mapped[str]  # where it began: a place from which this account was signed in
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime]  # when its tokens were made
    expires_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]
