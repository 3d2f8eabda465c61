"""Accounts whose address nobody had proved, when its holder comes: who made them is put out."""

import sqlalchemy as sa

from taskapp.auth.models import Identity
from taskapp.extensions import db
from taskapp.ledger.access import PROJECTS
from taskapp.schema import table
from taskapp.users import access as users
from taskapp.users import credentials
from taskapp.webhooks.access import WEBHOOKS

IDENTITIES = table(Identity)


def claim(user_id: int) -> bool:
    """Whether it was unproved; then nothing opens it any more that was there before.

    Whoever made it may have prepared it for the holder of the address: with a password, a session
    or a token, an identity at a provider, or a webhook that is sent what goes into the inbox.
    """
    if not users.claim_unproved(user_id):
        return False
    credentials.end_sessions(user_id)
    credentials.end_tokens(user_id)
    identities = sa.delete(IDENTITIES).where(IDENTITIES.c.user_id == user_id)
    db.session.execute(identities)
    inbox = sa.select(PROJECTS.c.id).where(PROJECTS.c.inbox_of == user_id)
    of_inbox = WEBHOOKS.c.project_id == inbox.scalar_subquery()
    webhooks = sa.update(WEBHOOKS).where(of_inbox)
    db.session.execute(webhooks.values(is_active=False))
    return True
