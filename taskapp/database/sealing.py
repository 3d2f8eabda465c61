"""Secrets at rest that we must be able to read again: sealed with a key made from SECRET_KEY.

A sealed text is `<key id>:<Fernet token>`; the key id says which SECRET_KEY opens it.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from taskapp.extensions import secret_keys


class CannotOpen(Exception):
    """The text was sealed with a key that this service no longer has."""


def seal(text: str) -> str:
    """Seal with today's key."""
    key = secret_keys()[0]
    return f"{key_id(key)}:{_fernet(key).encrypt(text.encode()).decode()}"


def unseal(sealed: str) -> str:
    """Open with today's key, or the previous one.

    Raises:
        CannotOpen
    """
    from cryptography.fernet import InvalidToken

    wanted, _, token = sealed.partition(":")
    for key in secret_keys():
        if key_id(key) == wanted:
            try:
                return str(_fernet(key).decrypt(token).decode())
            except InvalidToken:
                break
    raise CannotOpen


def is_current(sealed: str) -> bool:
    """Whether today's key opens it."""
    return sealed.partition(":")[0] == key_id(secret_keys()[0])


def key_id(key: str) -> str:
    """A name for a key that says nothing about it."""
    return blake2b(key.encode(), digest_size=6, person=b"taskapp-seal-id").hexdigest()


def _fernet(key: str):  # type: ignore[no-untyped-def]  # its class is loaded only when it is needed
    from cryptography.fernet import Fernet  # few requests need it, and it is large

    derived = blake2b(key.encode(), digest_size=32, person=b"taskapp-seal")
    return Fernet(urlsafe_b64encode(derived.digest()))
