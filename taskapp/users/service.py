"""What can be done with users."""

import logging
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller, acting_as
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
from taskapp.errors import Conflict, EmailTaken, RegistrationClosed
from taskapp.extensions import db, settings
from taskapp.ledger.access import PROJECTS
from taskapp.ledger.members import open_project
from taskapp.mail.service import queue, within_rate
from taskapp.mail.tokens import forget as forget_tokens
from taskapp.tasks.leaving import leave_all, lock_all
from taskapp.users import credentials, notifications, passwords
from taskapp.users.access import USERS, UserNotFound, check_password, email_key, is_same_mailbox
from taskapp.users.models import User

log = logging.getLogger(__name__)
HIDDEN = {"email_key", "password_hash", "project_count", "token_count", "attachment_bytes"}
HIDDEN |= {"next_digest_at"}
_INBOX = sa.select(PROJECTS.c.id).where(PROJECTS.c.inbox_of == USERS.c.id)
COLUMNS = [
    *(column for column in USERS.c if column.name not in HIDDEN),
    _INBOX.correlate(USERS).scalar_subquery().label("inbox_id"),
]

ADDRESS_CHANGED = """\
The e-mail address of the account of {name} was changed from {old} to {new}.

If it was not you, ask the operator of this service for help: whoever did it knows your password.
"""


class LastAdmin(Conflict):
    """This is the last active admin; make another one first."""


def list_users(query: Body) -> Page:
    paging = dict(query)
    users = sa.select(*COLUMNS)
    if "q" in paging:
        text = paging.pop("q")
        in_email = USERS.c.email.icontains(text, autoescape=True)
        in_name = USERS.c.name.icontains(text, autoescape=True)
        users = users.where(sa.or_(in_email, in_name))
    for name in ("role", "is_active"):
        if name in paging:
            users = users.where(USERS.c[name] == paging.pop(name))
    return page_by(users, User.id, **paging)


def get_user(user_id: int) -> Row:
    """Raises UserNotFound."""
    user = sa.select(*COLUMNS).where(USERS.c.id == user_id)
    result = read(user)
    return one_or_raise(result, UserNotFound)


def prepare_registration(body: Body) -> Body:
    """A new account whose password is hashed.

    Raises:
        RegistrationClosed
        Invalid: The password is guessable.
    """
    if settings().registration == "closed":
        raise RegistrationClosed
    return _with_hash(body)


def prepare_account(body: Body) -> Body:
    """The same for an account that an admin or the operator makes: its address counts as proved.

    Raises:
        Invalid: The password is guessable.
    """
    prepared = _with_hash(body)
    prepared.setdefault("email_verified", True)
    return prepared


def _with_hash(body: Body) -> Body:
    """Hashing takes long, so it comes before any transaction."""
    prepared = dict(body)
    password = prepared.pop("password")
    passwords.refuse_guessable("password", password, body["email"], body["name"])
    prepared["password_hash"] = passwords.hash_password(password)
    return prepared


def add_user(email: str, name: str, password_hash: str, **more: Any) -> Row:
    """Insert a prepared account and its inbox.

    Raises:
        EmailTaken
    """
    at = now()
    values = {
        "email": email,
        "email_key": email_key(email),
        "password_hash": password_hash,
        "name": name,
        "role": "user",
        "is_active": True,
        "email_verified": False,
        "timezone": "UTC",
        "created_at": at,
        "updated_at": at,
        **more,
    }
    inserted = sa.insert(USERS).values(values)
    result = insert_or_raise(inserted.returning(USERS.c.id), EmailTaken)
    user_id = result.scalar_one()
    open_project(user_id, "Inbox", inbox_of=user_id)
    user = sa.select(*COLUMNS).where(USERS.c.id == user_id)
    return db.session.execute(user).one()


def update_me(caller: Caller, body: Body, precondition: Precondition) -> Row:
    """Change one's own name, or one's address with the password beside it.

    Raises:
        Forbidden: A personal token cannot change the address.
        TokenRevoked: The session has ended meanwhile.
        WrongCredentials, RateLimited, StaleRevision, EmailTaken
    """
    changes = dict(body)
    password = changes.pop("current_password", None)
    if "email" in changes or password is not None:
        check_password(caller, password)
        precondition = _while_signed_in(caller, precondition)
    return update_user(caller.user_id, changes, precondition)


