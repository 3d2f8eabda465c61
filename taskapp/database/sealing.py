"""Secrets at rest that we must be able to read again: sealed with a key made from SECRET_KEY.

A sealed text is `<key id>:<sealed bytes>`; the key id says which SECRET_KEY opens it. Bytes are
sealed with AES-256-GCM (NIST SP 800-38D), each with a random nonce; what an older version sealed
with Fernet can be opened still.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from secrets import token_bytes

from taskapp.extensions import secret_keys

MARK = b"gcm."  # no token of Fernet begins with it
NONCE_BYTES = 12


class CannotOpen(Exception):
    """The text was sealed with a key that this service no longer has."""


def seal(text: str) -> str:
    """Seal with today's key."""
    key = secret_keys()[0]
    sealed = seal_bytes(_derived(key), text.encode())
    return f"{key_id(key)}:{sealed.decode()}"


def unseal(sealed: str) -> str:
    """Open with today's key, or the previous one.

    Raises:
        CannotOpen
    """
    wanted, _, token = sealed.partition(":")
    for key in secret_keys():
        if key_id(key) == wanted:
            return unseal_bytes(_derived(key), token.encode()).decode()
    raise CannotOpen


def seal_bytes(key: bytes, content: bytes) -> bytes:
    """Seal with a key of 32 bytes; the result is ASCII."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # few requests need it

    nonce = token_bytes(NONCE_BYTES)
    encrypted = AESGCM(key).encrypt(nonce, content, None)
    return MARK + urlsafe_b64encode(nonce + encrypted)


def unseal_bytes(key: bytes, sealed: bytes) -> bytes:
    """Open what `seal_bytes` made with this key.

    Raises:
        CannotOpen
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not sealed.startswith(MARK):
        return _unseal_fernet(key, sealed)
    text = sealed.removeprefix(MARK)
    try:
        raw = urlsafe_b64decode(text)
        if urlsafe_b64encode(raw) != text:  # base64 has several spellings; ours is one
            raise CannotOpen
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        raise CannotOpen from None


def _unseal_fernet(key: bytes, sealed: bytes) -> bytes:
    from cryptography.fernet import Fernet, InvalidToken

    fernet = Fernet(urlsafe_b64encode(key))
    try:
        return fernet.decrypt(sealed)
    except InvalidToken:
        raise CannotOpen from None


def is_current(sealed: str) -> bool:
    """Whether today's key opens it."""
    return sealed.partition(":")[0] == key_id(secret_keys()[0])


def key_id(key: str) -> str:
    """A name for a key that says nothing about it."""
    return blake2b(key.encode(), digest_size=6, person=b"taskapp-seal-id").hexdigest()


def _derived(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=32, person=b"taskapp-seal").digest()
