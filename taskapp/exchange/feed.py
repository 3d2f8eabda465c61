"""The calendar feed: its secret address gives access to the open tasks of its owner."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from taskapp.database.session import Body
from taskapp.personal_tokens.access import feed_owner
from taskapp.tasks.models import OPEN
from taskapp.web.current import current

View = Callable[..., Any]


def subscribes(view: View) -> View:
    """Call the view for the open tasks of the owner of the secret in the address."""

    @wraps(view)
    def wrapper(secret: str, query: Body) -> Any:
        current().caller = feed_owner(secret)
        return view(query={**query, "format": "ics", "status": list(OPEN)})

    return wrapper
