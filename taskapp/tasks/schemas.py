"""What a task looks like on the wire, and what its list can be asked."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from taskapp.extensions import now
from taskapp.fields import (
    Choice,
    CommaList,
    Int,
    OneOfOr,
    PageQuerySchema,
    QueryInt,
    Text,
    Time,
    page_of,
)
from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.tasks.query import SORTS


class TaskSchema(Schema):
    """A task. Clients write every field that is not read-only."""

    id = Int(dump_only=True)
    project_id = Int()
    external_id = Text(min=1, max=200, allow_none=True)
    title = Text(min=1, max=200, trim=True, required=True)
    description = Text(max=20_000)
    status = Choice(STATUSES)
    priority = Choice(PRIORITIES)
    due_at = Time(allow_none=True)
    assignee_id = Int(allow_none=True)
    parent_id = Int(allow_none=True)
    labels = fields.List(Text(min=1, max=50, trim=True), validate=validate.Length(max=20))
    created_by = Int(dump_only=True)
    created_at = Time(dump_only=True)
    updated_at = Time(dump_only=True)
    completed_at = Time(dump_only=True, allow_none=True)
    revision = Int(dump_only=True)


TaskPageSchema = page_of(TaskSchema)
FIELDS = tuple(TaskSchema().fields)


class TaskQuerySchema(PageQuerySchema):
    """The query of the task list."""

    project_id = QueryInt()
    status = CommaList(STATUSES)
    priority = CommaList(PRIORITIES)
    label = CommaList()
    assignee = OneOfOr(("me", "none"), QueryInt())
    parent = OneOfOr(("none",), QueryInt())
    due = Choice(("none", "overdue", "today"))
    due_before = Time()
    due_after = Time()
    created_after = Time()
    created_before = Time()
    updated_after = Time()
    q = Text(min=1, max=200)
    sort = CommaList([*SORTS, *(f"-{name}" for name in SORTS)], load_default=["-id"])
    fields = CommaList(FIELDS)  # type: ignore[assignment]  # the parameter has marshmallow's own name

    @post_load
    def _stop_the_clock(self, query: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The moment an answer depends on is part of the question, so that it can be remembered."""
        moment = now().replace(microsecond=0)
        if query.get("due") == "today":
            query["at"] = moment.replace(hour=0, minute=0, second=0)
        elif query.get("due") == "overdue":
            query["at"] = moment
        return query
