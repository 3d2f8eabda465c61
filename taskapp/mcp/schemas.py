"""What each tool takes: JSON Schemas for the agent come from these, and so does validation."""

from typing import Any

from marshmallow import INCLUDE, Schema, validate

from taskapp.tasks.models import PRIORITIES, STATUSES
from taskapp.tasks.schemas import TaskSchema
from taskapp.web import fields, json_schemas

READ_ONLY = tuple(name for name, field in TaskSchema().fields.items() if field.dump_only)
# "": nested ones inline
_REQUESTS = json_schemas.requests(lambda _schema: "")
_RESPONSES = json_schemas.responses(lambda _schema: "")


Described = dict[str, Any]
# A model reads all of it before it does anything: what it would not act on is left out.
NOISE = frozenset({"pattern", "maximum"})
LIMITS = frozenset({"minimum", "minLength", "maxLength", "maxItems", "format"})
LIMITS |= {"description", "examples"}
# An integer or a string (JSON-RPC 2.0, section 4).
ID = {"type": ["string", "integer"], "maxLength": 1000, "minimum": -fields.INT64 - 1}
ID["maximum"] = fields.INT64


class MessageSchema(Schema):
    """A JSON-RPC 2.0 message; docs/agents.md and the specification of MCP say what is in it.

    Attributes:
        jsonrpc: The version of JSON-RPC.
        id: What the response is to be known by; a notification has none.
        method: What is to be done, as `tools/call`.
        params: What the method takes.
    """

    class Meta:
        unknown = INCLUDE

    jsonrpc = fields.Choice(("2.0",), required=True)
    id = fields.Raw(metadata=ID)
    method = fields.String(validate=validate.Length(max=200))
    params = fields.Dict(keys=fields.String())


class ErrorSchema(Schema):
    """Why a call was not carried out.

    Attributes:
        code: A code of JSON-RPC 2.0 or of MCP.
        message: What is wrong, and what to do about it.
        data: More about it, as the code says.
    """

    code = fields.Int(min=-fields.INT64 - 1, required=True)
    message = fields.Text(max=2000, required=True)
    data = fields.Dict(keys=fields.String(), metadata=fields.ABSENT)


class MessageResponseSchema(Schema):
    """A JSON-RPC 2.0 response: with `result`, or with `error`.

    Attributes:
        jsonrpc: The version of JSON-RPC.
        id: The id of the request; left out where it could not be read.
        result: What came of it, as the method says.
        error: Why it was not carried out.
    """

    jsonrpc = fields.Choice(("2.0",), required=True)
    id = fields.Raw(metadata={**ID, **fields.ABSENT})
    result = fields.Dict(keys=fields.String(), metadata=fields.ABSENT)
    error = fields.Nested(ErrorSchema, metadata=fields.ABSENT)


class WriteSchema(Schema):
    """What every tool takes that writes.

    Attributes:
        request_id: A new UUID for each intended change. Send the same one again when you retry: the
            change is then carried out once, and you get the first result.
    """

    request_id = fields.Text(
        min=8,
        max=255,
        required=True,
        validate=[validate.Regexp(r"[!-~]+\Z", error="Only visible ASCII characters.")],
        metadata={"pattern": "^[!-~]+$"},
    )


class FindTasksSchema(Schema):
    """Which tasks to find.

    Attributes:
        text: Words in title and description; all must match.
        project_id: Only this project; see list_projects.
        status: Only tasks with one of these.
        priority: Only tasks with one of these.
        labels: Only tasks with all of these labels.
        assigned_to_me: True: only tasks assigned to the caller.
        due: Only tasks without a due date, those past it, those due today, or today and in the six
            days after it; days are those of the caller's time zone.
        newest_first: False: the oldest come first.
        limit: How many at most; fewer where their texts are very long, and next_cursor goes on.
        cursor: next_cursor of the page before, for the next page.
    """

    text = fields.Text(min=1, max=200)
    project_id = fields.Int()
    status = fields.List(fields.Choice(STATUSES), validate=validate.Length(min=1, max=4))
    priority = fields.List(fields.Choice(PRIORITIES), validate=validate.Length(min=1, max=5))
    labels = fields.List(fields.Text(min=1, max=50), validate=validate.Length(min=1, max=20))
    assigned_to_me = fields.Bool()
    due = fields.Choice(("none", "overdue", "today", "week"))
    newest_first = fields.Bool(load_default=True)
    limit = fields.Int(max=100, load_default=20)
    cursor = fields.Text(min=1, max=7000)


class TaskIdSchema(Schema):
    """Which task.

    Attributes:
        id: The task's id.
    """

    id = fields.Int(required=True)


class CreateTaskSchema(WriteSchema, TaskSchema):
    """A new task; without `project_id` it goes to the caller's inbox."""

    class Meta:
        exclude = READ_ONLY


class RevisionSchema(WriteSchema, TaskIdSchema):
    """Which task, as it was last read.

    Attributes:
        revision: The task's `revision` as you last read it. If somebody has changed the task since,
            nothing is written and the answer shows what changed.
    """

    revision = fields.Int(required=True)


class UpdateTaskSchema(RevisionSchema, TaskSchema):
    """The fields to change; what is not sent stays."""

    class Meta:
        exclude = tuple(name for name in READ_ONLY if name not in {"id", "revision"})


class RestoreSchema(WriteSchema, TaskIdSchema):
    """Which deleted task."""


class CommentSchema(WriteSchema):
    """A comment on a task.

    Attributes:
        task_id: The task's id.
        body: What the comment says.
    """

    task_id = fields.Int(required=True)
    body = fields.Text(min=1, max=10_000, required=True)


class PageSchema(Schema):
    """Which page of a list.

    Attributes:
        limit: How many at most; fewer where their texts are very long, and next_cursor goes on.
        cursor: next_cursor of the page before, for the next page.
    """

    limit = fields.Int(max=200, load_default=50)
    cursor = fields.Text(min=1, max=7000)


class WhatChangedSchema(PageSchema):
    """Since when; without a cursor, everything the caller sees.

    Attributes:
        cursor: next_cursor of your last what_changed; leave it out the first time.
    """


def input_schema(schema: Schema) -> Described:
    """The JSON Schema of a tool's arguments."""
    return _without(NOISE, _REQUESTS.reference(schema))


def output_schema(**properties: Any) -> Described:
    """The JSON Schema of a tool's result: an object in which all of these are there."""
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def list_of(item: Described) -> Described:
    """The JSON Schema of a list."""
    return {"type": "array", "items": item}


def row_schema(schema: Schema) -> Described:
    """The JSON Schema of a resource as it is shown: all its fields are there."""
    return _without(NOISE | LIMITS, _RESPONSES.reference(schema))


def _without(names: frozenset[str], schema: Described) -> Described:
    """A JSON Schema without these keywords, at any depth; fields may be called as they are."""
    shown: Described = {}
    for keyword, value in schema.items():
        if keyword == "properties":
            shown[keyword] = {name: _without(names, field) for name, field in value.items()}
        elif keyword not in names:
            shown[keyword] = _inside(names, value)
    return shown


def _inside(names: frozenset[str], value: Any) -> Any:
    if isinstance(value, dict):
        return _without(names, value)
    if isinstance(value, list):
        return [_inside(names, item) for item in value]
    return value
