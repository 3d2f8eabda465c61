"""Sessions: one for each sign-in."""

import datetime as dt

from sqlalchemy.orm import Mapped, mapped_column

from lab.twin.database import Base


class Session(Base):
    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    refresh_jti: Mapped[str]
    user_agent: Mapped[str]
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    address: Mapped[str]  # where it began
    ended_at: Mapped[dt.datetime | None]
