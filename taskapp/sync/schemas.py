"""The changes feed on the wire."""

from marshmallow import Schema

from taskapp.tasks.schemas import TaskSchema
from taskapp.web import fields


class ChangesQuerySchema(Schema):
    """The query of the changes feed."""

    limit = fields.QueryInt(max=200, load_default=50)
    cursor = fields.String(metadata=fields.CURSOR)


class ChangesSchema(Schema):
    """What changed since a cursor, and the next cursor."""

    tasks = fields.many(TaskSchema, 200)
    deleted = fields.List(fields.Int(), required=True, validate=fields.MANY)
    has_more = fields.Bool(required=True)
    next_cursor = fields.Text(max=7000, required=True)
