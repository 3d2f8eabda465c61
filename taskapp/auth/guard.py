"""Who is calling, and may they use this route at all?

`authenticate` runs first and never refuses, so that the limits can count by caller and refused
credentials count too; `authorize` then refuses. A route that does not say who may use it is for
signed-in users.
"""

import datetime as dt
from base64 import b64decode

import sqlalchemy as sa

from taskapp import errors
from taskapp.auth import proxy, tokens
from taskapp.auth.sessions import SESSION, SESSIONS
from taskapp.caller import ADMIN, ANY_SCOPE, ANYONE, SCOPES, Caller
from taskapp.database.hot import Hot
from taskapp.database.session import Body, Row
from taskapp.personal_tokens import access as personal_tokens
from taskapp.users import access as users
from taskapp.web.contract import Contract, contract_of
from taskapp.web.current import SAFE_METHODS, Current

_active = users.active()
_of_user = SESSION.user_id == _active.c.id
_CALLER = sa.select(_active.c.role, _active.c.timezone).join(SESSIONS, _of_user)
_LIVE_CALLER = _CALLER.where(SESSION.ended_at.is_(None))
_SESSION_AND_USER = _LIVE_CALLER.where(
    SESSION.id == sa.bindparam("session_id"), SESSION.user_id == sa.bindparam("user_id")
)
_LIVE_SESSION = Hot(_SESSION_AND_USER.where(SESSION.nonce == sa.bindparam("nonce")))


class SessionEnded(errors.TokenRevoked):
    """The session has ended, or its user was disabled or deleted: sign in again."""


def authenticate(current: Current) -> None:
    """Find out who is calling; `current.refusal` says why it is nobody."""
    current.contract = _contract(current)
    try:
        current.caller = _caller_of(current)
    except errors.Refusal as refusal:
        current.refusal = refusal
    except sa.exc.DBAPIError as error:  # public routes must work while the database is down
        current.refusal = errors.from_database(error)


def authorize(current: Current) -> None:
    """Refuse who may not use this route.

    Raises:
        Refusal: There is no credential, or it lacks the scope.
    """
    request = current.request
    contract: Contract | None = current.contract
    if contract is None or request.method == "OPTIONS":  # the router's own 404, 405 and Allow
        return
    if contract.access == ANYONE:
        return
    if contract.signs_out and isinstance(current.refusal, SessionEnded):
        return
    proxy.refuse_foreign_write(current)
    if contract.access == ANY_SCOPE:
        current.asks_for_basic = True
        current.signed_in()
    elif contract.access in SCOPES:
        current.require_scope(contract.access)
    elif request.method in SAFE_METHODS:
        current.require_scope("read")
    else:
        current.require_scope("write")


def _contract(current: Current) -> Contract | None:
    """What the route promises; None where there is no route."""
    endpoint = current.request.endpoint or ""
    view = current.app.view_functions.get(endpoint)
    return None if view is None else contract_of(view)


def _caller_of(current: Current) -> Caller:
    """What the client sends itself counts before what a proxy in front says of it."""
    variables = current.request.environ
    header = variables.get("HTTP_AUTHORIZATION")
    vouched = None if header else proxy.caller_by(variables)
    return vouched or _caller_behind(header, current)


def _caller_behind(header: str | None, current: Current) -> Caller:
    """RFC 6750 and RFC 7617; a scheme's name is compared without case (RFC 9110, 11.1)."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if scheme.lower() == "basic":
        token = _password(token)
        if not token.startswith(personal_tokens.PREFIX):
            raise errors.Unauthorized("Basic takes a personal token as its password.")
    elif scheme.lower() != "bearer":
        raise errors.Unauthorized
    if token.startswith(personal_tokens.PREFIX):
        return personal_tokens.caller_by(token)
    return _caller_by_session(token, current)


def _password(credentials: str) -> str:
    try:
        pair = b64decode(credentials, validate=True).decode()
    except ValueError:
        raise errors.Unauthorized from None
    _, _, password = pair.partition(":")
    return password


def _caller_by_session(token: str, current: Current) -> Caller:
    claims = tokens.check(token, "access")
    values = {"session_id": claims.session_id, "user_id": claims.user_id, "nonce": claims.nonce}
    user = _user_along(values, current) or _LIVE_SESSION.one_or_raise(values, SessionEnded)
    widest = ADMIN if user.role == ADMIN else "write"
    expires_at = dt.datetime.fromtimestamp(claims.expires, dt.UTC)
    return Caller(
        claims.user_id,
        user.role,
        SCOPES[widest],
        expires_at,
        claims.session_id,
        timezone=user.timezone,
    )


def _user_along(session: Body, current: Current) -> Row | None:
    """The user of the session, asked for in one statement with what the view reads first.

    None where nothing of that kind is declared, or either is not found.
    """
    contract: Contract | None = current.contract
    if contract is None or contract.first is None:
        return None
    arguments = current.request.view_args or {}
    return contract.first.along(_LIVE_SESSION, {**arguments, **session})
