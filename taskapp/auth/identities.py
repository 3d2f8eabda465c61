"""Accounts of people whom somebody else vouches for: an identity provider, or a proxy."""

import sqlalchemy as sa

from taskapp.auth import audit, totp, unproved
from taskapp.auth.models import Identity
from taskapp.auth.provider import Claims
from taskapp.database.session import Row, insert_or_raise, now, one_or_raise, read
from taskapp.errors import EmailTaken, RegistrationClosed, WrongCredentials
from taskapp.extensions import db, settings
from taskapp.schema import table
from taskapp.users import access as users
from taskapp.users import schemas, service

IDENTITIES = table(Identity)
IDENTITY = IDENTITIES.c
NO_PASSWORD = ""


class AccountDisabled(WrongCredentials):
    """This account was disabled: ask the person who runs the service."""


class AddressHasAccount(EmailTaken):
    """An account has your e-mail address, and the provider may not open it: use its password."""


class SignedInMeanwhile(EmailTaken):
    """You have just signed in elsewhere for the first time: begin this sign-in again."""


def user_of(claims: Claims) -> int:
    """The account of whoever the provider vouches for; a new one as REGISTRATION says.

    Raises:
        RegistrationClosed
        AddressHasAccount: There is one with this address that the provider may not open.
        ValidationError: The address is none, or the name is too long.
    """
    known = _known_user(claims)
    if known is not None:
        return known
    user = users.with_email(claims.email).one_or_none()
    user_id = _add(claims) if user is None else _join(claims, user)
    values = {
        "user_id": user_id,
        "issuer": claims.issuer,
        "subject": claims.subject,
        "created_at": now(),
    }
    insert = sa.insert(IDENTITIES).values(values)
    insert_or_raise(insert, SignedInMeanwhile)
    return user_id


def _known_user(claims: Claims) -> int | None:
    """An identity is issuer and subject; addresses change hands (section 5.7)."""
    select = sa.select(IDENTITY.user_id)
    select = select.filter_by(issuer=claims.issuer, subject=claims.subject)
    user_id: int | None = read(select).scalar_one_or_none()
    return user_id


def _add(claims: Claims) -> int:
    if settings().registration == "closed":
        raise RegistrationClosed
    return add_account(claims.email, claims.name, email_verified=claims.email_verified)


def add_account(email: str, name: str, *, email_verified: bool) -> int:
    """An account that has no password until one is set.

    Raises:
        EmailTaken
        ValidationError: The address is none, or the name is too long.
    """
    sent = {"email": email, "name": name}
    body = schemas.NEW_USER.load(sent, partial=True)
    user = service.add_user(**body, password_hash=NO_PASSWORD, email_verified=email_verified)
    audit.note("account created by a provider", user.id)
    return int(user.id)


def _join(claims: Claims, user: Row) -> int:
    """Give the account to the holder of its address, if the operator trusts the provider so far.

    Whoever made it without proving the address is out: they may have prepared it for its holder.
    """
    if not settings().oidc_link_by_email or not claims.email_verified:
        raise AddressHasAccount
    if not users.is_same_mailbox(claims.email, user.email):
        raise AddressHasAccount
    locked = db.session.execute(users.unchanged(user))
    one_or_raise(locked, AddressHasAccount)
    if unproved.claim(user.id):
        totp.remove(user.id)
    audit.note("account joined to a provider", user.id)
    return int(user.id)
