"""Flask as tutorials write it: models with relationships, the user loaded on each request by
Flask-JWT-Extended, marshmallow in and out, `db.session.commit()` in the view.
"""

from __future__ import annotations

import datetime as dt
import os
from typing import Any

from flask import Flask, request
from flask_jwt_extended import JWTManager, current_user, jwt_required
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import NotFound

STATUSES = ("todo", "in_progress", "done", "cancelled")
PRIORITIES = ("none", "low", "medium", "high", "urgent")
WRITTEN = "%Y-%m-%dT%H:%M:%S.%fZ"

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"].replace(
    "postgresql://", "postgresql+psycopg2://"
)
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"connect_args": {"options": "-c timezone=UTC"}}
app.config["JWT_SECRET_KEY"] = os.environ["SECRET_KEY"]
app.config["JWT_DECODE_AUDIENCE"] = app.config["JWT_DECODE_ISSUER"] = "taskapp"
db = SQLAlchemy(app)
jwt = JWTManager(app)

memberships = db.Table(
    "memberships",
    db.Column("project_id", db.BigInteger, db.ForeignKey("projects.id"), primary_key=True),
    db.Column("user_id", db.BigInteger, db.ForeignKey("users.id"), primary_key=True),
)


class User(db.Model):
    __tablename__ = "users"
    id = db.Column(db.BigInteger, primary_key=True)
    email = db.Column(db.Text, nullable=False)
    name = db.Column(db.Text, nullable=False)
    is_active = db.Column(db.Boolean, nullable=False)
    inbox = db.relationship("Project", uselist=False)


class Project(db.Model):
    __tablename__ = "projects"
    id = db.Column(db.BigInteger, primary_key=True)
    inbox_of = db.Column(db.BigInteger, db.ForeignKey("users.id"))
    members = db.relationship("User", secondary=memberships)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Task(db.Model):
    __tablename__ = "tasks"
    id = db.Column(db.BigInteger, primary_key=True)
    project_id = db.Column(db.BigInteger, db.ForeignKey("projects.id"), nullable=False)
    external_id = db.Column(db.Text)
    title = db.Column(db.Text, nullable=False)
    description = db.Column(db.Text, nullable=False, default="")
    status = db.Column(db.SmallInteger, nullable=False, default=0)
    priority = db.Column(db.SmallInteger, nullable=False, default=0)
    due_at = db.Column(db.DateTime(timezone=True))
    due_on = db.Column(db.Date)
    repeat = db.Column(db.JSON(none_as_null=True))
    reminders = db.Column(db.JSON, nullable=False, default=list)
    assignee_id = db.Column(db.BigInteger)
    parent_id = db.Column(db.BigInteger)
    labels = db.Column(db.JSON, nullable=False, default=list)
    created_by = db.Column(db.BigInteger, nullable=False)
    created_at = db.Column(db.DateTime(timezone=True), nullable=False, default=now)
    updated_at = db.Column(db.DateTime(timezone=True), nullable=False, default=now, onupdate=now)
    completed_at = db.Column(db.DateTime(timezone=True))
    revision = db.Column(db.BigInteger, nullable=False, default=1)
    project = db.relationship("Project")


class Choice(fields.Field):
    """A name on the wire, its rank in the database."""

    def __init__(self, names: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = names

    def _serialize(self, value: int, attr: str | None, obj: Any, **kwargs: Any) -> str:
        return self.names[value]

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if value not in self.names:
            raise ValidationError(f"Must be one of {', '.join(self.names)}.")
        return self.names.index(value)


class TaskSchema(Schema):
    id = fields.Int(dump_only=True)
    project_id = fields.Int(dump_only=True)
    external_id = fields.Str(dump_only=True)
    title = fields.Str(required=True, validate=validate.Length(1, 200))
    description = fields.Str(validate=validate.Length(max=20_000))
    status = Choice(STATUSES)
    priority = Choice(PRIORITIES)
    due_at = fields.DateTime(format=WRITTEN, allow_none=True)
    due_on = fields.Date(allow_none=True)
    repeat = fields.Dict(dump_only=True)
    reminders = fields.List(fields.Str(), dump_only=True)
    assignee_id = fields.Int(dump_only=True)
    parent_id = fields.Int(dump_only=True)
    labels = fields.List(fields.Str(), dump_only=True)
    created_by = fields.Int(dump_only=True)
    created_at = fields.DateTime(format=WRITTEN, dump_only=True)
    updated_at = fields.DateTime(format=WRITTEN, dump_only=True)
    completed_at = fields.DateTime(format=WRITTEN, dump_only=True)
    revision = fields.Int(dump_only=True)


task_schema = TaskSchema()
tasks_schema = TaskSchema(many=True)


@jwt.user_lookup_loader
def load_user(_: dict[str, Any], claims: dict[str, Any]) -> User | None:
    return db.session.execute(
        db.select(User).filter_by(id=int(claims["sub"]), is_active=True)
    ).scalar_one_or_none()


@app.errorhandler(ValidationError)
def refuse(error: ValidationError) -> tuple[dict[str, Any], int]:
    return {"errors": error.messages}, 422


def my_tasks() -> Any:
    mine = db.select(memberships.c.project_id).where(memberships.c.user_id == current_user.id)
    return db.select(Task).where(Task.project_id.in_(mine))


def find_task(task_id: int) -> Task:
    task: Task | None = db.session.execute(
        my_tasks().where(Task.id == task_id)
    ).scalar_one_or_none()
    if task is None:
        raise NotFound
    return task


@app.get("/api/v1/tasks")
@jwt_required()
def list_tasks() -> dict[str, Any]:
    limit = request.args.get("limit", 50, type=int)
    query = my_tasks().order_by(Task.id.desc()).limit(limit + 1)
    if cursor := request.args.get("cursor", type=int):
        query = query.where(Task.id < cursor)
    tasks = db.session.execute(query).scalars().all()
    further = str(tasks[limit - 1].id) if len(tasks) > limit else None
    return {"items": tasks_schema.dump(tasks[:limit]), "next_cursor": further}


@app.get("/api/v1/tasks/<int:task_id>")
@jwt_required()
def get_task(task_id: int) -> dict[str, Any]:
    shown: dict[str, Any] = task_schema.dump(find_task(task_id))
    return shown


@app.post("/api/v1/tasks")
@jwt_required()
def create_task() -> tuple[dict[str, Any], int]:
    task = Task(**task_schema.load(request.get_json()), created_by=current_user.id)
    task.project = current_user.inbox
    if task.status == STATUSES.index("done"):
        task.completed_at = now()
    db.session.add(task)
    db.session.commit()
    return task_schema.dump(task), 201


@app.patch("/api/v1/tasks/<int:task_id>")
@jwt_required()
def update_task(task_id: int) -> dict[str, Any]:
    task = find_task(task_id)
    for name, value in task_schema.load(request.get_json(), partial=True).items():
        setattr(task, name, value)
    if db.inspect(task).attrs.status.history.has_changes():
        task.completed_at = now() if task.status == STATUSES.index("done") else None
    db.session.commit()
    shown: dict[str, Any] = task_schema.dump(task)
    return shown
