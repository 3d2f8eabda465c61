"""The calendar feed: its secret, in the address or as a password, opens its owner's open tasks."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from taskapp.database.session import Body
from taskapp.personal_tokens.access import feed_owner
from taskapp.tasks.models import OPEN
from taskapp.web.current import current

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
