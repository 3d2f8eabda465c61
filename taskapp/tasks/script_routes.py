"""What scripts ask of tasks beyond one at a time: batches, changes, imports, feeds, numbers."""

from functools import partial

from flask import Blueprint, Response

from taskapp.auth.guard import caller
from taskapp.conditional import if_match, remembers
from taskapp.contract import ANYONE, accepts, replies
from taskapp.errors import CONDITIONS, WRITES, CursorExpired, NotFound
from taskapp.extensions import Body, Row
from taskapp.fields import PageQuerySchema, page_of
from taskapp.pages import Created, Page
from taskapp.projects.access import Seen, seen_by
from taskapp.tasks import changes, imports, reports, script_schemas, service
from taskapp.tasks.schemas import TaskSchema
from taskapp.tasks.shapes import shape, subscribes

scripts = Blueprint("scripts", __name__, url_prefix="/api/v1")


@scripts.put("/projects/<id:project_id>/tasks/by-external-id/<anything:external_id>")
@accepts(body=script_schemas.PutTaskSchema())
@replies(TaskSchema(), 200, *WRITES, creates=True)
def put_task(project_id: int, external_id: str, body: Body) -> Row | Created:
    """Create the task with your own key, or set its fields when it is there."""
    key = script_schemas.ExternalIdSchema().load({"external_id": external_id})
    return service.put_task(caller(), project_id, **key, body=body, expect=if_match())


@scripts.post("/tasks/batch")
@accepts(body=script_schemas.BatchSchema())
@replies(script_schemas.BatchResultSchema(), 200, *WRITES, *CONDITIONS)
def run_batch(body: Body) -> Body:
    """Create, update and delete up to 500 tasks, all or nothing."""
    return service.run_batch(caller(), body["operations"])


@scripts.get("/changes")
@accepts(query=script_schemas.ChangesQuerySchema())
@replies(script_schemas.ChangesSchema(), 200, CursorExpired)
def list_changes(query: Body) -> changes.Changes:
    """What changed since the cursor, and what is out of sight; without one, all there is."""
    return changes.list_changes(caller(), query)


@scripts.get("/tasks/<id:task_id>/history")
@accepts(query=PageQuerySchema())
@replies(page_of(script_schemas.HistorySchema)())
def list_history(task_id: int, query: Body) -> Page:
    """Who changed what, and when."""
    return reports.list_history(caller(), task_id, query)


@scripts.get("/labels")
@accepts(query=PageQuerySchema())
@replies(page_of(script_schemas.LabelSchema)())
def list_labels(query: Body) -> Page:
    """Labels in use, and how many tasks have each."""
    return reports.list_labels(caller(), query)


@scripts.get("/stats")
@accepts(query=script_schemas.InProjectQuerySchema())
@replies(script_schemas.StatsSchema(), 200, NotFound)
def get_stats(query: Body) -> Body:
    """Numbers for a dashboard; done per day over the last 30 days."""
    return reports.get_stats(caller(), query)


@scripts.post("/tasks/import")
@accepts(query=script_schemas.InProjectQuerySchema(), **imports.BODY)
@replies(script_schemas.ImportedSchema(), 200, *WRITES)
def import_tasks(query: Body, body: Body) -> Body:
    """Take back what the list exports, as CSV, NDJSON or JSON: all rows or none."""
    return service.import_tasks(caller(), query.get("project_id"), body["items"])


@scripts.get("/feeds/<secret>.ics")
@subscribes
@remembers(seen_by)
@replies(access=ANYONE, gives=("text/calendar",))
def get_feed(query: Body, seen: Seen) -> Page | Response:
    """Your open tasks for a calendar program; the secret in the address is a `feed` token."""
    return shape(query, partial(service.list_tasks, caller(), seen))
