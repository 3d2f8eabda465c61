"""Who is calling? A dependency that routes ask for: the twin of guard.py."""

from typing import Annotated, NamedTuple

import sqlalchemy as sa
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lab.twin.auth import tokens
from lab.twin.auth.models import Session
from lab.twin.database import Reader
from lab.twin.errors import TokenRevoked, Unauthorized
from lab.twin.users.models import User

# FastAPI's own door, so that the document shows the padlock; the refusals are ours.
bearer = HTTPBearer(auto_error=False)


class Caller(NamedTuple):
    """Who is calling."""

    user_id: int


_LIVE_SESSION = (
    sa.select(User.role)
    .join(Session, Session.user_id == User.id)
    .where(
        User.is_active,
        Session.id == sa.bindparam("session_id"),
        Session.user_id == sa.bindparam("user_id"),
        Session.ended_at.is_(None),
    )
)


async def identify(
    request: Request,
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    db: Reader,
) -> Caller:
    if sent is None:
        raise Unauthorized
    claims = tokens.check(sent.credentials.strip(), request.app.state.settings)
    session = {"session_id": claims.session_id, "user_id": claims.user_id}
    if (await db.execute(_LIVE_SESSION, session)).one_or_none() is None:
        raise TokenRevoked
    return Caller(claims.user_id)


SignedIn = Annotated[Caller, Depends(identify)]
