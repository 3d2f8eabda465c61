"""The second factor: set up, confirmed, asked for at a sign-in, and taken away."""

from taskapp.auth import audit, sessions, tickets, tokens, totp
from taskapp.caller import Caller
from taskapp.database.session import Body, Row
from taskapp.errors import Conflict, WrongCredentials
from taskapp.extensions import db
from taskapp.users import access as users
from taskapp.users import credentials, throttle
from taskapp.users.credentials import session_of


class WrongCode(WrongCredentials):
    """The code is wrong, or was used before."""


class FactorIsOn(Conflict):
    """The second factor is on: disable it before you set up another one."""


class NoFactor(Conflict):
    """No second factor was set up: POST /api/v1/auth/totp first."""


def describe(user_id: int) -> Body:
    """Whether it is on, and how many recovery codes are left."""
    return {
        "enabled": totp.is_on(user_id),
        "recovery_codes_left": totp.count_recovery_codes(user_id),
    }


def prepare(caller: Caller, body: Body) -> Body:
    """Check the password before any transaction, because hashing takes long.

    Raises:
        Forbidden, Invalid, RateLimited
    """
    counters = throttle.of_session(session_of(caller))
    throttle.refuse_if_exhausted(counters)
    password = body.get("current_password")
    doubt = users.doubt(caller, password)
    return {"doubt": doubt, "code": body.get("code", "")}


def set_up(caller: Caller, prepared: Body) -> Body:
    """A new seed, which is shown this once and asks for nothing until it is confirmed.

    Raises:
        Forbidden, TokenRevoked, WrongCredentials, RateLimited
        FactorIsOn
    """
    user = users.lock_session(caller)  # no sign-in begins without the factor meanwhile
    _check(caller, prepared["doubt"])
    if totp.is_on(caller.user_id):
        raise FactorIsOn
    seed = totp.set_up(caller.user_id)
    return {"secret": seed, "uri": totp.address_of(seed, user.email)}


def confirm(caller: Caller, code: str) -> Body:
    """The first code shows that the authenticator works; all other sessions end.

    Raises:
        Forbidden, TokenRevoked, WrongCode, RateLimited
        NoFactor, FactorIsOn
    """
    session_id = session_of(caller)
    users.lock_session(caller)
    factor = _factor(caller.user_id)
    if factor.confirmed_at is not None:
        raise FactorIsOn
    _use(caller, factor, code)
    totp.switch_on(caller.user_id)
    credentials.end_sessions(caller.user_id, session_id)
    audit.note("second factor confirmed", caller.user_id, session=session_id)
    return {"recovery_codes": totp.renew_recovery_codes(caller.user_id)}


def renew_recovery_codes(caller: Caller, prepared: Body) -> Body:
    """Ten new recovery codes; the old ones work no more.

    Raises:
        Forbidden, TokenRevoked, WrongCredentials, RateLimited
        NoFactor
    """
    _check_with_code(caller, prepared)
    return {"recovery_codes": totp.renew_recovery_codes(caller.user_id)}


def disable(caller: Caller, prepared: Body) -> None:
    """Sign in with the password alone again.

    Raises:
        Forbidden, TokenRevoked, WrongCredentials, RateLimited
        NoFactor
    """
    _check_with_code(caller, prepared)
    totp.remove(caller.user_id)
    audit.note("second factor disabled", caller.user_id, session=session_of(caller))


def reset(user_id: int) -> None:
    """By the operator, when the authenticator is lost: every session ends."""
    totp.remove(user_id)
    credentials.end_sessions(user_id)
    audit.note("second factor reset", user_id)


def sign_in(body: Body, user_agent: str, address: str) -> Body:
    """The second step of a sign-in: begin the session.

    Raises:
        TicketEnded
        WrongCode: The try counts although the request is refused.
        RateLimited: Too many codes of this account, or from this address, were wrong.
    """
    ticket = body["ticket"]
    user_id = tickets.user_of(tickets.SECOND_FACTOR, ticket)
    known_address = sessions.began_at(address, user_id)
    counters = throttle.of_second_factor(user_id, address, known_address=known_address)
    with throttle.throttled(counters):
        users.lock_active(user_id, tickets.TicketEnded)
        tickets.count_try(tickets.SECOND_FACTOR, ticket)
        factor = totp.factor_of(user_id)
        if factor is None or not totp.use(factor, body["code"]):
            db.session.commit()
            audit.note("second factor refused", user_id)
            raise WrongCode
    tickets.end(ticket)
    session = sessions.begin(user_id, user_agent, address)
    audit.note("signed in with a second factor", user_id, session=session.id)
    return tokens.issue(session)


def _factor(user_id: int) -> Row:
    factor = totp.factor_of(user_id)
    if factor is None:
        raise NoFactor
    return factor


def _check(caller: Caller, doubt: type[WrongCredentials] | None) -> None:
    counters = throttle.of_session(session_of(caller))
    with throttle.throttled(counters):
        if doubt is not None:
            raise doubt


def _check_with_code(caller: Caller, prepared: Body) -> None:
    """Raises Forbidden, TokenRevoked, WrongCredentials, RateLimited, NoFactor."""
    users.lock_session(caller)  # of two at once with different recovery codes one comes first
    _check(caller, prepared["doubt"])
    factor = _factor(caller.user_id)
    if factor.confirmed_at is None:
        raise NoFactor
    _use(caller, factor, prepared["code"])


def _use(caller: Caller, factor: Row, code: str) -> None:
    counters = throttle.of_session(session_of(caller))
    with throttle.throttled(counters):
        if not totp.use(factor, code):
            raise WrongCode
