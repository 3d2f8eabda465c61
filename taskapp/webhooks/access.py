"""What others may do with webhooks."""

import sqlalchemy as sa

from taskapp.ledger.access import EVENTS
from taskapp.schema import table
from taskapp.webhooks.models import Webhook

WEBHOOKS = table(Webhook)


def pause_webhooks(connection: sa.Connection) -> int:
    """Switch all webhooks off, with their bookmarks at the present; returns how many were on.

    After a restore or a copy nobody is called by accident: an owner switches each on again.
    """
    of_project = EVENTS.c.project_id == WEBHOOKS.c.project_id
    last_id = sa.func.coalesce(sa.func.max(EVENTS.c.id), 0)
    newest = sa.select(last_id).where(of_project).scalar_subquery()
    values = {"event_id": newest, "is_active": False, "test_requested": False}
    update = sa.update(WEBHOOKS).where(WEBHOOKS.c.is_active)
    paused = connection.execute(update.values(values))
    return paused.rowcount
