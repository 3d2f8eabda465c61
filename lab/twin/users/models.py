"""Users: who can sign in."""

import datetime as dt

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
    password_hash: Mapped[str]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
