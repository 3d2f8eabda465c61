"""What can be done with the comments on a task; an event says which comment, not its words."""

from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.comments.models import Comment
from taskapp.database.pages import Page, page_by
from taskapp.database.session import (
    Body,
    Precondition,
    Row,
    changed_fields,
    now,
    one_or_raise,
    read,
)
from taskapp.errors import Forbidden, NotFound
from taskapp.extensions import db
from taskapp.ledger.revisions import Lock, record
from taskapp.schema import table
from taskapp.tasks import access as tasks

COMMENTS = table(Comment)


class CommentNotFound(NotFound):
    """This task has no such comment."""


def list_comments(caller: Caller, task_id: int, query: Body) -> Page:
    """Raises TaskNotFound."""
    tasks.visible_task(caller, task_id)
    comments = sa.select(COMMENTS)
    comments = comments.where(COMMENTS.c.task_id == task_id)
    return page_by(comments, Comment.id, **query)


def get_comment(caller: Caller, task_id: int, comment_id: int) -> Row:
    """Raises TaskNotFound, CommentNotFound."""
    tasks.visible_task(caller, task_id)
    result = read(_one(task_id, comment_id))
    return one_or_raise(result, CommentNotFound)


def add_comment(caller: Caller, task_id: int, body: Body) -> Row:
    """Raises TaskNotFound, Forbidden."""
    lock = tasks.lock_project_of(caller, task_id)
    at = now()
    values = {
        **body,
        "task_id": task_id,
        "created_by": caller.user_id,
        "created_at": at,
        "updated_at": at,
    }
    inserted = sa.insert(COMMENTS).values(values)
    comment = db.session.execute(inserted.returning(COMMENTS)).one()
    revision = lock.advance()
    change = [None, comment.id]
    record(revision, "comment-created", [task_id], comment_id=change)
    return comment


def update_comment(
    caller: Caller, task_id: int, comment_id: int, body: Body, precondition: Precondition
) -> Row:
    """Raises TaskNotFound, CommentNotFound, StaleRevision, Forbidden."""
    lock, comment = _lock(caller, task_id, comment_id)
    precondition(comment)
    if not changed_fields(comment, body):
        return comment
    update = sa.update(COMMENTS).where(COMMENTS.c.id == comment_id)
    update = update.values(**body, updated_at=now())
    update = update.returning(COMMENTS)
    result = db.session.execute(update)
    comment = result.one()
    revision = lock.advance()
    change = [comment_id, comment_id]
    record(revision, "comment-updated", [task_id], comment_id=change)
    return comment


def delete_comment(
    caller: Caller, task_id: int, comment_id: int, precondition: Precondition
) -> None:
    """Raises TaskNotFound, CommentNotFound, StaleRevision, Forbidden."""
    lock, comment = _lock(caller, task_id, comment_id, "owner")
    precondition(comment)
    deletion = sa.delete(COMMENTS).where(COMMENTS.c.id == comment_id)
    db.session.execute(deletion)
    revision = lock.advance()
    change = [comment_id, None]
    record(revision, "comment-deleted", [task_id], comment_id=change)


def _lock(caller: Caller, task_id: int, comment_id: int, *roles: str) -> tuple[Lock, Row]:
    """The comment under its project's lock, for its author and whoever has one of the roles."""
    lock = tasks.lock_project_of(caller, task_id)
    result = db.session.execute(_one(task_id, comment_id))
    comment = one_or_raise(result, CommentNotFound)
    is_author = comment.created_by == caller.user_id
    if not is_author and lock.role not in roles:
        allowed = ["Only its author", *roles]
        raise Forbidden(f"{' or an '.join(allowed)} may do this.")
    return lock, comment


def _one(task_id: int, comment_id: int) -> sa.Select[Any]:
    return sa.select(COMMENTS).filter_by(task_id=task_id, id=comment_id)
