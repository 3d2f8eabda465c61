"""The endpoints of the second factor, and the second step of a sign-in."""

from flask import Blueprint, request

from taskapp.auth import schemas
from taskapp.auth import second_factor as service
from taskapp.auth.routes import sign_in_limit
from taskapp.database.session import Body
from taskapp.errors import Conflict, Forbidden, InvalidToken, WrongCredentials
from taskapp.users.schemas import CURRENT_PASSWORD
from taskapp.web.contract import accepts, public, replies
from taskapp.web.current import caller, client_address

second_factor = Blueprint("second_factor", __name__, url_prefix="/api/v1/auth")


@second_factor.post("/login/totp")
@public
@sign_in_limit
@accepts(body=schemas.SECOND_STEP)
@replies(schemas.TOKEN_PAIR, 200, WrongCredentials, InvalidToken, once=False)
def login_totp(body: Body) -> Body:
    """Finish a sign-in that wants a code: begin a session.

    `POST /auth/login` gave the ticket with `second-factor-required`. A recovery code is as good as
    the authenticator's. Wrong codes are slowed down, whichever ticket they come with.
    """
    user_agent = request.user_agent.string
    return service.sign_in(body, user_agent[:200], client_address())


@second_factor.get("/totp")
@replies(schemas.FACTOR)
def get_totp() -> Body:
    """Say whether your second factor is on.

    And how many recovery codes are left: make new ones before there is none.
    """
    return service.describe(caller().user_id)


def check_password(body: Body) -> Body:
    """Before the transaction begins: hashing takes long."""
    return service.prepare(caller(), body)


@second_factor.post("/totp")
@accepts(body=CURRENT_PASSWORD, prepare=check_password)
@replies(schemas.NEW_FACTOR, 200, Conflict, Forbidden, WrongCredentials)
def set_up_totp(body: Body) -> Body:
    """Make the seed of a second factor; it asks for nothing until it is confirmed.

    The seed goes into an authenticator (RFC 6238: SHA-1, six digits, 30 seconds). Until it is
    confirmed you may ask for another one.
    """
    return service.set_up(caller(), body)


@second_factor.post("/totp/confirm")
@accepts(body=schemas.CONFIRMATION)
@replies(schemas.RECOVERY_CODES, 200, Conflict, Forbidden, WrongCredentials)
def confirm_totp(body: Body) -> Body:
    """Switch the second factor on with its first code; all other sessions end.

    From now on signing in with the password asks for a code. Write the recovery codes down.
    """
    return service.confirm(caller(), body["code"])


@second_factor.post("/totp/disable")
@accepts(body=schemas.CODE, prepare=check_password)
@replies(None, 204, Conflict, Forbidden, WrongCredentials)
def disable_totp(body: Body) -> None:
    """Switch the second factor off.

    The seed and the recovery codes are forgotten. Who has lost both asks the operator.
    """
    service.disable(caller(), body)


@second_factor.post("/totp/recovery-codes")
@accepts(body=schemas.CODE, prepare=check_password)
@replies(schemas.RECOVERY_CODES, 200, Conflict, Forbidden, WrongCredentials)
def renew_recovery_codes(body: Body) -> Body:
    """Make ten new recovery codes; the old ones work no more.

    For when they are used up, or somebody else may have seen them.
    """
    return service.renew_recovery_codes(caller(), body)
