"""The task endpoints: read the request, ask the service, name the reply."""

from flask import Blueprint, Response

from taskapp.auth.guard import caller
from taskapp.conditional import if_match, remembers
from taskapp.contract import ANYONE, accepts, replies
from taskapp.errors import Conflict, Forbidden, NotFound
from taskapp.extensions import Body, Row
from taskapp.pages import Page
from taskapp.projects.access import seen_by
from taskapp.tasks import service
from taskapp.tasks.schemas import TaskPageSchema, TaskQuerySchema, TaskSchema

tasks = Blueprint("tasks", __name__)
TASKS, TASK = "/tasks", "/tasks/<id:task_id>"
WRITES = (Forbidden, NotFound, Conflict)


@tasks.get(TASKS)
@accepts(query=TaskQuerySchema())
@remembers(seen_by)
@replies(TaskPageSchema(), 200, NotFound)
def list_tasks(query: Body, seen: service.Seen) -> Page:
    """List the tasks you can see, newest first."""
    return service.list_tasks(caller(), seen, query)


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


@tasks.get("/feeds/<secret>.ics")
@replies(access=ANYONE)
def get_feed(secret: str) -> Response:
    """Your open tasks for a calendar program; the secret in the address is a `feed` token."""
    raise NotFound(f"No feed: {secret[:4]}…")
