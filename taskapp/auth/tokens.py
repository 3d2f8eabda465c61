"""The two JSON Web Tokens of a session (RFC 7519): made here, checked here."""

import datetime as dt
import time
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from flask_jwt_extended import create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import decode
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from taskapp.database.session import Body, Row, now
from taskapp.errors import InvalidToken, TokenExpired
from taskapp.extensions import jwt, settings
from taskapp.web.fields import CANONICAL_INT, INT64


class Claims(NamedTuple):
    """What a token of ours says once its signature was checked."""

    user_id: int
    session_id: int
    nonce: str
    token_id: str
    expires: float


def issue(session: Row) -> Body:
    """The pair of a session; the same row makes the same pair.

    The refresh token lives as long as the session, the access token for minutes.
    """
    issued_at: dt.datetime = session.last_used_at
    minutes = settings().access_token_minutes
    access_ends = min(issued_at + dt.timedelta(minutes=minutes), session.expires_at)
    left = access_ends - now()
    seconds = round(left.total_seconds())
    common = {"sid": str(session.id), "nonce": session.nonce, "iat": issued_at, "nbf": issued_at}
    access_jti = _derived_id(session.refresh_jti)
    access = {**common, "jti": access_jti, "exp": access_ends}
    refresh = {**common, "jti": session.refresh_jti, "exp": session.expires_at}
    subject = str(session.user_id)
    access_token = create_access_token(subject, additional_claims=access)
    refresh_token = create_refresh_token(subject, additional_claims=refresh)
    return {
        "access_token": access_token,
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": max(1, seconds),
    }


def _derived_id(refresh_jti: str) -> str:
    """The id of the access token that belongs to a refresh token."""
    digest = blake2b(refresh_jti.encode(), digest_size=16, person=b"taskapp-access")
    return digest.hexdigest()


def check(token: str, kind: str) -> Claims:
    """The claims of a token of ours; the signature of each is checked once per process."""
    key = settings().secret_key
    claims = _verified(token, kind, key)
    if claims.expires <= time.time():
        raise TokenExpired
    return claims


@jwt.decode_key_loader
def _key_for(headers: dict[str, Any], _: dict[str, Any]) -> str:
    """The key that signed the token: today's, or the one before while it is being replaced."""
    previous = settings().secret_key_previous
    kid = headers.get("kid")
    if previous and kid == key_id(previous):
        return previous
    return settings().secret_key


def key_id(key: str) -> str:
    """A name for a signing key that says nothing about it (RFC 7515, section 4.1.4)."""
    digest = blake2b(key.encode(), digest_size=6, person=b"taskapp-kid")
    return digest.hexdigest()


@jwt.additional_headers_loader
def _headers(_: str) -> dict[str, str]:
    key = settings().secret_key
    return {"kid": key_id(key)}


@lru_cache(maxsize=4096)
def _verified(token: str, kind: str, _key: str) -> Claims:
    """`_key` keeps apart what different keys have verified."""
    try:
        payload = decode_token(token)
    except ExpiredSignatureError:
        raise TokenExpired from None
    except (PyJWTError, JWTExtendedException, ValueError, TypeError):
        raise InvalidToken from None
    if _type_of(token) != kind or not payload["jti"] or "exp" not in payload:
        raise InvalidToken
    user_id = _id(payload["sub"])
    session_id = _id(payload.get("sid"))
    nonce = str(payload.get("nonce", ""))
    token_id = str(payload["jti"])
    expires = float(payload["exp"])
    return Claims(user_id, session_id, nonce, token_id, expires)


def _type_of(token: str) -> Any:
    """The token's own word for it: the extension takes one that has none for an access token."""
    payload = decode(token, options={"verify_signature": False})  # it was verified just now
    return payload.get("type")


def _id(claim: Any) -> int:
    """Claims that hold ids are canonical decimal strings: RFC 7519 wants `sub` to be one."""
    if not isinstance(claim, str) or not CANONICAL_INT.fullmatch(claim):
        raise InvalidToken
    number = int(claim)
    if number > INT64:
        raise InvalidToken
    return number
