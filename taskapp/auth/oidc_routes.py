"""The endpoints of signing in at an identity provider."""

from flask import Blueprint, Response, current_app, request

from taskapp import errors
from taskapp.auth import oidc as service
from taskapp.auth import oidc_schemas as schemas
from taskapp.auth import places
from taskapp.auth.routes import sign_in_limit
from taskapp.auth.schemas import TOKEN_PAIR
from taskapp.database.session import Body
from taskapp.web.contract import accepts, public, replies
from taskapp.web.current import client_address
from taskapp.web.people import explains_refusals

oidc = Blueprint("oidc", __name__, url_prefix="/api/v1/auth")
# Its prefix makes browsers keep it to this host and to TLS (RFC 6265bis, section 4.1.3.2).
COOKIE = "__Host-taskapp-sign-in"


@oidc.get("/providers")
@public
@replies(schemas.PROVIDERS)
def list_providers() -> Body:
    """Say how one can sign in here.

    With a password always; at an identity provider where one is set up, by sending the browser to
    `oidc.start`.
    """
    return places.providers()


@oidc.get("/oidc/login")
@public
@explains_refusals
@sign_in_limit
@accepts(query=schemas.OIDC_LOGIN_QUERY)
@replies(None, 303, errors.NotFound, errors.ProviderUnavailable)
def begin_oidc(query: Body) -> Response:
    """Send the browser to the identity provider.

    A cookie binds what comes back to this browser for ten minutes. `next` is where the page goes on
    afterwards: a path of this service.
    """
    goes_on_to = places.address_of(query.get("next"))
    return _redirect(service.begin(places.callback(), goes_on_to))


@oidc.get("/oidc/callback")
@public
@explains_refusals
@sign_in_limit
@accepts(query=schemas.OIDC_CALLBACK_QUERY)
@replies(
    None,
    303,
    errors.NotFound,
    errors.InvalidToken,
    errors.WrongCredentials,
    errors.ProviderUnavailable,
)
def finish_oidc(query: Body) -> Response:
    """Take the browser back from the identity provider.

    It goes on to `next#code=…`, whose code is good once, for a minute, and for this browser. A
    refusal is a page that says how to go on, where the browser asks for HTML.
    """
    with places.alone():
        return _redirect(service.finish(query, request.cookies.get(COOKIE, "")))


@oidc.post("/oidc/token")
@public
@sign_in_limit
@accepts(body=schemas.OIDC_CODE)
@replies(
    TOKEN_PAIR,
    200,
    errors.EmailTaken,
    errors.InvalidToken,
    errors.NotFound,
    errors.RegistrationClosed,
    errors.WrongCredentials,
    once=False,
)
def swap_code(body: Body) -> Body:
    """Swap the code from the address for a session.

    Who comes for the first time gets an account, if registration is open. An account made so has
    no password until one is set.
    """
    cookie = request.cookies.get(COOKIE, "")
    user_agent = request.user_agent.string
    return service.swap(body["code"], cookie, user_agent[:200], client_address())


def _redirect(to: service.Redirect) -> Response:
    """See Other, with the cookie that binds what comes next to this browser."""
    response = current_app.response_class(b"", 303, {"Location": to.location})
    response.set_cookie(
        COOKIE, to.cookie, max_age=to.seconds, secure=True, httponly=True, samesite="Lax"
    )
    return response
