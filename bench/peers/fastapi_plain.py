"""FastAPI as its documentation writes it: pydantic models, `Depends(get_current_user)`, async
SQLAlchemy with asyncpg; uvicorn brings uvloop and httptools. A plain insert, a plain update.

The lab's twin is FastAPI, too, and does all that taskapp does; this one does what the other plain
peers do.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

import jwt
import sqlalchemy as sa
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STATUSES = ("todo", "in_progress", "done", "cancelled")
PRIORITIES = ("none", "low", "medium", "high", "urgent")
DONE = STATUSES.index("done")

url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
engine = create_async_engine(url, pool_size=5)
sessions = async_sessionmaker(engine, expire_on_commit=False)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Base(DeclarativeBase):
    type_annotation_map = {int: sa.BigInteger, dt.datetime: sa.DateTime(timezone=True)}  # noqa: RUF012 - SQLAlchemy's own form


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    is_active: Mapped[bool]


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    inbox_of: Mapped[int | None]


class Membership(Base):
    __tablename__ = "memberships"
    project_id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True)


class Task(Base):
    __tablename__ = "tasks"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int]
    external_id: Mapped[str | None]
    title: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    status: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    priority: Mapped[int] = mapped_column(sa.SmallInteger, default=0)
    due_at: Mapped[dt.datetime | None]
    due_on: Mapped[dt.date | None]
    repeat: Mapped[dict[str, str] | None] = mapped_column(sa.JSON(none_as_null=True))
    reminders: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    assignee_id: Mapped[int | None]
    parent_id: Mapped[int | None]
    labels: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    created_by: Mapped[int]
    created_at: Mapped[dt.datetime] = mapped_column(default=now)
    updated_at: Mapped[dt.datetime] = mapped_column(default=now, onupdate=now)
    completed_at: Mapped[dt.datetime | None]
    revision: Mapped[int] = mapped_column(default=1)


class TaskChange(BaseModel):
    title: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=20_000)
    status: int | None = None
    priority: int | None = None

    @field_validator("status", "priority", mode="before")
    @classmethod
    def _rank(cls, value: Any, info: Any) -> int:
        return (STATUSES if info.field_name == "status" else PRIORITIES).index(value)


class NewTask(TaskChange):
    title: str = Field(min_length=1, max_length=200)


class TaskOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    project_id: int
    external_id: str | None
    title: str
    description: str
    status: int
    priority: int
    due_at: dt.datetime | None
    due_on: dt.date | None
    repeat: dict[str, str] | None
    reminders: list[str]
    assignee_id: int | None
    parent_id: int | None
    labels: list[str]
    created_by: int
    created_at: dt.datetime
    updated_at: dt.datetime
    completed_at: dt.datetime | None
    revision: int

    @field_serializer("status", "priority")
    def _name(self, rank: int, info: Any) -> str:
        return (STATUSES if info.field_name == "status" else PRIORITIES)[rank]


class TaskPage(BaseModel):
    items: list[TaskOut]
    next_cursor: str | None


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_session)]
Token = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="token"))]


async def get_current_user(token: Token, db: Db) -> User:
    try:
        key = os.environ["SECRET_KEY"]
        claims = jwt.decode(token, key, ["HS256"], audience="taskapp", issuer="taskapp")
    except jwt.PyJWTError:
        raise HTTPException(401) from None
    user = await db.get(User, int(claims["sub"]))
    if user is None or not user.is_active or claims["type"] != "access":
        raise HTTPException(401)
    return user


Caller = Annotated[User, Depends(get_current_user)]
app = FastAPI()


def tasks_of(user: User) -> sa.Select[tuple[Task]]:
    mine = sa.select(Membership.project_id).where(Membership.user_id == user.id)
    return sa.select(Task).where(Task.project_id.in_(mine))


async def find_task(task_id: int, user: Caller, db: Db) -> Task:
    task = await db.scalar(tasks_of(user).where(Task.id == task_id))
    if task is None:
        raise HTTPException(404)
    return task


Found = Annotated[Task, Depends(find_task)]


@app.get("/api/v1/tasks", response_model=TaskPage)
async def list_tasks(user: Caller, db: Db, limit: int = 50, cursor: int | None = None) -> Any:
    query = tasks_of(user).order_by(Task.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(Task.id < cursor)
    tasks = (await db.scalars(query)).all()
    further = str(tasks[limit - 1].id) if len(tasks) > limit else None
    return {"items": tasks[:limit], "next_cursor": further}


@app.get("/api/v1/tasks/{task_id}", response_model=TaskOut)
async def get_task(task: Found) -> Any:
    return task


@app.post("/api/v1/tasks", response_model=TaskOut, status_code=201)
async def create_task(body: NewTask, user: Caller, db: Db) -> Any:
    inbox = await db.scalar(sa.select(Project.id).where(Project.inbox_of == user.id))
    task = Task(**body.model_dump(exclude_unset=True), project_id=inbox, created_by=user.id)
    if task.status == DONE:
        task.completed_at = now()
    db.add(task)
    await db.commit()
    return task


@app.patch("/api/v1/tasks/{task_id}", response_model=TaskOut)
async def update_task(body: TaskChange, task: Found, db: Db) -> Any:
    change = body.model_dump(exclude_unset=True)
    if change.get("status", task.status) != task.status:
        task.completed_at = now() if change["status"] == DONE else None
    for name, value in change.items():
        setattr(task, name, value)
    await db.commit()
    return task
