"""What the guard may ask of personal tokens: which one a secret is, and what a scope includes."""

from hashlib import blake2b

import sqlalchemy as sa

from taskapp.extensions import Row, read, table
from taskapp.personal_tokens.models import PersonalToken
from taskapp.users import access as users

PREFIX = "tsk_"  # of personal tokens, so that scanners of public code can tell them
SCOPES = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write"}),
    "admin": frozenset({"read", "write", "admin"}),
    "feed": frozenset({"feed"}),
}
_active = users.active()
_TOKEN = (
    sa.select(*table(PersonalToken).c, _active.c.role)
    .outerjoin(_active, PersonalToken.user_id == _active.c.id)
    .where(PersonalToken.digest == sa.bindparam("digest"))
)


def find(secret: str) -> Row | None:
    """The token, ended ones too, with the role of its user, or None as role of one who is out."""
    return read(_TOKEN, {"digest": digest(secret)}).one_or_none()


def digest(secret: str) -> str:
    """What is kept of a personal token."""
    return blake2b(secret.encode(), digest_size=32, person=b"taskapp-token").hexdigest()
