"""The two JSON Web Tokens of a session (RFC 7519): made here, checked here."""

import datetime as dt
import time
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from flask_jwt_extended import create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from taskapp.database.session import Body
from taskapp.errors import InvalidToken, TokenExpired
from taskapp.extensions import jwt, settings
from taskapp.web.fields import CANONICAL_INT, INT64


class Claims(NamedTuple):
    """What a token of ours says once its signature was checked."""

    user_id: int
    session_id: int
    token_id: str
    expires: float


def issue(user_id: int, session_id: int, refresh_jti: str, expires_at: dt.datetime) -> Body:
    """A new pair; the refresh token lives as long as the session, the access token for minutes."""
    lifetime = dt.timedelta(minutes=settings().access_token_minutes)
    subject = str(user_id)
    claims: Body = {"sid": str(session_id)}
    access = create_access_token(subject, expires_delta=lifetime, additional_claims=claims)
    claims |= {"jti": refresh_jti, "exp": expires_at}
    refresh = create_refresh_token(subject, additional_claims=claims)
    return {
        "access_token": access,
        "refresh_token": refresh,
        "token_type": "Bearer",
        "expires_in": int(lifetime.total_seconds()),
    }


def check(token: str, kind: str) -> Claims:
    """The claims of a token of ours; the signature of each is checked once per process."""
    claims = _verified(token, kind, settings().secret_key)
    if claims.expires <= time.time():
        raise TokenExpired
    return claims


@jwt.decode_key_loader
def _key_for(headers: dict[str, Any], _: dict[str, Any]) -> str:
    """The key that signed the token: today's, or the one before while it is being replaced."""
    previous = settings().secret_key_previous
    if previous and headers.get("kid") == key_id(previous):
        return previous
    return settings().secret_key


def key_id(key: str) -> str:
    """A name for a signing key that says nothing about it (RFC 7515, section 4.1.4)."""
    return blake2b(key.encode(), digest_size=6, person=b"taskapp-kid").hexdigest()


@jwt.additional_headers_loader
def _headers(_: str) -> dict[str, str]:
    return {"kid": key_id(settings().secret_key)}


@lru_cache(maxsize=4096)
def _verified(token: str, kind: str, _key: str) -> Claims:
    """`_key` keeps apart what different keys have verified."""
    try:
        payload = decode_token(token)
    except ExpiredSignatureError:
        raise TokenExpired from None
    except (PyJWTError, JWTExtendedException, ValueError, TypeError):
        raise InvalidToken from None
    user_id = _id(payload["sub"])
    session_id = _id(payload.get("sid"))
    if payload["type"] != kind or not payload["jti"] or "exp" not in payload:
        raise InvalidToken
    token_id = str(payload["jti"])
    return Claims(user_id, session_id, token_id, float(payload["exp"]))


def _id(claim: Any) -> int:
    """Claims that hold ids are canonical decimal strings: RFC 7519 wants `sub` to be one."""
    if not isinstance(claim, str) or not CANONICAL_INT.fullmatch(claim) or int(claim) > INT64:
        raise InvalidToken
    return int(claim)
