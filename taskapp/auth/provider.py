"""The identity provider (OpenID Connect Core 1.0): where it is, its keys, and what it vouches for.

What it publishes is kept by each worker: its addresses for an hour, its keys until a token names
one that is not among them, for which they are fetched once a minute at most.
"""

import base64
import time
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlsplit

import jwt
from jwt import PyJWK, PyJWKSet

from taskapp.auth import fetch
from taskapp.auth.fetch import Deadline, Document, ProviderRefused
from taskapp.errors import ProviderUnavailable
from taskapp.extensions import settings

DISCOVERY = "/.well-known/openid-configuration"
KEEP_ADDRESSES = 3600.0  # seconds
FETCH_KEYS_EVERY = 60.0  # seconds
CLOCKS_DIFFER = 60  # seconds
# Signatures that only the provider can make: none that both sides share a key for.
ALGORITHMS = [*("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "ES256", "ES384", "ES512"]
ALGORITHMS += ["EdDSA"]
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nonce"]
MOST_SUBJECT = 255  # characters (section 2)


class Metadata(NamedTuple):
    """Where the provider is (OpenID Connect Discovery 1.0)."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    takes_basic: bool  # else the secret goes into the form


class Claims(NamedTuple):
    """Who signed in, as the provider says."""

    issuer: str
    subject: str
    email: str
    email_verified: bool
    name: str


@dataclass
class _Known:
    """What one provider has published, and when it was fetched (monotonic seconds)."""

    metadata: Metadata | None = None
    metadata_at: float = 0.0
    keys: dict[str, PyJWK] = field(default_factory=dict)
    keys_at: float | None = None


KNOWN: dict[str, _Known] = {}  # by issuer; of this worker


def metadata(deadline: Deadline) -> Metadata:
    """Where the provider is.

    Raises:
        ProviderUnavailable
    """
    issuer = _issuer()
    known = KNOWN.setdefault(issuer, _Known())
    age = time.monotonic() - known.metadata_at
    if known.metadata is None or age > KEEP_ADDRESSES:
        document = fetch.get(issuer.rstrip("/") + DISCOVERY, deadline)
        known.metadata = _metadata_of(document, issuer)
        known.metadata_at = time.monotonic()
    return known.metadata


def _metadata_of(document: Document, issuer: str) -> Metadata:
    if document.get("issuer") != issuer:
        raise ProviderUnavailable("The identity provider says that it is another one.")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    userinfo = ""
    if "userinfo_endpoint" in document:
        userinfo = _endpoint(document, "userinfo_endpoint")
    return Metadata(
        _endpoint(document, "authorization_endpoint"),
        _endpoint(document, "token_endpoint"),
        _endpoint(document, "jwks_uri"),
        userinfo,
        "client_secret_basic" in methods,
    )


def _endpoint(document: Document, name: str) -> str:
    """An address of the provider; none without TLS, unless the provider itself has none."""
    address = document.get(name)
    schemes = {"https", urlsplit(_issuer()).scheme}
    if not isinstance(address, str) or urlsplit(address).scheme not in schemes:
        raise ProviderUnavailable(f"The identity provider has no usable {name}.")
    return address


def exchange(code: str, verifier: str, redirect_uri: str, nonce: str) -> Claims:
    """Swap the code of the browser for what the provider vouches for.

    Raises:
        ProviderUnavailable
        ProviderRefused: The code, or what it was swapped for, is not good.
    """
    deadline = Deadline()
    places = metadata(deadline)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    headers = _credentials(places, form)
    answer = fetch.post(places.token, deadline, form, headers)
    claims = _verified(answer.get("id_token"), nonce, deadline)
    if "email" not in claims and places.userinfo:
        claims = _with_userinfo(claims, answer.get("access_token"), places, deadline)
    return _claims_of(claims)


def _credentials(places: Metadata, form: dict[str, str]) -> dict[str, str]:
    """Name and secret of this service, in a header or in the form (RFC 6749, section 2.3.1)."""
    name, secret = str(settings().oidc_client_id), str(settings().oidc_client_secret)
    if not places.takes_basic:
        form |= {"client_id": name, "client_secret": secret}
        return {}
    pair = f"{quote_plus(name)}:{quote_plus(secret)}"
    encoded = base64.b64encode(pair.encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def _verified(id_token: Any, nonce: str, deadline: Deadline) -> Document:
    """The claims of an ID token, all of them checked (section 3.1.3.7)."""
    if not isinstance(id_token, str):
        raise ProviderRefused
    client_id = settings().oidc_client_id
    try:
        header = jwt.get_unverified_header(id_token)
        key = _key(header.get("kid"), deadline)
        claims: Document = jwt.decode(
            id_token,
            key.key,
            algorithms=ALGORITHMS,
            audience=client_id,
            issuer=_issuer(),
            leeway=CLOCKS_DIFFER,
            options={"require": REQUIRED},
        )
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        fetch.log.warning("an ID token is not good: %s", error)
        raise ProviderRefused from error
    is_for_us = claims.get("azp", client_id) == client_id
    if not is_for_us or not _same(claims["nonce"], nonce):
        raise ProviderRefused
    return claims


def _same(sent: Any, expected: str) -> bool:
    return isinstance(sent, str) and compare_digest(sent.encode(), expected.encode())


def _key(key_id: str | None, deadline: Deadline) -> PyJWK:
    known = KNOWN[_issuer()]
    name = key_id or ""
    if name not in known.keys and _may_fetch_keys(known):
        document = fetch.get(metadata(deadline).keys, deadline)
        known.keys_at = time.monotonic()
        known.keys = _keys_of(document)
    if name not in known.keys:
        raise jwt.InvalidKeyError("it is signed with a key that the provider does not publish")
    return known.keys[name]


def _may_fetch_keys(known: _Known) -> bool:
    if known.keys_at is None:
        return True
    return time.monotonic() - known.keys_at >= FETCH_KEYS_EVERY


def _keys_of(document: Document) -> dict[str, PyJWK]:
    """The keys by their ids; a single one is also good for tokens that name none."""
    keys = PyJWKSet.from_dict(document).keys
    by_id = {key.key_id: key for key in keys if key.key_id}
    if len(keys) == 1:
        by_id[""] = keys[0]
    return by_id


def _with_userinfo(
    claims: Document, access_token: Any, places: Metadata, deadline: Deadline
) -> Document:
    """The claims and those that the provider tells only when asked (section 5.3.2)."""
    more = fetch.get(places.userinfo, deadline, token=str(access_token))
    if more.get("sub") != claims["sub"]:
        raise ProviderRefused
    return {**more, **claims}


def _claims_of(claims: Document) -> Claims:
    email = claims.get("email")
    subject = claims["sub"]
    if not subject or len(subject) > MOST_SUBJECT:
        raise ProviderRefused
    if not isinstance(email, str):
        raise ProviderRefused("The identity provider names no e-mail address for you.")
    name = claims.get("name") or claims.get("preferred_username") or email.partition("@")[0]
    verified = claims.get("email_verified") is True
    return Claims(_issuer(), subject, email, verified, str(name))


def _issuer() -> str:
    return str(settings().oidc_issuer)
