"""Comments on the wire."""

from taskapp.web import fields
from taskapp.web.fields import example


class CommentSchema(fields.Resource):
    """A comment on a task.

    Attributes:
        id: The comment's number.
        task_id: The task it is about.
        body: What it says; text, in which line breaks are kept.
        created_by: The user who wrote it.
        created_at: When it was written.
        updated_at: When it was last changed.
    """

    location = "/api/v1/tasks/{task_id}/comments/{id}"
    id = fields.Int(dump_only=True)
    task_id = fields.Int(dump_only=True)
    body = fields.Text(min=1, max=10_000, required=True, metadata=example("Done at noon."))
    created_by = fields.Int(dump_only=True)
    created_at = fields.Time(dump_only=True)
    updated_at = fields.Time(dump_only=True)


COMMENT = CommentSchema()
COMMENT_PATCH = CommentSchema(partial=True)
COMMENT_PAGE = fields.page_of(CommentSchema)()
