"""What lets an account in besides its password: sessions and personal tokens, ended at once.

Their rooms stand above this one, so their tables are named here and their models are not.
"""

import datetime as dt

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import now, one_or_raise, read
from taskapp.errors import Forbidden, TokenRevoked
from taskapp.extensions import db
from taskapp.schema import Base

RECENTLY = dt.timedelta(minutes=5)


def session_of(caller: Caller) -> int:
    """The caller's session: only a session makes or ends credentials.

    Raises:
        Forbidden: It is a personal token, or the word of a proxy, which have none.
    """
    if caller.session_id is None:
        raise Forbidden(
            "This needs a session: sign in with your password or at the identity provider."
            " A personal token can only delete itself."
        )
    return caller.session_id


def began_recently(session_id: int) -> bool:
    """Whether its user has signed in within the last minutes."""
    sessions = Base.metadata.tables["sessions"]
    select = sa.select(sessions.c.created_at).where(sessions.c.id == session_id)
    began: dt.datetime | None = read(select).scalar_one_or_none()
    return began is not None and now() - began <= RECENTLY


def refuse_ended(session_id: int) -> None:
    """Refuse a session that was ended, as the transaction sees it.

    Raises:
        TokenRevoked
    """
    sessions = Base.metadata.tables["sessions"]
    live = sa.select(sessions.c.id).where(sessions.c.id == session_id)
    live = live.where(sessions.c.ended_at.is_(None))
    one_or_raise(db.session.execute(live), TokenRevoked)


def end_sessions(user_id: int, spared: int = 0) -> None:
    """End every session of a user but the one that is spared, and sign-ins that are under way."""
    sessions = Base.metadata.tables["sessions"]
    is_own = sessions.c.user_id == user_id
    _end(sessions, is_own, sessions.c.id != spared)
    tickets = Base.metadata.tables["sign_in_tickets"]
    delete = sa.delete(tickets).where(tickets.c.user_id == user_id)
    db.session.execute(delete)


def end_tokens(user_id: int) -> None:
    """End every personal token of a user, with the user locked: no other is made meanwhile."""
    users = Base.metadata.tables["users"]
    update = sa.update(users).where(users.c.id == user_id)
    db.session.execute(update.values(token_count=0))
    tokens = Base.metadata.tables["personal_tokens"]
    _end(tokens, tokens.c.user_id == user_id)


def _end(table: sa.Table, *which: sa.ColumnElement[bool]) -> None:
    live = sa.update(table).where(table.c.ended_at.is_(None), *which)
    db.session.execute(live.values(ended_at=now()))
