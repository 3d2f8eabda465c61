"""The two JSON Web Tokens of a session (RFC 7519), with PyJWT: the twin of tokens.py.

They are taskapp's tokens: with one SECRET_KEY and one database, each service takes the other's.
"""

import datetime as dt
import time
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import uuid4

import jwt

from lab.twin.auth.schemas import TokenPair
from lab.twin.errors import InvalidToken, TokenExpired
from lab.twin.fields import CANONICAL_INT, INT64
from lab.twin.settings import Settings

OURS = "taskapp"  # both issuer and audience


class Claims(NamedTuple):
    """What an access token says once its signature was checked."""

    user_id: int
    session_id: int
    expires: float


def issue(
    settings: Settings, user_id: int, session_id: int, refresh_jti: str, expires_at: dt.datetime
) -> TokenPair:
    lifetime = dt.timedelta(minutes=settings.access_token_minutes)
    whose = {"sub": str(user_id), "sid": str(session_id)}
    access = _encode(settings, "access", uuid4().hex, _now() + lifetime, whose)
    refresh = _encode(settings, "refresh", refresh_jti, expires_at, whose)
    seconds = int(lifetime.total_seconds())
    pair = {"access_token": access, "refresh_token": refresh}
    return TokenPair(**pair, token_type="Bearer", expires_in=seconds)  # noqa: S106 - a scheme


def check(token: str, settings: Settings) -> Claims:
    """The claims of an access token; the signature of each is checked once per process."""
    claims = _verified(token, settings.secret_key)
    if claims.expires <= time.time():
        raise TokenExpired
    return claims


def _encode(
    settings: Settings, kind: str, jti: str, expires: dt.datetime, whose: dict[str, str]
) -> str:
    at = _now()
    claims = {"type": kind, "jti": jti, "exp": expires, "iat": at, "nbf": at, "fresh": False}
    claims |= {"iss": OURS, "aud": OURS, **whose}
    key = settings.secret_key
    return jwt.encode(claims, key, algorithm="HS256", headers={"kid": _key_id(key)})


@lru_cache(maxsize=4096)
def _verified(token: str, key: str) -> Claims:
    required = ["exp", "sub", "sid", "jti", "type"]
    try:
        payload = jwt.decode(
            token,
            key,
            algorithms=["HS256"],
            audience=OURS,
            issuer=OURS,
            options={"require": required},
        )
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise InvalidToken from None
    if payload["type"] != "access":
        raise InvalidToken
    return Claims(_id(payload["sub"]), _id(payload["sid"]), float(payload["exp"]))


def _id(claim: Any) -> int:
    if not isinstance(claim, str) or not CANONICAL_INT.fullmatch(claim) or int(claim) > INT64:
        raise InvalidToken
    return int(claim)


def _key_id(key: str) -> str:
    """A name for a signing key that says nothing about it (RFC 7515, section 4.1.4)."""
    return blake2b(key.encode(), digest_size=6, person=b"taskapp-kid").hexdigest()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
