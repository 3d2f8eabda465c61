"""The task endpoints: read the request, ask the service, name the reply."""

from functools import partial

from flask import Blueprint, Response

from taskapp.database.pages import Created, Page
from taskapp.database.session import Body, Row
from taskapp.errors import CONDITIONS, WRITES, Forbidden, NotAcceptable, NotFound
from taskapp.ledger.access import Seen, seen_by
from taskapp.tasks import schemas, service
from taskapp.tasks.calendar import WRITERS
from taskapp.tasks.schemas import FIELDS, TaskSchema
from taskapp.web import long_operations
from taskapp.web.conditional import cached, if_match
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller
from taskapp.web.exports import STREAMS, export, negotiates

tasks = Blueprint("tasks", __name__, url_prefix="/api/v1")
TASKS, TASK = "/tasks", "/tasks/<id:task_id>"


@tasks.get(TASKS)
@accepts(query=schemas.TaskQuerySchema())
@negotiates
@cached(seen_by)
@replies(schemas.TaskPageSchema(), 200, NotFound, NotAcceptable, gives=STREAMS)
def list_tasks(query: Body, seen: Seen) -> Page | Response:
    """List the tasks you can see, newest first."""
    return export(query, FIELDS, partial(service.list_tasks, caller(), seen), WRITERS)


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
    return service.put_task(caller(), project_id, **key, body=body, precondition=if_match())


@tasks.post("/tasks/batch")
@accepts(body=schemas.BatchSchema(), prepare=long_operations.begin_if_large)
@replies(schemas.BatchResultSchema(), 200, *WRITES, *CONDITIONS)
def run_batch(body: Body) -> Body:
    """Create, update and delete up to 500 tasks, all or nothing."""
    return service.run_batch(caller(), body["operations"])
