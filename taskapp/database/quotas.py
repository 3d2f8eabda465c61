"""What a user and a project may have: counts on their rows, compared and changed in one UPDATE.

The tables are named here, and not imported, because their rooms stand above this one.
"""

from typing import Any, NamedTuple, NoReturn

import sqlalchemy as sa

from taskapp.database.session import transaction
from taskapp.errors import QuotaExceeded
from taskapp.extensions import db, settings
from taskapp.schema import Base


class Quota(NamedTuple):
    """A count, the row that it stands on, and the setting that bounds it."""

    owner: str  # the table
    column: str
    setting: str  # its field in config.py
    what: str

    @property
    def rows(self) -> sa.Table:
        return Base.metadata.tables[self.owner]

    @property
    def used(self) -> sa.Column[int]:
        column: sa.Column[int] = self.rows.c[self.column]
        return column

    @property
    def most(self) -> int:
        most: int = getattr(settings(), self.setting)
        return most


PROJECTS_OF_USER = Quota("users", "project_count", "max_projects_per_user", "projects")
TOKENS_OF_USER = Quota("users", "token_count", "max_tokens_per_user", "personal tokens")
BYTES_OF_USER = Quota(
    "users", "attachment_bytes", "max_attachments_per_user_bytes", "bytes of attachments by you"
)
BYTES_OF_PROJECT = Quota(
    "projects",
    "attachment_bytes",
    "max_attachments_per_project_bytes",
    "bytes of attachments in the project",
)
TASKS_OF_PROJECT = Quota("projects", "task_count", "max_tasks_per_project", "tasks in the project")


def take(quota: Quota, owner_id: int, amount: int = 1) -> None:
    """Count so much more, where that is allowed.

    Raises:
        QuotaExceeded
    """
    more = quota.used + amount
    update = sa.update(quota.rows).where(quota.rows.c.id == owner_id, more <= quota.most)
    update = update.values({quota.column: more})
    taken = db.session.execute(update.returning(quota.rows.c.id)).one_or_none()
    if taken is None:
        select = sa.select(quota.used).where(quota.rows.c.id == owner_id)
        used = db.session.scalar(select) or 0
        refuse(quota, used, amount)


def give_back(quota: Quota, owner_id: Any, amount: int = 1) -> None:
    """Count so much less, for one owner or for those that a SELECT of ids names."""
    if isinstance(owner_id, int):
        which = quota.rows.c.id == owner_id
    else:
        which = quota.rows.c.id.in_(_locked(quota, owner_id))
    update = sa.update(quota.rows).where(which)
    db.session.execute(update.values({quota.column: quota.used - amount}))


def refuse(quota: Quota, used: int, amount: int) -> NoReturn:
    """Raises QuotaExceeded, with the figure and the setting."""
    setting = quota.setting.upper()
    figure = f"{used} {quota.what} are counted; {amount} more would be above {quota.most}"
    raise QuotaExceeded(f"{figure} ({setting}).")


def wrong_counts() -> int:
    """How many rows have another count than there is.

    The bytes of a project are left out: those of a task that is moved or deleted, and may be
    restored, count where they were until the next purge.
    """
    total = 0
    for quota in _actual().keys() - {BYTES_OF_PROJECT}:
        wrong = _with_actual(quota).with_only_columns(sa.func.count())
        total += db.session.scalar(wrong) or 0
    return total


def recount() -> int:
    """Put right every count that is wrong; returns how many rows were."""
    total = 0
    for quota in _actual():
        with transaction():  # each holds rows in the order of their ids, as a write does
            total += _recount(quota)
    return total


def _recount(quota: Quota) -> int:
    """The rows are locked before they are counted again: no write that counts comes in between."""
    wrong = _with_actual(quota)
    ids = wrong.with_only_columns(quota.rows.c.id)
    locked = set(db.session.scalars(_locked(quota, ids)))
    put_right = 0
    for owner_id, actual in db.session.execute(wrong).all():
        if owner_id in locked:
            update = sa.update(quota.rows).where(quota.rows.c.id == owner_id)
            db.session.execute(update.values({quota.column: actual}))
            put_right += 1
    return put_right


def _locked(quota: Quota, ids: sa.Select[Any]) -> sa.Select[int]:
    """Those of the owners that a SELECT of ids names, locked in the order of their ids."""
    row_id = quota.rows.c.id
    named = row_id.in_(ids.correlate(None))
    locked = sa.select(row_id).where(named).order_by(row_id)
    return locked.with_for_update(key_share=True).correlate(None)


def _with_actual(quota: Quota) -> sa.Select[Any]:
    """(owner's id, what there is), where that is not what its row says."""
    groups = _actual()[quota].subquery()
    actual = sa.func.coalesce(groups.c.actual, 0)
    joined = quota.rows.outerjoin(groups, groups.c.owner_id == quota.rows.c.id)
    select = sa.select(quota.rows.c.id, actual).select_from(joined)
    return select.where(quota.used != actual)


def _actual() -> dict[Quota, sa.Select[Any]]:
    """For each quota (owner_id, actual), from the rows that are counted."""
    attachments = Base.metadata.tables["attachments"]
    tasks = Base.metadata.tables["tasks"]
    size = sa.func.sum(attachments.c.size)
    in_project = attachments.join(tasks, tasks.c.id == attachments.c.task_id)
    of_projects = _grouped(tasks.c.project_id, size)
    return {
        BYTES_OF_PROJECT: of_projects.select_from(in_project),
        TASKS_OF_PROJECT: _grouped(tasks.c.project_id),
        PROJECTS_OF_USER: _shared_projects(),
        TOKENS_OF_USER: _live_tokens(),
        BYTES_OF_USER: _grouped(attachments.c.created_by, size),
    }


def _shared_projects() -> sa.Select[Any]:
    projects = Base.metadata.tables["projects"]
    memberships = Base.metadata.tables["memberships"]
    joined = memberships.join(projects, projects.c.id == memberships.c.project_id)
    of_users = _grouped(memberships.c.user_id).select_from(joined)
    return of_users.where(projects.c.inbox_of.is_(None))


def _live_tokens() -> sa.Select[Any]:
    tokens = Base.metadata.tables["personal_tokens"]
    of_users = _grouped(tokens.c.user_id)
    return of_users.where(tokens.c.ended_at.is_(None))


def _grouped(owner_id: sa.Column[Any], actual: Any = None) -> sa.Select[Any]:
    counted = sa.func.count() if actual is None else actual
    select = sa.select(owner_id.label("owner_id"), counted.label("actual"))
    return select.group_by(owner_id)
