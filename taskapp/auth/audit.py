"""What the log says of sign-ins: accounts by their id, or by a digest where there is none."""

import logging
from hashlib import blake2b

from taskapp.database.session import Row
from taskapp.extensions import settings

log = logging.getLogger(__name__)


def note(event: str, account: int | str, **fields: int) -> None:
    """Write a line about an account."""
    known: dict[str, int | str] = {"account": account, **fields}
    log.info(event, extra={"fields": known})


def account_of(email_key: str, user: Row | None) -> int | str:
    """The id of an account, or a keyed digest that tells tries of the same address apart."""
    if user is not None:
        return int(user.id)
    secret = settings().secret_key.encode()
    digest = blake2b(email_key.encode(), key=secret[:64], digest_size=8)
    return digest.hexdigest()
