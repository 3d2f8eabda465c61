"""Signing in at an identity provider: authorization code with PKCE (RFC 7636), state and nonce.

Between its steps a sign-in is kept by the browser, sealed: in a cookie while it is at the provider,
then in a code that only the holder of the cookie can swap for a session. No step but the last
writes anything.
"""

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson

from taskapp.auth import audit, identities, provider, sessions, tickets, tokens
from taskapp.auth.fetch import Deadline, ProviderRefused
from taskapp.auth.provider import Claims
from taskapp.database.sealing import CannotOpen, seal, unseal
from taskapp.database.session import Body
from taskapp.errors import NotFound
from taskapp.extensions import settings
from taskapp.users import access as users

AT_THE_PROVIDER = 600  # seconds
UNTIL_SWAPPED = 60  # seconds
SCOPES = "openid email profile"


class NoProvider(NotFound):
    """No identity provider is set up here."""


class Redirect(NamedTuple):
    """Where the browser goes next, and what its cookie holds for so many seconds."""

    location: str
    cookie: str
    seconds: int


@dataclass(frozen=True)
class Attempt:
    """A sign-in that is under way at the provider."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    goes_on_to: str


def require_provider() -> None:
    """Raises NoProvider."""
    if settings().oidc_issuer is None:
        raise NoProvider


def begin(redirect_uri: str, goes_on_to: str) -> Redirect:
    """Send the browser to the provider.

    Raises:
        NoProvider, ProviderUnavailable
    """
    require_provider()
    places = provider.metadata(Deadline())
    attempt = Attempt(
        state=token_urlsafe(32),
        nonce=token_urlsafe(32),
        verifier=token_urlsafe(48),
        redirect_uri=redirect_uri,
        goes_on_to=goes_on_to,
    )
    parameters = {
        "response_type": "code",
        "client_id": settings().oidc_client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": _challenge(attempt.verifier),
        "code_challenge_method": "S256",
    }
    separator = "&" if "?" in places.authorization else "?"
    location = f"{places.authorization}{separator}{urlencode(parameters)}"
    cookie = _seal("attempt", vars(attempt), AT_THE_PROVIDER)
    return Redirect(location, cookie, AT_THE_PROVIDER)


def finish(query: Mapping[str, str], cookie: str) -> Redirect:
    """The browser comes back from the provider: give it a code for the page.

    Raises:
        NoProvider, ProviderUnavailable
        TicketEnded: It did not begin here, or too long ago.
        ProviderRefused
    """
    require_provider()
    attempt = Attempt(**_open("attempt", cookie))
    if not _same(query.get("state", ""), attempt.state):
        raise tickets.TicketEnded
    issuer = query.get("iss", settings().oidc_issuer)
    if issuer != settings().oidc_issuer:  # RFC 9207
        raise ProviderRefused
    if "code" not in query:
        raise ProviderRefused
    code = query["code"]
    claims = provider.exchange(code, attempt.verifier, attempt.redirect_uri, attempt.nonce)
    secret = token_urlsafe(32)
    content = {"claims": claims._asdict(), "bound_to": tickets.digest(secret)}
    sealed = _seal("code", content, UNTIL_SWAPPED)
    return Redirect(f"{attempt.goes_on_to}#code={quote(sealed)}", secret, UNTIL_SWAPPED)


def swap(code: str, cookie: str, user_agent: str, address: str) -> Body:
    """Begin the session; a code is good once, and for the browser that it was given to.

    Raises:
        NoProvider
        TicketEnded: It is not good any more, or another browser's.
        RegistrationClosed, AddressHasAccount, AccountDisabled
    """
    require_provider()
    content = _open("code", code)
    if not _same(tickets.digest(cookie), content["bound_to"]):
        raise tickets.TicketEnded
    claims = Claims(**content["claims"])
    user_id = identities.user_of(claims)
    users.lock_active(user_id, identities.AccountDisabled)
    tickets.use_once(tickets.PROVIDER, code, user_id)
    session = sessions.begin(user_id, user_agent, address)
    audit.note("signed in at a provider", user_id, session=session.id)
    return tokens.issue(session)


def _challenge(verifier: str) -> str:
    """The S256 of a verifier (RFC 7636, section 4.2)."""
    hashed = hashlib.sha256(verifier.encode())
    encoded = base64.urlsafe_b64encode(hashed.digest())
    return encoded.decode().rstrip("=")


def _same(sent: str, expected: str) -> bool:
    return compare_digest(sent.encode(), expected.encode())


def _seal(kind: str, content: dict[str, Any], seconds: int) -> str:
    """Content that comes back through the browser, good for so many seconds and one purpose."""
    ends = time.time() + seconds
    whole = {"kind": kind, "ends": ends, "content": content}
    return seal(orjson.dumps(whole).decode())


def _open(kind: str, sealed: str) -> dict[str, Any]:
    """Raises TicketEnded."""
    try:
        whole = orjson.loads(unseal(sealed))
    except CannotOpen:
        raise tickets.TicketEnded from None
    if whole["kind"] != kind or whole["ends"] <= time.time():
        raise tickets.TicketEnded
    content: dict[str, Any] = whole["content"]
    return content
