"""Attachments on the wire: JSON about the bytes; the bytes themselves come in as multipart."""

from marshmallow import Schema

from taskapp.web import fields
from taskapp.web.fields import example

AS_FILE = dict.fromkeys(("required", "null"), "Send a file with its name: curl -F file=@NAME")
BYTES = {"format": "binary", "minLength": 0, "maxLength": 2**30}  # the setting's own bound
BYTES |= {"description": "Any bytes, MAX_ATTACHMENT_BYTES (10 MiB) at most, with a file name."}


class AttachmentSchema(fields.Resource):
    """A file on a task.

    Attributes:
        id: The attachment's number.
        task_id: The task it belongs to.
        name: The file's name.
        media_type: What it was said to be when it was sent; `application/octet-stream` where its
            bytes are plainly those of another kind of file.
        size: How many bytes it has.
        sha256: The SHA-256 digest of its bytes, in hexadecimal.
        created_by: The user who attached it.
        created_at: When it was attached.
    """

    location = "/api/v1/tasks/{task_id}/attachments/{id}"
    id = fields.Int(dump_only=True)
    task_id = fields.Int(dump_only=True)
    name = fields.Text(max=255, dump_only=True, metadata=example("fern.jpg"))
    media_type = fields.Text(max=255, dump_only=True, metadata=example("image/jpeg"))
    size = fields.Int(min=0, dump_only=True)
    sha256 = fields.Text(min=64, max=64, dump_only=True)
    created_by = fields.Int(dump_only=True)
    created_at = fields.Time(dump_only=True)


class UploadSchema(Schema):
    """A multipart form with one part (RFC 7578); validates the part's file name."""

    file = fields.Text(
        min=1, max=255, trim=True, required=True, error_messages=AS_FILE, metadata=BYTES
    )


ATTACHMENT = AttachmentSchema()
ATTACHMENT_PAGE = fields.page_of(AttachmentSchema)()
UPLOAD = UploadSchema()
