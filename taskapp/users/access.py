"""What other rooms may ask about users."""

from typing import Any
from unicodedata import is_normalized

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.session import Row, now, one_or_raise, read
from taskapp.errors import Invalid, NotFound, TokenRevoked, WrongCredentials
from taskapp.extensions import db
from taskapp.schema import table
from taskapp.users import credentials, passwords, throttle
from taskapp.users.credentials import session_of
from taskapp.users.models import User

USERS = table(User)
USER = USERS.c


class UserNotFound(NotFound):
    """There is no such user here."""


class WrongPassword(WrongCredentials):
    """The current password is wrong."""


class SignInAgain(WrongCredentials):
    """This account has no password: sign in again, and do this within five minutes."""


def active() -> sa.Subquery:
    """Users who may sign in, to join with."""
    users = sa.select(USER.id, USER.role, USER.timezone)
    signs_in = users.where(USER.is_active)
    return signs_in.subquery()


def profiles() -> sa.Subquery:
    """What members of a project see of each other, to join with."""
    user_id = USER.id.label("user_id")
    users = sa.select(user_id, USER.email, USER.name)
    return users.subquery()


def email_key(email: str) -> str:
    """The form in which addresses are compared."""
    return email.casefold()


def mailbox_key(email: str) -> str:
    """The form in which it is compared who reads an address, which is finer than `email_key`.

    Addresses compare with more letters alike than case: `ß` is looked for as `ss`, and the Kelvin
    sign as `k`, which a mail server may well tell apart: `straße.example` is another domain than
    `strasse.example`.
    """
    return email.lower()


def is_same_mailbox(one: str, other: str) -> bool:
    """Whether mail to one surely comes to the other, of two addresses that compare alike."""
    return is_normalized("NFC", one) and mailbox_key(one) == mailbox_key(other)


def with_email(email: str) -> sa.Result[Any]:
    """The user with this address, if there is one; they may be disabled."""
    users = sa.select(USER.id, USER.email, USER.password_hash, USER.is_active)
    key = email_key(email)
    return read(users.where(USER.email_key == key))


def account_of_mailbox(email: str) -> Row | None:
    """What a caller needs of the account of exactly this mailbox; it may be disabled."""
    columns = (USER.id, USER.email, USER.role, USER.timezone, USER.is_active, USER.email_verified)
    select = sa.select(*columns).where(USER.email_key == email_key(email))
    account: Row | None = read(select).one_or_none()
    if account is None or not is_same_mailbox(email, account.email):
        return None
    return account


def unchanged(user: Row) -> sa.Select[Any]:
    """Select and lock the user, only if no column changed since it was read."""
    same = sa.select(USER.id).filter_by(**user._mapping)
    return same.with_for_update(read=True)


def renew_hash(user: Row, password_hash: str) -> None:
    """Exchange the hash of the same password, but not while somebody else signs in."""
    same = sa.select(USER.id).filter_by(id=user.id, password_hash=user.password_hash)
    alone = same.with_for_update(skip_locked=True)
    update = sa.update(USERS).where(USER.id.in_(alone))
    db.session.execute(update.values(password_hash=password_hash))


def claim_unproved(user_id: int) -> bool:
    """Give an account to whoever has just proved its address, if nobody had; its password goes."""
    update = sa.update(USERS).filter_by(id=user_id, email_verified=False)
    update = update.values(password_hash="", email_verified=True, updated_at=now())
    result = db.session.execute(update.returning(USER.id))
    return result.one_or_none() is not None


def lock_active(user_id: int, refusal: type[Exception]) -> None:
    """Hold the user's row as it is until the transaction ends.

    Raises:
        refusal: There is no such user, or they may not sign in.
    """
    users = sa.select(USER.id).filter_by(id=user_id, is_active=True)
    locked = db.session.execute(users.with_for_update(read=True))
    one_or_raise(locked, refusal)


def lock_session(caller: Caller) -> Row:
    """Hold the user's row as their session makes or changes credentials; returns id and address.

    Who signs in as this user waits. Whoever ends the user's sessions along with something else, as
    a change of the password does, holds the row, too: so a session that was ended meanwhile makes
    nothing that would outlive it.

    Raises:
        Forbidden: The credential in use is a personal token.
        TokenRevoked: The session has ended since the request was let in.
    """
    session_id = session_of(caller)
    users = sa.select(USER.id, USER.email).where(USER.id == caller.user_id)
    locked = db.session.execute(users.with_for_update(key_share=True))
    user = one_or_raise(locked, TokenRevoked)
    credentials.refuse_ended(session_id)
    return user


def check_password(caller: Caller, password: str | None) -> None:
    """Refuse unless it is the caller's; runs before any transaction, because hashing takes long.

    Raises:
        Forbidden: The credential in use is a personal token.
        Invalid: It is missing.
        WrongCredentials, RateLimited
    """
    counters = throttle.of_session(session_of(caller))
    with throttle.throttled(counters):
        reason = doubt(caller, password)
        if reason is not None:
            raise reason


def doubt(caller: Caller, password: str | None) -> type[WrongCredentials] | None:
    """Why the caller is not known to be the owner of the account; None where they are.

    An account that a provider made has no password until one is set: there it is enough to have
    signed in a moment ago.

    Raises:
        Forbidden: The credential in use is a personal token.
        Invalid: The account has a password, and it is missing.
    """
    session_id = session_of(caller)
    stored = _password_hash(caller.user_id)
    if password is not None:
        return None if passwords.verify(password, stored) else WrongPassword
    if stored:
        raise Invalid.field("current_password", "Missing data for required field.")
    return None if credentials.began_recently(session_id) else SignInAgain


def _password_hash(user_id: int) -> str | None:
    select = sa.select(USER.password_hash).where(USER.id == user_id)
    stored: str | None = read(select).scalar_one_or_none()
    return stored


def hash_new_password(user_id: int, field: str, password: str) -> str:
    """The hash of a user's new password; it takes long, so it comes before any transaction.

    Raises:
        Invalid: The password is guessable.
    """
    names = sa.select(USER.email, USER.name)
    names = names.where(USER.id == user_id)
    user = one_or_raise(read(names), WrongCredentials)
    passwords.refuse_guessable(field, password, user.email, user.name)
    return passwords.hash_password(password)


def set_password(user_id: int, hashed: str) -> None:
    update = sa.update(USERS).where(USER.id == user_id)
    db.session.execute(update.values(password_hash=hashed, updated_at=now()))


def email_of(user_id: int) -> str | None:
    select = sa.select(USER.email).where(USER.id == user_id)
    email: str | None = read(select).scalar_one_or_none()
    return email


def prove_address(user_id: int, mailbox: str) -> bool:
    """Note that the owner of an active account reads its address; whether it is still this one."""
    email = email_of(user_id)
    if email is None or mailbox_key(email) != mailbox:
        return False
    is_it = sa.and_(USER.id == user_id, USER.email == email, USER.is_active)
    values = {"email_verified": True, "updated_at": now()}
    proved = sa.update(USERS).where(is_it).values(values).returning(USER.id)
    return db.session.scalar(proved) is not None


def user_id_of(email: str) -> int:
    """The active user of exactly this mailbox, or UserNotFound."""
    account = account_of_mailbox(email)
    if account is None or not account.is_active:
        raise UserNotFound
    return int(account.id)
