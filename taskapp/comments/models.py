"""Comments on tasks."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base


class Comment(Base):
    __tablename__ = "comments"
    __table_args__ = (sa.Index(None, "task_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int]  # no foreign key: it outlives its task, which may be restored
    body: Mapped[str]
    created_by: Mapped[int]  # no foreign key: it still says who, when that user is gone
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
