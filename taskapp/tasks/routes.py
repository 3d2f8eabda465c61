"""The task endpoints: read the request, ask the service, name the reply."""

from functools import partial

from flask import Blueprint, Response

from taskapp.auth.guard import caller
from taskapp.conditional import if_match, remembers
from taskapp.contract import accepts, replies
from taskapp.errors import WRITES, Forbidden, NotAcceptable, NotFound
from taskapp.extensions import Body, Row
from taskapp.pages import Page
from taskapp.projects.access import Seen, seen_by
from taskapp.tasks import schemas, service
from taskapp.tasks.schemas import TaskSchema
from taskapp.tasks.shapes import STREAMS, negotiates, shape

tasks = Blueprint("tasks", __name__, url_prefix="/api/v1")
TASKS, TASK = "/tasks", "/tasks/<id:task_id>"


@tasks.get(TASKS)
@accepts(query=schemas.TaskQuerySchema())
@negotiates
@remembers(seen_by)
@replies(schemas.TaskPageSchema(), 200, NotFound, NotAcceptable, gives=STREAMS)
def list_tasks(query: Body, seen: Seen) -> Page | Response:
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
