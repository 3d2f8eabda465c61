"""The account endpoints: registering, signing in and out, sessions, passwords."""

from flask import Blueprint, request

from taskapp import errors
from taskapp.auth import recovery, schemas, service
from taskapp.database.pages import Page
from taskapp.database.session import Body, Row
from taskapp.extensions import limiter
from taskapp.mail.service import NoMail
from taskapp.users import service as accounts
from taskapp.users.schemas import NEW_USER, USER
from taskapp.web.contract import accepts, public, replies
from taskapp.web.current import caller, client_address, current, rate_limit_key
from taskapp.web.fields import PAGE_QUERY
from taskapp.web.rate_limits import registration_rate

auth = Blueprint("auth", __name__, url_prefix="/api/v1/auth")
BAD_REFRESH = (errors.InvalidToken, errors.TokenExpired, errors.TokenReused, errors.TokenRevoked)
SIGN_INS = "60 per minute"
MAILED = "60 per hour"  # an address of the network, whatever the mailboxes
mail_limit = limiter.limit(MAILED, key_func=client_address, override_defaults=False)
sign_in_limit = limiter.limit(SIGN_INS, key_func=rate_limit_key, override_defaults=False)
registration_limit = limiter.limit(
    registration_rate, key_func=client_address, override_defaults=False
)


@auth.post("/register")
@public
@registration_limit
@accepts(body=NEW_USER, prepare=accounts.prepare_registration)
@replies(USER, 201, errors.EmailTaken, errors.RegistrationClosed)
def register(body: Body) -> Row:
    """Make an account.

    Everybody may, unless registration is closed here. The account gets an inbox; sign in next.
    E-mail addresses are compared without case.
    """
    return accounts.add_user(**body)


@auth.post("/login")
@public
@sign_in_limit
@accepts(body=schemas.LOGIN)
@replies(schemas.TOKEN_PAIR, 200, errors.WrongCredentials, errors.SecondFactorRequired, once=False)
def login(body: Body) -> Body:
    """Sign in: begin a session.

    The answer has two tokens: send the access token as `Authorization: Bearer …`, and swap the
    refresh token for the next pair when it has run out. Failed sign-ins are slowed down.
    """
    user_agent = request.user_agent.string
    return service.login(body, user_agent[:200], client_address())


@auth.post("/refresh")
@public
@accepts(body=schemas.REFRESH)
@replies(schemas.TOKEN_PAIR, 200, *BAD_REFRESH, once=False)
def refresh(body: Body) -> Body:
    """Swap the refresh token for a new pair.

    Each refresh token is good once. For 30 seconds the old one is answered with the same pair
    again, so that a lost answer costs nothing; any later reuse ends the session.
    """
    return service.refresh(body["refresh_token"])


@auth.post("/logout")
@replies(None, 204, errors.Forbidden, signs_out=True)
def logout() -> None:
    """End this session, at once; again for one that has ended.

    Its access token and its refresh token are refused from now on.
    """
    service.logout(current().caller)


@auth.get("/sessions")
@accepts(query=PAGE_QUERY)
@replies(schemas.SESSION_PAGE)
def list_sessions(query: Body) -> Page:
    """List your sessions.

    One for each sign-in that has not ended; `current` marks the one in use.
    """
    owner = caller()
    return service.list_sessions(owner.user_id, owner.session_id, query)


@auth.delete("/sessions/<id:session_id>")
@replies(None, 204, errors.Forbidden)
def end_session(session_id: int) -> None:
    """End one of your sessions.

    Its tokens are refused from now on. Only a session may, no personal token.
    """
    service.end_session(caller(), session_id)


@auth.delete("/sessions")
@replies(None, 204, errors.Forbidden)
def end_sessions() -> None:
    """End all your sessions, this one too.

    Sign in again afterwards. Personal tokens stay. Only a session may, no personal token.
    """
    service.end_sessions(caller())


def hash_new_password(body: Body) -> Body:
    """Check and hash before the transaction of the change begins."""
    return service.prepare_password_change(caller(), body)


@auth.post("/password")
@accepts(body=schemas.PASSWORD_CHANGE, prepare=hash_new_password)
@replies(None, 204, errors.Forbidden, errors.WrongCredentials)
def change_password(body: Body) -> None:
    """Change your password; all other sessions end.

    Wants the password as it is now. With `end_tokens: true` personal tokens end, too. Only a
    session may, no personal token.
    """
    service.change_password(caller(), body)


@auth.post("/password/forgot")
@public
@mail_limit
@accepts(body=schemas.FORGOT)
@replies(None, 202, NoMail, once=False)
def forget_password(body: Body) -> None:
    """Have a token mailed that changes a forgotten password.

    The answer is the same whether or not there is such an account. Three mails an hour go to an
    address. It is 404 where no mail is set up.
    """
    recovery.ask_for_reset(body["email"])


@auth.post("/password/reset")
@public
@accepts(body=schemas.RESET, prepare=recovery.prepare_reset)
@replies(None, 204, NoMail, errors.InvalidToken, once=False)
def reset_password(body: Body) -> None:
    """Change a forgotten password by the mailed token.

    The token works once and for an hour; all sessions of the account end.
    """
    recovery.reset_password(body)


@auth.post("/email/verify/send")
@replies(None, 202, NoMail)
def send_verification() -> None:
    """Have a token mailed that proves your address.

    Nothing is mailed where it is proved already. It is 404 where no mail is set up.
    """
    recovery.ask_for_verification(caller())


@auth.post("/email/verify")
@public
@accepts(body=schemas.VERIFICATION)
@replies(None, 204, NoMail, errors.InvalidToken, once=False)
def verify_email(body: Body) -> None:
    """Prove your address by the mailed token.

    Whoever has the mail may do it, signed in or not: `email_verified` of the account is true then.
    """
    recovery.verify_address(body["token"])


@auth.get("/token")
@replies(schemas.CREDENTIAL)
def get_token() -> Body:
    """Tell what the credential in use is.

    Whether it is a session or a personal token, whose it is, what it may do, and until when.
    """
    return caller().describe()
