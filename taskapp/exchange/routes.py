"""Tasks in from files, and out to calendar programs."""

from flask import Blueprint, Response

from taskapp.database.pages import Page
from taskapp.database.session import Body
from taskapp.errors import WRITES
from taskapp.exchange import feed, imports
from taskapp.exchange.feed import of_the_caller, subscribes
from taskapp.exchange.schemas import FeedQuerySchema, ImportedSchema
from taskapp.ledger.access import Seen, seen_by
from taskapp.tasks import service
from taskapp.web.conditional import cached
from taskapp.web.contract import accepts, for_calendars, public, replies
from taskapp.web.current import caller

exchange = Blueprint("exchange", __name__, url_prefix="/api/v1")


@exchange.post("/tasks/import")
@accepts(query=imports.ImportQuerySchema(), **imports.BODY)
@replies(ImportedSchema(), 200, *WRITES)
def import_tasks(query: Body, body: Body) -> Body:
    """Import tasks from CSV, NDJSON, JSON or iCalendar: all rows or none.

    As a raw body, or as the part `file` of a form. Rows with an `external_id` are created once and
    then updated, so that the same file twice changes nothing. A mistake is named by its row.
    `dry_run=true` says what would happen and changes nothing.
    """
    project_id = query.get("project_id")
    dry_run = query.get("dry_run", False)
    return service.import_tasks(caller(), project_id, body["items"], dry_run=dry_run)


@exchange.get("/feeds/<secret>.ics")
@public
@accepts(query=FeedQuerySchema())
@subscribes
@cached(seen_by)
@replies(gives=("text/calendar",))
def get_feed(query: Body, seen: Seen) -> Page | Response:
    """Subscribe to your open tasks; the secret in the address is a `feed` token.

    For calendar programs that send no credential: whoever knows the address reads it. Make the
    secret with `POST /api/v1/auth/tokens` and the scope `feed`. Where the program asks for name and
    password, `/api/v1/feeds/tasks.ics` is the better address.
    """
    return feed.calendar(query, seen)


@exchange.get("/feeds/tasks.ics")
@for_calendars
@accepts(query=FeedQuerySchema())
@of_the_caller
@cached(seen_by)
@replies(gives=("text/calendar",))
def get_calendar(query: Body, seen: Seen) -> Page | Response:
    """Subscribe to your open tasks with a credential in the header.

    For calendar programs that ask for name and password: any name, and a personal token as the
    password. One with the scope `feed` is enough, and opens nothing else.
    """
    return feed.calendar(query, seen)
