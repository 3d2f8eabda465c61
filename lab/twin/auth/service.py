"""Signing in: a session is a row."""

import datetime as dt
from typing import NamedTuple
from uuid import uuid4

import sqlalchemy as sa

from lab.twin.auth import passwords, tokens
from lab.twin.auth.models import Session
from lab.twin.auth.schemas import Login, TokenPair
from lab.twin.database import Database, now, table
from lab.twin.errors import WrongCredentials
from lab.twin.settings import Settings
from lab.twin.users.models import User

SESSIONS = table(Session)


class Client(NamedTuple):
    """What a session remembers of where it began."""

    user_agent: str
    address: str


class Credentials(NamedTuple):
    """What a sign-in is held against."""

    id: int
    password_hash: str
    is_active: bool


async def login(database: Database, settings: Settings, body: Login, client: Client) -> TokenPair:
    user = await _sign_in_row(database, body.email)
    known = await passwords.verify(body.password, user and user.password_hash)
    if user is None or not known or not user.is_active:
        raise WrongCredentials
    at, jti = now(), uuid4().hex
    ends = at + dt.timedelta(days=settings.session_days)
    values = {"user_id": user.id, "refresh_jti": jti, "created_at": at, **client._asdict()}
    inserted = sa.insert(SESSIONS).values(**values, last_used_at=at, expires_at=ends)
    async with database.session.begin() as db:
        session_id = (await db.execute(inserted.returning(Session.id))).scalar_one()
    return tokens.issue(settings, user.id, session_id, jti, ends)


async def _sign_in_row(database: Database, email: str) -> Credentials | None:
    """The connection goes back before the hash is computed: 10 sign-ins must not empty the pool."""
    found = sa.select(User.id, User.password_hash, User.is_active)
    async with database.reads.connect() as db:
        rows = await db.execute(found.where(User.email_key == email.casefold()))
        row = rows.one_or_none()
        return row and Credentials(*row)
