"""What mails say of tasks: a reminder, an assignment, the digest of a day.

They are made of what is true when they are sent, for who may still see it.
"""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from taskapp.database.session import Row, now, read
from taskapp.extensions import settings
from taskapp.ledger.access import MEMBERSHIPS, PROJECTS
from taskapp.tasks.due import to_utc
from taskapp.tasks.models import OPEN, TASKS
from taskapp.users.access import USERS

TASKS_OF_DIGEST = 50
HOW_TO_END = """
--
You get this because of your notifications. To get no more:

    curl -X PATCH {base}/api/v1/users/me -H "Authorization: Bearer $TOKEN" \\
      -H 'Content-Type: application/json' -d '{{"notifications": {{"{name}": {off}}}}}'
"""
_task = TASKS.c
_IN_PROJECT = PROJECTS.c.id == _task.project_id
_MEMBER = MEMBERSHIPS.c.project_id == _task.project_id
_COLUMNS = (_task.id, _task.title, _task.due_at, _task.due_on, PROJECTS.c.name.label("project"))
_VISIBLE = sa.select(*_COLUMNS).join(PROJECTS, _IN_PROJECT).join(MEMBERSHIPS, _MEMBER)
_IS_OPEN = _task.status.in_(OPEN)
_USER = sa.select(USERS.c.id, USERS.c.timezone, USERS.c.notifications)


def reader_of(mail: Row, name: str) -> Row | None:
    """Who is mailed, if they are active and still want it."""
    is_it = sa.and_(USERS.c.id == mail.user_id, USERS.c.email == mail.address, USERS.c.is_active)
    user = read(_USER.where(is_it)).one_or_none()
    return user if user is not None and user.notifications[name] else None


def reminder(mail: Row) -> tuple[str, str] | None:
    """Subject and text, or None where the task is gone, done, or out of sight."""
    user = reader_of(mail, "reminder")
    if user is None:
        return None
    tasks = _tasks_of(user, [mail.data["task_id"]])
    if not tasks:
        return None
    text = _paragraph(tasks[0], user) + _how_to_end("reminder", "false")
    return f"Reminder: {tasks[0].title}", text


def assigned(mail: Row) -> tuple[str, str] | None:
    """Subject and text, or None where none of the tasks is open and in sight."""
    user = reader_of(mail, "assigned")
    if user is None:
        return None
    tasks = _tasks_of(user, mail.data["task_ids"])
    if not tasks:
        return None
    is_one = len(tasks) == 1 and not mail.data["is_more"]
    subject = f"Yours now: {tasks[0].title}" if is_one else f"Yours now in {tasks[0].project}"
    more = "\nAnd more.\n" if mail.data["is_more"] else ""
    return subject, _paragraphs(tasks, user) + more + _how_to_end("assigned", "false")


def digest(mail: Row) -> tuple[str, str] | None:
    """Subject and text, or None where nothing is due."""
    user = reader_of(mail, "digest_at")
    if user is None:
        return None
    here = ZoneInfo(user.timezone)
    today = now().astimezone(here).date()
    tomorrow = dt.datetime.combine(today + dt.timedelta(days=1), dt.time())
    is_due = sa.or_(_task.due_on <= today, _task.due_at < to_utc(tomorrow, here))
    is_own = sa.or_(_task.assignee_id == user.id, PROJECTS.c.inbox_of == user.id)
    due = _of(user).where(is_own, is_due).order_by(_task.due, _task.id)
    tasks = read(due.limit(TASKS_OF_DIGEST)).all()
    if not tasks:
        return None
    text = _paragraphs(list(tasks), user) + _how_to_end("digest_at", "null")
    return f"Due by the end of {today:%A}: {len(tasks)}", text


def _of(user: Row) -> sa.Select[Any]:
    """Open tasks that the user sees."""
    return _VISIBLE.where(MEMBERSHIPS.c.user_id == user.id, _IS_OPEN)


def _tasks_of(user: Row, task_ids: list[int]) -> list[Row]:
    chosen = _of(user).where(_task.id.in_(task_ids))
    return list(read(chosen.order_by(_task.id)))


def _paragraphs(tasks: list[Row], user: Row) -> str:
    return "\n".join(_paragraph(task, user) for task in tasks)


def _paragraph(task: Row, user: Row) -> str:
    lines = [task.title, f"  in {task.project}"]
    if task.due_on is not None:
        lines.append(f"  due on {task.due_on:%A, %Y-%m-%d}")
    if task.due_at is not None:
        there = task.due_at.astimezone(ZoneInfo(user.timezone))
        lines.append(f"  due {there:%A, %Y-%m-%d %H:%M} ({user.timezone})")
    lines.append(f"  {settings().public_url}/#/today/list/{task.id}")
    return "\n".join(lines) + "\n"


def _how_to_end(name: str, off: str) -> str:
    return HOW_TO_END.format(base=settings().public_url, name=name, off=off)
