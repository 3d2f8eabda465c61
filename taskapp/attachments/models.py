"""Attachments of tasks; the bytes lie in the store, under their SHA-256."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base


class Attachment(Base):
    __tablename__ = "attachments"
    __table_args__ = (
        sa.Index(None, "task_id", "id"),
        sa.Index(None, "sha256"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int]  # no foreign key: it outlives its task, which may be restored
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    created_by: Mapped[int]  # no foreign key: it still says who, when that user is gone
    created_at: Mapped[dt.datetime]
