"""The changes feed on the wire."""

from marshmallow import Schema

from taskapp.tasks.schemas import TaskSchema
from taskapp.web import fields


class ChangesQuerySchema(Schema):
    """The query of the changes feed.

    Attributes:
        limit: How many tasks at most. A page ends earlier where their descriptions are longer than
            4 MiB together; `has_more` says so.
        cursor: `next_cursor` of your last request; without it, everything as it is now.
    """

    limit = fields.QueryInt(max=200, load_default=50)
    cursor = fields.String(metadata=fields.CURSOR)


class ChangesSchema(Schema):
    """What changed since a cursor, and the next cursor.

    Attributes:
        tasks: Tasks that are new or changed, as they are now.
        deleted: The ids of tasks that are deleted, or that you may no longer see.
        has_more: Whether there is more already: ask again at once.
        next_cursor: Keep it for the next request, also when there is no more.
    """

    tasks = fields.many(TaskSchema, 200)
    deleted = fields.List(fields.Int(), required=True, validate=fields.MANY)
    has_more = fields.Bool(required=True)
    next_cursor = fields.Text(max=7000, required=True)
