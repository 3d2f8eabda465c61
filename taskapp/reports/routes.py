"""What tasks add up to: history, labels in use, numbers."""

from flask import Blueprint

from taskapp.database.pages import Page
from taskapp.database.session import Body
from taskapp.errors import NotFound
from taskapp.ledger.events import Events, History
from taskapp.reports import labels, schemas, service
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller
from taskapp.web.fields import PageQuerySchema, page_of

reports = Blueprint("reports", __name__, url_prefix="/api/v1")


@reports.get("/tasks/<id:task_id>/history")
@accepts(query=PageQuerySchema())
@replies(schemas.HistoryPageSchema())
def list_history(task_id: int, query: Body) -> History:
    """List who changed what, and when, oldest first.

    Also of a deleted task. Of a task that lives at least the newest thousand changes are kept;
    `complete` says whether all of it is there.
    """
    return service.list_history(caller(), task_id, query)


@reports.get("/projects/<id:project_id>/events")
@accepts(query=schemas.EventQuerySchema())
@replies(schemas.ProjectEventsSchema(), 200, NotFound)
def list_project_events(project_id: int, query: Body) -> Events:
    """List what happened in a project, oldest first; the cursor goes on where the page ends.

    The same events that webhooks send. Keep `next_cursor`, which is always there, and ask again
    later for what has happened since.
    """
    return service.list_project_events(caller(), project_id, query)


@reports.get("/labels")
@accepts(query=PageQuerySchema())
@replies(page_of(schemas.LabelSchema)())
def list_labels(query: Body) -> Page:
    """List labels in use, and how many tasks have each.

    Over all tasks that you see.
    """
    return labels.list_labels(caller(), query)


@reports.get("/stats")
@accepts(query=schemas.StatsQuerySchema())
@replies(schemas.StatsSchema(), 200, NotFound)
def get_stats(query: Body) -> Body:
    """Numbers for a dashboard; done per day over the last 30 days.

    Of all tasks that you see, or of one project: by status, priority and assignee, what is overdue,
    how old open tasks are, and what was done on each day.
    """
    return service.get_stats(caller(), query)
