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
    tasks.visible_task(caller, task_id)
    return page_by(sa.select(COMMENTS).filter_by(task_id=task_id), Comment.id, **query)


def get_comment(caller: Caller, task_id: int, comment_id: int) -> Row:
    tasks.visible_task(caller, task_id)
    return one_or_raise(read(_one(task_id, comment_id)), CommentNotFound)


def add_comment(caller: Caller, task_id: int, body: Body) -> Row:
    lock, at = tasks.lock_project_of(caller, task_id), now()
    values = {**body, "task_id": task_id, "created_by": caller.user_id}
    inserted = sa.insert(COMMENTS).values(**values, created_at=at, updated_at=at)
    comment = db.session.execute(inserted.returning(COMMENTS)).one()
    record(lock.advance(), "comment-created", [task_id], comment_id=[None, comment.id])
    return comment


def update_comment(
    caller: Caller, task_id: int, comment_id: int, body: Body, precondition: Precondition
) -> Row:
    lock, comment = _open(caller, task_id, comment_id)
    precondition(comment)
    if not changed_fields(comment, body):
        return comment
    written = sa.update(COMMENTS).where(Comment.id == comment_id).values(**body, updated_at=now())
    comment = db.session.execute(written.returning(COMMENTS)).one()
    record(lock.advance(), "comment-updated", [task_id], comment_id=[comment_id, comment_id])
    return comment


def delete_comment(
    caller: Caller, task_id: int, comment_id: int, precondition: Precondition
) -> None:
    lock, comment = _open(caller, task_id, comment_id, "owner")
    precondition(comment)
    db.session.execute(sa.delete(COMMENTS).where(Comment.id == comment_id))
    record(lock.advance(), "comment-deleted", [task_id], comment_id=[comment_id, None])


def _open(caller: Caller, task_id: int, comment_id: int, *roles: str) -> tuple[Lock, Row]:
    """The comment, inside a turn, for its author and for whoever has one of the roles."""
    lock = tasks.lock_project_of(caller, task_id)
    comment = one_or_raise(db.session.execute(_one(task_id, comment_id)), CommentNotFound)
    mine = comment.created_by == caller.user_id
    if not mine and lock.role not in roles:
        raise Forbidden(" or an ".join(["Only its author", *roles]) + " may do this.")
    return lock, comment


def _one(task_id: int, comment_id: int) -> sa.Select[Any]:
    return sa.select(COMMENTS).filter_by(task_id=task_id, id=comment_id)
