"""The calendar feed: its secret, in the address or as a password, opens its owner's open tasks."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from flask import Response

from taskapp.database.pages import Page
from taskapp.database.session import Body
from taskapp.ledger.access import Seen
from taskapp.personal_tokens.access import feed_owner
from taskapp.tasks import service
from taskapp.tasks.calendar import feed_writer
from taskapp.tasks.models import OPEN
from taskapp.tasks.schemas import FIELDS
from taskapp.web.current import caller, current
from taskapp.web.exports import export

View = Callable[..., Any]


def of_the_caller(view: View) -> View:
    """Call the view for the caller's open tasks."""

    @wraps(view)
    def wrapper(query: Body) -> Any:
        return view(query=_open_tasks(query))

    return wrapper


def subscribes(view: View) -> View:
    """Call the view for the open tasks of the owner of the secret in the address."""

    @wraps(view)
    def wrapper(secret: str, query: Body) -> Any:
        current().caller = feed_owner(secret)
        return view(query=_open_tasks(query))

    return wrapper


def _open_tasks(query: Body) -> Body:
    return {**query, "format": "ics", "status": list(OPEN)}


def calendar(query: Body, seen: Seen) -> Page | Response:
    """The tasks as a calendar of the caller's time zone."""
    writers = {"ics": feed_writer(query["as"], caller().timezone)}
    return export(query, FIELDS, partial(service.list_tasks, caller(), seen), writers)
