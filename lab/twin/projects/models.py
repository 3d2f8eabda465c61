"""Projects and who is in them, and the events that every write inside a project leaves behind."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from lab.twin.database import Base


class Project(Base):
    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    inbox_of: Mapped[int | None]
    archived_at: Mapped[dt.datetime | None]
    revision: Mapped[int]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class Membership(Base):
    __tablename__ = "memberships"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str]
    revision: Mapped[int]  # the project's, when this role was given
    created_at: Mapped[dt.datetime]


class Event(Base):
    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int]
    revision: Mapped[int]
    task_id: Mapped[int | None]
    user_id: Mapped[int | None]
    kind: Mapped[str]
    changes: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # {field: [old, new]}
    at: Mapped[dt.datetime]
