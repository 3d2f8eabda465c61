"""The changes feed."""

from flask import Blueprint

from taskapp.database.session import Body
from taskapp.errors import CursorExpired
from taskapp.sync import service
from taskapp.sync.schemas import ChangesQuerySchema, ChangesSchema
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller

sync = Blueprint("sync", __name__, url_prefix="/api/v1")


@sync.get("/changes")
@accepts(query=ChangesQuerySchema())
@replies(ChangesSchema(), 200, CursorExpired)
def list_changes(query: Body) -> service.Changes:
    """List tasks changed since the cursor and ids no longer visible; without one, everything.

    Keep `next_cursor` and send it the next time: no change is ever missed, and none of a task that
    you may not see is shown. While nothing changes the answer is 304. A cursor older than
    CHANGES_RETENTION_DAYS (30) is 410: start again without one.
    """
    return service.list_changes(caller(), query)
