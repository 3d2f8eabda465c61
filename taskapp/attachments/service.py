"""What can be done with the attachments of a task; their bytes come and go in transfer.py."""

from typing import Any

import sqlalchemy as sa

from taskapp.attachments import store
from taskapp.attachments.models import Attachment
from taskapp.caller import Caller
from taskapp.database.pages import Page, page_by
from taskapp.database.quotas import BYTES_OF_PROJECT, BYTES_OF_USER, give_back, take
from taskapp.database.session import Body, Precondition, Row, now, one_or_raise, read
from taskapp.errors import NotFound
from taskapp.extensions import db
from taskapp.ledger.revisions import record
from taskapp.schema import table
from taskapp.tasks import access as tasks

ATTACHMENTS = table(Attachment)


class AttachmentNotFound(NotFound):
    """This task has no such attachment."""


def list_attachments(caller: Caller, task_id: int, query: Body) -> Page:
    """Raises TaskNotFound."""
    tasks.visible_task(caller, task_id)
    attachments = sa.select(ATTACHMENTS).where(ATTACHMENTS.c.task_id == task_id)
    return page_by(attachments, Attachment.id, **query)


def get_attachment(caller: Caller, task_id: int, attachment_id: int) -> Row:
    """Raises TaskNotFound, AttachmentNotFound."""
    tasks.visible_task(caller, task_id)
    return one_or_raise(read(_one(task_id, attachment_id)), AttachmentNotFound)


def add_attachment(caller: Caller, task_id: int, body: Body) -> Row:
    """Name bytes that are about to be kept.

    Raises:
        TaskNotFound, Forbidden, QuotaExceeded
    """
    lock = tasks.lock_project_of(caller, task_id)
    values = {**body, "task_id": task_id, "created_by": caller.user_id, "created_at": now()}
    inserted = sa.insert(ATTACHMENTS).values(values).returning(ATTACHMENTS)
    attachment = db.session.execute(inserted).one()
    take(BYTES_OF_PROJECT, lock.project_id, attachment.size)
    take(BYTES_OF_USER, caller.user_id, attachment.size)
    changes = {"attachment_id": [None, attachment.id], "name": [None, attachment.name]}
    record(lock.advance(), "attachment-created", [task_id], **changes)
    return attachment


def delete_attachment(
    caller: Caller, task_id: int, attachment_id: int, precondition: Precondition
) -> str:
    """Forget the row; returns the SHA-256 of its bytes, which another row may name.

    Raises:
        TaskNotFound, AttachmentNotFound, StaleRevision, Forbidden
    """
    lock = tasks.lock_project_of(caller, task_id)
    result = db.session.execute(_one(task_id, attachment_id))
    attachment = one_or_raise(result, AttachmentNotFound)
    precondition(attachment)
    deletion = sa.delete(ATTACHMENTS).where(ATTACHMENTS.c.id == attachment_id)
    db.session.execute(deletion)
    give_back(BYTES_OF_PROJECT, lock.project_id, attachment.size)
    give_back(BYTES_OF_USER, attachment.created_by, attachment.size)
    changes = {"attachment_id": [attachment_id, None], "name": [attachment.name, None]}
    record(lock.advance(), "attachment-deleted", [task_id], **changes)
    sha256: str = attachment.sha256
    return sha256


def is_named(sha256: str) -> bool:
    """Whether an attachment has these bytes, as the transaction sees it."""
    return db.session.execute(_with_digest(), {"sha256": sha256}).first() is not None


def sweep_store() -> int:
    """Delete the bytes that no attachment names; returns how many files."""

    def is_named_by_now(sha256: str) -> bool:
        return read(_with_digest(), {"sha256": sha256}).first() is not None

    return store.sweep(is_named_by_now)


def _with_digest() -> sa.Select[Any]:
    has_digest = ATTACHMENTS.c.sha256 == sa.bindparam("sha256")
    return sa.select(ATTACHMENTS.c.id).where(has_digest).limit(1)


def _one(task_id: int, attachment_id: int) -> sa.Select[Any]:
    return sa.select(ATTACHMENTS).filter_by(task_id=task_id, id=attachment_id)
