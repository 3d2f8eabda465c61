"""What can be done with users."""

import logging
from typing import Any

import sqlalchemy as sa

from taskapp.caller import acting_as
from taskapp.database.pages import Page, page_by
from taskapp.database.session import (
    Body,
    Precondition,
    Row,
    changed_fields,
    insert_or_raise,
    now,
    one_or_raise,
    read,
)
from taskapp.errors import Conflict, EmailTaken, Invalid, RegistrationClosed
from taskapp.extensions import db, settings
from taskapp.ledger.members import open_project
from taskapp.tasks.leaving import leave_all
from taskapp.users import passwords
from taskapp.users.access import USERS, UserNotFound, check_password, email_key
from taskapp.users.models import User

log = logging.getLogger(__name__)
COLUMNS = [column for column in USERS.c if column.name not in {"email_key", "password_hash"}]


class LastAdmin(Conflict):
    """This is the last active admin; make another one first."""


def list_users(query: Body) -> Page:
    paging, chosen = {**query}, sa.select(*COLUMNS)
    if text := paging.pop("q", None):
        places = (User.email, User.name)
        chosen = chosen.where(sa.or_(*(p.icontains(text, autoescape=True) for p in places)))
    same = {name: paging.pop(name) for name in ("role", "is_active") if name in query}
    return page_by(chosen.filter_by(**same), User.id, **paging)


def get_user(user_id: int) -> Row:
    return one_or_raise(read(sa.select(*COLUMNS).where(User.id == user_id)), UserNotFound)


def register(body: Body) -> Row:
    if settings().registration == "closed":
        raise RegistrationClosed
    return create_user(body)


def create_user(body: Body) -> Row:
    return add_user(**body)


def add_user(email: str, password: str, name: str, **more: Any) -> Row:
    """Insert a user and their inbox, in the caller's transaction."""
    passwords.refuse_guessable("password", password, email, name)
    hashed, at = passwords.hash_password(password), now()
    values = {"role": "user", "is_active": True, **more, "name": name, "password_hash": hashed}
    values |= {"email": email, "email_key": email_key(email), "created_at": at, "updated_at": at}
    user = insert_or_raise(sa.insert(USERS).values(values).returning(*COLUMNS), EmailTaken).one()
    open_project(user.id, "Inbox", inbox_of=user.id)
    return user


def update_me(user_id: int, body: Body, precondition: Precondition) -> Row:
    """Change one's own name, or one's address with the password beside it."""
    password = body.get("current_password")
    body = {name: value for name, value in body.items() if name != "current_password"}
    if "email" in body and password is None:
        raise Invalid.field("current_password", "A new address wants the current password.")
    if password is not None:
        check_password(user_id, password)
    return update_user(user_id, body, precondition)


def update_user(user_id: int, body: Body, precondition: Precondition) -> Row:
    before, last_admin = _locked(user_id)
    precondition(before)
    if not (changed := changed_fields(before, body)):
        return before
    if last_admin and changed.keys() & {"role", "is_active"}:
        raise LastAdmin
    key = {"email_key": email_key(body["email"])} if "email" in body else {}
    written = sa.update(USERS).where(User.id == user_id).values(**body, **key, updated_at=now())
    user = insert_or_raise(written.returning(*COLUMNS), EmailTaken).one()
    if "is_active" in changed:
        event = "user enabled" if user.is_active else "user disabled"
        log.warning(event, extra={"fields": {"account": user_id}})
    return user


def delete_me(user_id: int, password: str, precondition: Precondition) -> None:
    check_password(user_id, password)
    delete_user(user_id, precondition)


def delete_user(user_id: int, precondition: Precondition) -> None:
    """Delete a user, their inbox and the projects that nobody else is in."""
    before, last_admin = _locked(user_id)
    precondition(before)
    if last_admin:
        raise LastAdmin
    leave_all(acting_as(user_id))
    db.session.execute(sa.select(User.id).where(User.id == user_id).with_for_update())
    leave_all(acting_as(user_id))  # what they came into meanwhile; by now they can't any more
    db.session.execute(sa.delete(User).where(User.id == user_id))


def _locked(user_id: int) -> tuple[Row, bool]:
    """The user, and whether it is the last active admin.

    Admins are locked with it, all in the order of their ids, so that two cannot demote each other.
    """
    an_admin = sa.and_(User.role == "admin", User.is_active)
    both = sa.select(*COLUMNS).where(sa.or_(User.id == user_id, an_admin)).order_by(User.id)
    rows = db.session.execute(both.with_for_update(key_share=True)).all()
    user = next((row for row in rows if row.id == user_id), None)
    if user is None:
        raise UserNotFound
    return user, user.role == "admin" and user.is_active and len(rows) == 1
