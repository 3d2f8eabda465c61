"""A proxy in front says who is calling, by a header with the e-mail address.

It counts only beside the secret that the proxy alone knows. A browser sends along whatever the
proxy knows it by, on behalf of any site; so a write that another site begins is refused.
"""

import logging
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError

from taskapp.auth import identities, totp, unproved
from taskapp.caller import ADMIN, SCOPES, Caller
from taskapp.database.session import Row, transaction
from taskapp.errors import EmailTaken, Forbidden, TokenRevoked, Unauthorized
from taskapp.extensions import settings
from taskapp.users import access as users
from taskapp.web.current import SAFE_METHODS, Current

SECRET_HEADER = "HTTP_X_PROXY_AUTH_SECRET"  # noqa: S105 - where it stands
log = logging.getLogger(__name__)


class UnknownToProxy(Unauthorized):
    """The proxy names an address that no account here has: ask the person who runs the service."""


def caller_by(environ: dict[str, Any]) -> Caller | None:
    """Whom the proxy vouches for; None where it vouches for nobody.

    Raises:
        Unauthorized: It names several people, nobody that it could be, or somebody unknown here.
        TokenRevoked: The account is disabled.
    """
    header = settings().proxy_auth_header
    if header is None:
        return None
    variable = f"HTTP_{header.upper().replace('-', '_')}"
    email = _text(environ.get(variable, ""), header).strip()
    if not email:
        return None
    if not _is_from_proxy(environ):
        log.warning("%s came without the right X-Proxy-Auth-Secret, and was ignored", header)
        return None
    if "," in email:
        raise Unauthorized(f"{header} came with several values: the proxy must replace it.")
    return _caller(_account(email))


def _text(value: str, header: str) -> str:
    """What proxies write is UTF-8; PEP 3333 hands it on as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        raise Unauthorized(f"{header} is not UTF-8.") from None


def _is_from_proxy(environ: dict[str, Any]) -> bool:
    sent = environ.get(SECRET_HEADER, "")
    expected = str(settings().proxy_auth_secret)
    return compare_digest(sent.encode(), expected.encode())


def _account(email: str) -> Row:
    account = users.account_of_mailbox(email)
    if account is None:
        account = _new_account(email)
    if not account.is_active:
        raise TokenRevoked
    if not account.email_verified:
        _claim(account.id)
    return account


def _new_account(email: str) -> Row:
    if not settings().proxy_auth_create:
        raise UnknownToProxy
    name, _, _ = email.partition("@")
    try:
        with transaction():
            identities.add_account(email, name, email_verified=True)
    except EmailTaken:
        pass  # by another request of theirs, just now, or by who has an address that looks alike
    except ValidationError:
        raise Unauthorized("The proxy names what is no e-mail address.") from None
    account = users.account_of_mailbox(email)
    if account is None:
        raise UnknownToProxy
    return account


def _claim(user_id: int) -> None:
    """Put out whoever made the account without proving its address (`identities.py`)."""
    with transaction():
        if unproved.claim(user_id):
            totp.remove(user_id)


def _caller(account: Row) -> Caller:
    widest = ADMIN if account.role == ADMIN else "write"
    scopes = SCOPES[widest]
    return Caller(account.id, account.role, scopes, None, timezone=account.timezone)


def refuse_foreign_write(current: Current) -> None:
    """Refuse a write that another site begins with what the browser sends along by itself.

    Fetch Metadata says so in today's browsers, Origin in all of them (RFC 6454, section 7).

    Raises:
        Forbidden
    """
    caller = current.caller
    if caller is None or not caller.is_ambient or current.request.method in SAFE_METHODS:
        return
    environ = current.request.environ
    origin = environ.get("HTTP_ORIGIN", "").lower()
    if origin and origin in settings().cors_origins:
        return
    is_foreign = origin not in {"", _own_origin(current)}
    if is_foreign or environ.get("HTTP_SEC_FETCH_SITE") == "cross-site":
        raise Forbidden("Another site began this request: only CORS_ORIGINS may.")


def _own_origin(current: Current) -> str:
    parts = urlsplit(current.base)
    return f"{parts.scheme}://{parts.netloc}".lower()
