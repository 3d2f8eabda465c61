"""What other rooms may ask about users."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from taskapp.errors import NotFound
from taskapp.extensions import read
from taskapp.users.models import User


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


def sign_in_row(email: str) -> sa.Row[Any] | None:
    found = sa.select(User.id, User.email, User.name, User.password_hash, User.is_active)
    return read(found.where(User.email_key == email_key(email))).one_or_none()


def user_id_of(email: str) -> int:
    """The active user with this address, or UserNotFound."""
    found = sa.select(User.id).where(User.email_key == email_key(email), User.is_active)
    user_id: int | None = read(found).scalar_one_or_none()
    if user_id is None:
        raise UserNotFound
    return user_id