def update_user(user_id: int, body: Body, precondition: Precondition) -> Row:
    """Change the fields that are sent.

    Raises:
        UserNotFound, StaleRevision, EmailTaken, LastAdmin
    """
    before, last_admin = _locked(user_id)
    precondition(before)
    body = notifications.merged(before, body)
    changed = changed_fields(before, body)
    if not changed:
        return before
    if last_admin and changed.keys() & {"role", "is_active"}:
        raise LastAdmin
    values = {**body, "updated_at": now()}
    values |= notifications.digest_columns(before, body)
    if "email" in body:
        values["email_key"] = email_key(body["email"])
        values = _unproved(before, body["email"]) | values
    update = sa.update(USERS).where(USERS.c.id == user_id)
    update = update.values(values)
    insert_or_raise(update, EmailTaken)
    # SQLite's RETURNING takes the inbox of another user: it looks it up once, before the row.
    user = db.session.execute(sa.select(*COLUMNS).where(USERS.c.id == user_id)).one()
    if "is_active" in changed:
        if not user.is_active:
            credentials.end_sessions(user_id)
            credentials.end_tokens(user_id)
        event = "user enabled" if user.is_active else "user disabled"
        log.warning(event, extra={"fields": {"account": user_id}})
    return user


def _unproved(before: Row, address: str) -> Body:
    """A changed address is unproved, and the old one is told, however often if it was proved."""
    if is_same_mailbox(before.email, address):
        return {}
    forget_tokens(before.id)
    if before.email_verified or within_rate(before.email, before.id):
        text = ADDRESS_CHANGED.format(name=before.name, old=before.email, new=address)
        data = {"subject": "Your address was changed", "text": text}
        queue("email-changed", before.email, data, user_id=before.id)
    return {"email_verified": False}


def delete_me(caller: Caller, password: str | None, precondition: Precondition) -> None:
    """Delete oneself, with the password beside it.

    Raises:
        Forbidden, Invalid, TokenRevoked, WrongCredentials, RateLimited
        StaleRevision, LastAdmin, LastOwner
    """
    check_password(caller, password)
    delete_user(caller.user_id, _while_signed_in(caller, precondition))


def _while_signed_in(caller: Caller, precondition: Precondition) -> Precondition:
    """The precondition, which refuses a session, too, that was ended before the user was locked.

    The password was checked before that, and may have changed meanwhile.
    """
    session_id = credentials.session_of(caller)

    def both(row: Row | None) -> None:
        credentials.refuse_ended(session_id)
        precondition(row)

    return both


def delete_user(user_id: int, precondition: Precondition) -> None:
    """Delete a user, their inbox and the projects that nobody else is in."""
    user = acting_as(user_id)
    lock_all(user)  # as in every write, projects are locked before people
    before, last_admin = _locked(user_id, to_delete=True)
    precondition(before)
    if last_admin:
        raise LastAdmin
    leave_all(user)  # also what they came into until their row was locked
    db.session.execute(sa.delete(USERS).where(USERS.c.id == user_id))


def _locked(user_id: int, *, to_delete: bool = False) -> tuple[Row, bool]:
    """The user, and whether it is the last active admin; to be deleted, nobody may refer to it.

    With an admin all of them are locked, in the order of their ids, so that two cannot demote each
    other.
    """
    active_admin = sa.and_(USERS.c.role == "admin", USERS.c.is_active)
    as_admin = sa.select(USERS.c.id).where(USERS.c.id == user_id, active_admin)
    other_admin = sa.and_(active_admin, as_admin.correlate(None).exists())
    either = sa.select(*COLUMNS).where(sa.or_(USERS.c.id == user_id, other_admin))
    ordered = either.order_by(USERS.c.id)
    rows = db.session.execute(ordered.with_for_update(key_share=not to_delete)).all()
    for user in rows:
        if user.id == user_id:
            is_admin = user.role == "admin" and user.is_active
            return user, is_admin and len(rows) == 1
    raise UserNotFound
