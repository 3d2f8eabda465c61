"""The comment endpoints."""

from flask import Blueprint

from taskapp.comments import service
from taskapp.comments.schemas import COMMENT, COMMENT_PAGE, COMMENT_PATCH
from taskapp.database.pages import Page
from taskapp.database.session import Body, Row
from taskapp.errors import Forbidden
from taskapp.web.conditional import if_match
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller
from taskapp.web.fields import PAGE_QUERY

comments = Blueprint("comments", __name__, url_prefix="/api/v1")
COMMENTS_URL = "/tasks/<id:task_id>/comments"
COMMENT_URL = f"{COMMENTS_URL}/<id:comment_id>"


@comments.get(COMMENTS_URL)
@accepts(query=PAGE_QUERY)
@replies(COMMENT_PAGE)
def list_comments(task_id: int, query: Body) -> Page:
    """List the comments on a task, oldest first.

    Whoever sees the task sees them.
    """
    return service.list_comments(caller(), task_id, query)


@comments.post(COMMENTS_URL)
@accepts(body=COMMENT)
@replies(COMMENT, 201, Forbidden)
def add_comment(task_id: int, body: Body) -> Row:
    """Comment on a task.

    Editors of the project may.
    """
    return service.add_comment(caller(), task_id, body)


@comments.get(COMMENT_URL)
@replies(COMMENT)
def get_comment(task_id: int, comment_id: int) -> Row:
    """Show one comment.

    Its ETag is what `If-Match` wants when you change it.
    """
    return service.get_comment(caller(), task_id, comment_id)


@comments.patch(COMMENT_URL)
@accepts(body=COMMENT_PATCH)
@replies(COMMENT, 200, Forbidden)
def update_comment(task_id: int, comment_id: int, body: Body) -> Row:
    """Change a comment of your own.

    Only its author may. Send `If-Match` to change just the version you have read.
    """
    return service.update_comment(caller(), task_id, comment_id, body, if_match())


@comments.delete(COMMENT_URL)
@replies(None, 204, Forbidden)
def delete_comment(task_id: int, comment_id: int) -> None:
    """Delete a comment of your own, or as an owner anyone's.

    The task's history keeps that it was there.
    """
    service.delete_comment(caller(), task_id, comment_id, if_match())
