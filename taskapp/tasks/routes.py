"""The task endpoints: read the request, ask the service, name the reply."""

from functools import partial

from flask import Blueprint, Response

from taskapp.auth.guard import caller
from taskapp.conditional import if_match, remembers
from taskapp.contract import ANYONE, accepts, replies
from taskapp.errors import (
    Conflict,
    CursorExpired,
    Forbidden,
    NotAcceptable,
    NotFound,
    StaleRevision,
)
from taskapp.extensions import Body, Row
from taskapp.fields import PageQuerySchema
from taskapp.pages import Created, Page
from taskapp.projects.access import seen_by
from taskapp.tasks import changes, imports, reports, schemas, service
from taskapp.tasks.schemas import TaskSchema
from taskapp.tasks.shapes import STREAMS, negotiates, shape, subscribes

tasks = Blueprint("tasks", __name__)
TASKS, TASK = "/tasks", "/tasks/<id:task_id>"
WRITES = (Forbidden, NotFound, Conflict)


@tasks.get(TASKS)
@accepts(query=schemas.TaskQuerySchema())
@negotiates
@remembers(seen_by)
@replies(schemas.TaskPageSchema(), 200, NotFound, NotAcceptable, gives=STREAMS)
def list_tasks(query: Body, seen: service.Seen) -> Page | Response:
    """List the tasks you can see, newest first."""
    return shape(query, partial(service.list_tasks, caller(), seen))


@tasks.post(TASKS)
@accepts(body=TaskSchema())
@replies(TaskSchema(), 201, *WRITES)
def create_task(body: Body) -> Row:
    """Create a task, in your inbox unless you name a project."""
    return service.create_task(caller(), body)


@tasks.get(TASK)
@replies(TaskSchema())
def get_task(task_id: int) -> Row:
    """Show one task."""
    return service.get_task(caller(), task_id)


@tasks.patch(TASK)
@accepts(body=TaskSchema(partial=True))
@replies(TaskSchema(), 200, *WRITES)
def update_task(task_id: int, body: Body) -> Row:
    """Change the fields that are sent."""
    return service.update_task(caller(), task_id, body, if_match())


@tasks.delete(TASK)
@replies(None, 204, Forbidden)
def delete_task(task_id: int) -> None:
    """Delete a task and what is below it."""
    service.delete_task(caller(), task_id, if_match())


@tasks.put("/projects/<id:project_id>/tasks/by-external-id/<anything:external_id>")
@accepts(body=schemas.PutTaskSchema())
@replies(TaskSchema(), 200, *WRITES, creates=True)
def put_task(project_id: int, external_id: str, body: Body) -> Row | Created:
    """Create the task with your own key, or set its fields when it is there."""
    key = schemas.ExternalIdSchema().load({"external_id": external_id})
    return service.put_task(caller(), project_id, **key, body=body, expect=if_match())


@tasks.post("/tasks/batch")
@accepts(body=schemas.BatchSchema())
@replies(schemas.BatchResultSchema(), 200, *WRITES, StaleRevision)
def run_batch(body: Body) -> Body:
    """Create, update and delete up to 500 tasks, all or nothing."""
    return service.run_batch(caller(), body["operations"])


@tasks.get("/changes")
@accepts(query=schemas.ChangesQuerySchema())
@replies(schemas.ChangesSchema(), 200, CursorExpired)
def list_changes(query: Body) -> changes.Changes:
    """What changed since the cursor, and what is out of sight; without one, all there is."""
    return changes.list_changes(caller(), query)


@tasks.get("/tasks/<id:task_id>/history")
@accepts(query=PageQuerySchema())
@replies(schemas.HistoryPageSchema())
def list_history(task_id: int, query: Body) -> Page:
    """Who changed what, and when."""
    return reports.list_history(caller(), task_id, query)


@tasks.get("/labels")
@accepts(query=PageQuerySchema())
@replies(schemas.LabelPageSchema())
def list_labels(query: Body) -> Page:
    """Labels in use, and how many tasks have each."""
    return reports.list_labels(caller(), query)


@tasks.get("/stats")
@accepts(query=schemas.StatsQuerySchema())
@replies(schemas.StatsSchema(), 200, NotFound)
def get_stats(query: Body) -> Body:
    """Numbers for a dashboard; done per day over the last 30 days."""
    return reports.get_stats(caller(), query)


@tasks.post("/tasks/import")
@accepts(
    query=schemas.ImportQuerySchema(),
    body=imports.TaskImportSchema(),
    takes=imports.TAKES,
    load=imports.load,
)
@replies(schemas.ImportedSchema(), 200, *WRITES)
def import_tasks(query: Body, body: Body) -> Body:
    """Take back what the list exports, as CSV, NDJSON or JSON: all rows or none."""
    return service.import_tasks(caller(), query.get("project_id"), body["items"])


@tasks.get("/feeds/<secret>.ics")
@subscribes
@remembers(seen_by)
@replies(access=ANYONE, gives=("text/calendar",))
def get_feed(query: Body, seen: service.Seen) -> Page | Response:
    """Your open tasks for a calendar program; the secret in the address is a `feed` token."""
    return shape(query, partial(service.list_tasks, caller(), seen))
