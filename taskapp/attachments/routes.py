"""The attachment endpoints: JSON about them, and their bytes."""

from flask import Blueprint, Response

from taskapp.attachments import service
from taskapp.attachments.schemas import ATTACHMENT, ATTACHMENT_PAGE, UPLOAD
from taskapp.attachments.transfer import (
    BINARY,
    MULTIPART,
    keep,
    receive,
    remove,
    send,
    settles_files,
)
from taskapp.database.pages import Page
from taskapp.database.session import Body, Row
from taskapp.errors import Forbidden, QuotaExceeded, RangeNotSatisfiable, StaleRevision
from taskapp.web.conditional import if_match
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller
from taskapp.web.fields import PAGE_QUERY

attachments = Blueprint("attachments", __name__, url_prefix="/api/v1")
ATTACHMENTS_URL = "/tasks/<id:task_id>/attachments"
ATTACHMENT_URL = f"{ATTACHMENTS_URL}/<id:attachment_id>"


@attachments.get(ATTACHMENTS_URL)
@accepts(query=PAGE_QUERY)
@replies(ATTACHMENT_PAGE)
def list_attachments(task_id: int, query: Body) -> Page:
    """List the attachments of a task, oldest first.

    Each with its name, size and digest; download the bytes at its own address.
    """
    return service.list_attachments(caller(), task_id, query)


@attachments.post(ATTACHMENTS_URL)
@settles_files
@accepts(body=UPLOAD, takes=(MULTIPART,), load=receive)
@replies(ATTACHMENT, 201, Forbidden, QuotaExceeded)
def add_attachment(task_id: int, body: Body) -> Row:
    """Attach a file.

    Send a form with one part `file`, as `curl -F file=@fern.jpg` does. Editors of the project may;
    MAX_ATTACHMENT_BYTES (10 MiB) at most.
    """
    attachment = service.add_attachment(caller(), task_id, body)
    keep()
    return attachment


@attachments.get(ATTACHMENT_URL)
@replies(None, 200, RangeNotSatisfiable, StaleRevision, gives=(BINARY,))
def get_attachment(task_id: int, attachment_id: int) -> Response:
    """Download an attachment: its bytes, or a range of them.

    Always as a download, unchanged, with the name it was given. `Range` gets a part of it;
    `If-Range` only while it is still the same.
    """
    return send(service.get_attachment(caller(), task_id, attachment_id))


@attachments.delete(ATTACHMENT_URL)
@settles_files
@replies(None, 204, Forbidden)
def delete_attachment(task_id: int, attachment_id: int) -> None:
    """Delete an attachment.

    Editors of the project may. The task's history keeps that it was there.
    """
    remove(service.delete_attachment(caller(), task_id, attachment_id, if_match()))
