"""The task endpoints: read the request, ask the service, name the reply."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from flask import Blueprint, Response

from taskapp.database.pages import Created, Linked, Page
from taskapp.database.session import Body, Row, now
from taskapp.errors import CONDITIONS, WRITES, Forbidden, NotAcceptable, NotFound
from taskapp.ledger.access import SEEN, Seen, seen_by
from taskapp.tasks import schemas, service
from taskapp.tasks.access import VISIBLE_TASK
from taskapp.tasks.calendar import WRITERS
from taskapp.tasks.due import with_days
from taskapp.tasks.schemas import FIELDS, TaskSchema
from taskapp.web import long_operations
from taskapp.web.conditional import cached, if_match
from taskapp.web.contract import accepts, reads_first, replies
from taskapp.web.current import caller
from taskapp.web.exports import STREAMS, export, negotiates

tasks = Blueprint("tasks", __name__, url_prefix="/api/v1")
Reply = Row | Created | Linked
TASKS = "/tasks"
TASK = "/tasks/<id:task_id>"
BY_KEY = "/projects/<id:project_id>/tasks/by-external-id/<anything:external_id>"


def compares_days(view: Callable[..., Any]) -> Callable[..., Any]:
    """Say what the filters by due compare with, in the time zone of the query or the caller."""

    @wraps(view)
    def wrapper(query: Body) -> Any:
        return view(query=with_days(query, caller().timezone, now()))

    return wrapper


@tasks.get(TASKS)
@reads_first(SEEN)
@accepts(query=schemas.TaskQuerySchema())
@negotiates
@compares_days
@cached(seen_by)
@replies(schemas.TaskPageSchema(), 200, NotFound, NotAcceptable, gives=STREAMS)
def list_tasks(query: Body, seen: Seen) -> Page | Response:
    """List the tasks you can see, newest first.

    Filters are combined: a task must pass all of them. Follow `next_cursor` for the next page.
    `Accept` or `format` asks for CSV, NDJSON or iCalendar, which hold the whole list.
    """
    return export(query, FIELDS, partial(service.list_tasks, caller(), seen), WRITERS)


@tasks.post(TASKS)
@accepts(body=TaskSchema())
@replies(TaskSchema(), 201, *WRITES)
def create_task(body: Body) -> Reply:
    """Create a task, in your inbox unless you name a project.

    Send an Idempotency-Key, and a retry creates no second one.
    """
    return _with_next(service.create_task(caller(), body))


@tasks.get(TASK)
@reads_first(VISIBLE_TASK)
@replies(TaskSchema())
def get_task(task_id: int) -> Reply:
    """Show one task.

    Its ETag, `"<project_id>-<revision>"`, is what `If-Match` wants when you change it.
    """
    return _with_next(service.get_task(caller(), task_id))


@tasks.patch(TASK)
@reads_first(VISIBLE_TASK)
@accepts(body=TaskSchema(partial=True))
@replies(TaskSchema(), 200, *WRITES)
def update_task(task_id: int, body: Body) -> Reply:
    """Change the fields that are sent.

    What is not sent stays, and null clears. Send `If-Match`, and nothing that somebody else has
    written meanwhile is overwritten.
    """
    return _with_next(service.update_task(caller(), task_id, body, if_match()))


@tasks.delete(TASK)
@replies(None, 204, Forbidden)
def delete_task(task_id: int) -> None:
    """Delete a task and what is below it.

    `POST …/restore` brings it back for CHANGES_RETENTION_DAYS (30).
    """
    service.delete_task(caller(), task_id, if_match())


@tasks.post(f"{TASK}/restore")
@replies(TaskSchema(), 200, *WRITES)
def restore_task(task_id: int) -> Reply:
    """Bring a deleted task back, with what was below it.

    With its labels, comments and attachments, under the same ids. 409 when it is not deleted, when
    its parent is gone, or when its `external_id` is taken by another task.
    """
    return _with_next(service.restore_task(caller(), task_id))


@tasks.get(BY_KEY)
@replies(TaskSchema())
def get_task_by_external_id(project_id: int, external_id: str) -> Reply:
    """Show the task with your own key.

    As `GET /api/v1/tasks/{task_id}` does, without knowing our id.
    """
    key = schemas.external_id_of(external_id)
    return _with_next(service.get_task_by_key(caller(), project_id, key))


@tasks.put(BY_KEY)
@accepts(body=schemas.PutTaskSchema())
@replies(TaskSchema(), 200, *WRITES, creates=True)
def put_task(project_id: int, external_id: str, body: Body) -> Reply:
    """Create the task with your own key, or set its fields when it is there.

    Race-free: however many send it at once, there is one task. 201 when it was created, 200 when it
    was there.
    """
    key = schemas.external_id_of(external_id)
    return _with_next(service.put_task(caller(), project_id, key, body, if_match()))


@tasks.patch(BY_KEY)
@accepts(body=schemas.PutTaskSchema(partial=True))
@replies(TaskSchema(), 200, *WRITES)
def update_task_by_external_id(project_id: int, external_id: str, body: Body) -> Reply:
    """Change the fields that are sent of the task with your own key.

    As `PATCH /api/v1/tasks/{task_id}` does, without knowing our id.
    """
    key = schemas.external_id_of(external_id)
    task = service.update_task_by_key(caller(), project_id, key, body, if_match())
    return _with_next(task)


@tasks.delete(BY_KEY)
@replies(None, 204, Forbidden)
def delete_task_by_external_id(project_id: int, external_id: str) -> None:
    """Delete the task with your own key, and what is below it.

    As `DELETE /api/v1/tasks/{task_id}` does, without knowing our id.
    """
    key = schemas.external_id_of(external_id)
    service.delete_task_by_key(caller(), project_id, key, if_match())


@tasks.post("/tasks/batch")
@accepts(body=schemas.BatchSchema(), prepare=long_operations.begin_if_large)
@replies(schemas.BatchResultSchema(), 200, *WRITES, *CONDITIONS)
def run_batch(body: Body) -> Body:
    """Create, update and delete up to 500 tasks, all or nothing.

    A refusal has the status that its operation would have had alone, and its `errors` point to it
    by number, as `/operations/3`; nothing of the batch is kept then. 413 also where the tasks have
    descriptions of more than 4 MiB together: send them in smaller batches.
    """
    return service.run_batch(caller(), body["operations"])


def _with_next(task: Row | Created) -> Reply:
    """The task, with the address of the one that came after it."""
    next_id = service.next_occurrence(caller(), task)
    if next_id is None:
        return task
    return Linked(task, {"next-occurrence": f"/api/v1/tasks/{next_id}"})
