"""What can be done with users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from taskapp.auth import passwords
from taskapp.errors import Conflict, EmailTaken, Invalid, WrongCredentials
from taskapp.extensions import db, now, read, table
from taskapp.pages import Page, page_by
from taskapp.projects import service as projects
from taskapp.projects.access import Actor
from taskapp.users.access import UserNotFound, email_key
from taskapp.users.models import User

USERS = table(User)
COLUMNS = (
    User.id,
    User.email,
    User.name,
    User.role,
    User.is_active,
    User.created_at,
    User.updated_at,
)
Expect = Callable[[sa.Row[Any]], None]


class LastAdmin(Conflict):
    """This is the last active admin; make another one first."""


def list_users(query: dict[str, Any]) -> Page:
    query = dict(query)
    chosen: sa.Select[*tuple[Any, ...]] = sa.select(*COLUMNS)
    if text := query.pop("q", None):
        either = User.email.icontains(text, autoescape=True) | User.name.icontains(
            text, autoescape=True
        )
        chosen = chosen.where(either)
    for name in ("role", "is_active"):
        if name in query:
            chosen = chosen.where(USERS.c[name] == query.pop(name))
    return page_by(chosen, User.id, **query)


def get_user(user_id: int) -> sa.Row[Any]:
    user = read(sa.select(*COLUMNS).where(User.id == user_id)).one_or_none()
    if user is None:
        raise UserNotFound
    return user


def create_user(body: dict[str, Any]) -> sa.Row[Any]:
    user = add_user(**body)
    db.session.commit()
    return user


def add_user(
    email: str, password: str, name: str, role: str = "user", is_active: bool = True
) -> sa.Row[Any]:
    """Insert a user and their inbox, in the caller's transaction."""
    passwords.refuse_guessable("password", password, email, name)
    hashed, at = passwords.hash_password(password), now()
    values: dict[str, Any] = {
        "email": email,
        "email_key": email_key(email),
        "name": name,
        "role": role,
    }
    values |= {"is_active": is_active, "password_hash": hashed, "created_at": at, "updated_at": at}
    user = _unique(sa.insert(USERS).values(values).returning(*COLUMNS)).one()
    projects.open_inbox(user.id)
    return user


def update_me(user_id: int, body: dict[str, Any], expect: Expect) -> sa.Row[Any]:
    """Change one's own name, or one's address with the password beside it."""
    changes = dict(body)
    password = changes.pop("current_password", None)
    if "email" in changes:
        if password is None:
            raise Invalid.field("current_password", "A new address wants the current password.")
        check_password(user_id, password)
    return update_user(user_id, changes, expect)


def update_user(user_id: int, body: dict[str, Any], expect: Expect) -> sa.Row[Any]:
    before, last_admin = _locked(user_id)
    expect(before)
    changes = {name: new for name, new in body.items() if before._mapping[name] != new}
    if not changes:
        db.session.rollback()
        return before
    if last_admin and changes.keys() & {"role", "is_active"}:
        raise LastAdmin
    if "email" in changes:
        changes["email_key"] = email_key(changes["email"])
    written = sa.update(USERS).where(User.id == user_id).values(**changes, updated_at=now())
    user = _unique(written.returning(*COLUMNS)).one()
    db.session.commit()
    return user


def delete_me(user_id: int, password: str, expect: Expect) -> None:
    check_password(user_id, password)
    delete_user(user_id, expect)


def delete_user(user_id: int, expect: Expect) -> None:
    """Delete a user, their inbox and the projects that nobody else is in."""
    before, last_admin = _locked(user_id)
    expect(before)
    if last_admin:
        raise LastAdmin
    projects.leave_all(Actor(user_id))
    db.session.execute(sa.delete(User).where(User.id == user_id))
    db.session.commit()


def check_password(user_id: int, password: str) -> None:
    """Refuse unless it is the user's; runs before any transaction, because hashing takes long."""
    hashed = read(sa.select(User.password_hash).where(User.id == user_id)).scalar_one_or_none()
    if not passwords.verify(password, hashed):
        raise WrongCredentials("The current password is not that.")


def set_password(user_id: int, field: str, password: str) -> None:
    """Write a new password, in the caller's transaction."""
    user = get_user(user_id)
    passwords.refuse_guessable(field, password, user.email, user.name)
    hashed = passwords.hash_password(password)
    db.session.execute(
        sa.update(USERS).where(User.id == user_id).values(password_hash=hashed, updated_at=now())
    )


def _locked(user_id: int) -> tuple[sa.Row[*tuple[Any, ...]], bool]:
    """The user, and whether it is the last active admin.

    Admins are locked with it, all in the order of their ids, so that two cannot demote each other.
    """
    an_admin = sa.and_(User.role == "admin", User.is_active)
    rows = db.session.execute(
        sa.select(*COLUMNS)
        .where(sa.or_(User.id == user_id, an_admin))
        .order_by(User.id)
        .with_for_update()
    ).all()
    user = next((row for row in rows if row.id == user_id), None)
    if user is None:
        raise UserNotFound
    is_admin = user.role == "admin" and user.is_active
    return user, is_admin and len(rows) == 1


def _unique(statement: Any) -> sa.Result[Any]:
    try:
        return db.session.execute(statement)
    except IntegrityError as error:
        raise EmailTaken from error
