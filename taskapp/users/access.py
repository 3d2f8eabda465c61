"""What other rooms may ask about users."""

from typing import Any

import sqlalchemy as sa

from taskapp.database.session import Row, now, one_or_raise, read
from taskapp.errors import NotFound, WrongCredentials
from taskapp.extensions import db
from taskapp.schema import table
from taskapp.users import passwords
from taskapp.users.models import User

USERS = table(User)


class UserNotFound(NotFound):
    """There is no such user here."""


def active() -> sa.Subquery:
    """Users who may sign in, to join with."""
    return sa.select(User.id, User.role).where(User.is_active).subquery()


def profiles() -> sa.Subquery:
    """What members of a project see of each other, to join with."""
    return sa.select(User.id.label("user_id"), User.email, User.name).subquery()


def email_key(email: str) -> str:
    """The form in which addresses are compared."""
    return email.casefold()


def with_email(email: str) -> sa.Result[Any]:
    """The user with this address, if there is one, who may be out."""
    found = sa.select(User.id, User.password_hash, User.is_active)
    return read(found.where(User.email_key == email_key(email)))


def unchanged(user: Row) -> sa.Select[Any]:
    """Finds a user who is still as they were read, and stays so until the transaction ends."""
    return sa.select(USERS.c.id).filter_by(**user._mapping).with_for_update(read=True)


def check_password(user_id: int, password: str) -> None:
    """Refuse unless it is the user's; runs before any transaction, because hashing takes long."""
    hashed = read(sa.select(User.password_hash).where(User.id == user_id)).scalar_one_or_none()
    if not passwords.verify(password, hashed):
        raise WrongCredentials("The current password is not that.")


def set_password(user_id: int, field: str, password: str) -> None:
    """Write a new password, in the caller's transaction."""
    user = one_or_raise(
        read(sa.select(User.email, User.name).where(User.id == user_id)), WrongCredentials
    )
    passwords.refuse_guessable(field, password, user.email, user.name)
    values = {"password_hash": passwords.hash_password(password), "updated_at": now()}
    db.session.execute(sa.update(USERS).where(User.id == user_id).values(values))


def user_id_of(email: str) -> int:
    """The active user with this address, or UserNotFound."""
    found = sa.select(User.id).where(User.email_key == email_key(email), User.is_active)
    return int(one_or_raise(read(found), UserNotFound).id)
