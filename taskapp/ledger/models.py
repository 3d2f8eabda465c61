"""Projects and who is in them, and the events that every write inside a project leaves behind."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base, part_of

ROLES = ("owner", "editor", "viewer")


class Project(Base):
    __tablename__ = "projects"
    __table_args__ = ({"sqlite_autoincrement": True},)  # events outlive their project

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str]
    inbox_of: Mapped[int | None] = part_of("users.id", unique=True)
    archived_at: Mapped[dt.datetime | None]
    revision: Mapped[int]
    # What quotas compare (database/quotas.py).
    task_count: Mapped[int] = mapped_column(server_default="0")
    attachment_bytes: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]


class Membership(Base):
    __tablename__ = "memberships"
    __table_args__ = (
        sa.CheckConstraint(f"role IN {ROLES}", name="role"),
        sa.Index(None, "user_id", "project_id"),
    )

    project_id: Mapped[int] = part_of("projects.id", primary_key=True)
    user_id: Mapped[int] = part_of("users.id", primary_key=True)
    role: Mapped[str]
    revision: Mapped[int]  # the project's, when this role was given
    created_at: Mapped[dt.datetime]


class Event(Base):
    """What happened, in the order of each project's revisions: history, audit trail, tombstones.

    It names projects, tasks and users without foreign keys, because it outlives them.
    """

    __tablename__ = "events"
    __table_args__ = (
        sa.Index(None, "project_id", "revision"),
        sa.Index(None, "project_id", "id"),
        sa.Index(None, "task_id", "revision"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int]
    revision: Mapped[int]
    task_id: Mapped[int | None]
    user_id: Mapped[int | None]
    kind: Mapped[str]
    changes: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # {field: [old, new]}
    at: Mapped[dt.datetime]
