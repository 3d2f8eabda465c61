"""Sessions, one for each sign-in; second factors; who is who at an identity provider."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from taskapp.schema import Base, part_of


class Session(Base):
    """A sign-in, ended by its owner, by reuse of a refresh token, or by time."""

    __tablename__ = "sessions"
    __table_args__ = (
        sa.Index(None, "user_id", "id"),
        {"sqlite_autoincrement": True},  # an ended session's id must never come back
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = part_of("users.id")
    nonce: Mapped[str] = mapped_column(server_default="")  # its tokens name it: ids may come again
    refresh_jti: Mapped[str]  # of the one refresh token that is still good
    previous_jti: Mapped[str | None]  # of the one before, which is answered again for a moment
    user_agent: Mapped[str]
    address: Mapped[str]  # where it began: a place from which this account was signed in
    created_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime]  # when its tokens were made
    expires_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]


class SecondFactor(Base):
    """A seed that an account shares with somebody's authenticator (RFC 6238)."""

    __tablename__ = "second_factors"

    user_id: Mapped[int] = part_of("users.id", primary_key=True, autoincrement=False)
    sealed_seed: Mapped[str]
    last_step: Mapped[int]  # of the newest code that was used: each works once
    created_at: Mapped[dt.datetime]
    confirmed_at: Mapped[dt.datetime | None]  # none: it was set up, and asks for nothing yet


class RecoveryCode(Base):
    """What signs in once in place of a code; a used one is remembered."""

    __tablename__ = "recovery_codes"
    __table_args__ = (sa.Index(None, "user_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = part_of("users.id")
    digest: Mapped[str]
    used_at: Mapped[dt.datetime | None]


class SignInTicket(Base):
    """A sign-in whose second step is still to come; only digests of its secrets are kept."""

    __tablename__ = "sign_in_tickets"
    __table_args__ = (sa.Index(None, "user_id"), sa.Index(None, "expires_at"))

    digest: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]  # tickets.Purpose
    user_id: Mapped[int] = part_of("users.id")
    bound_to: Mapped[str]
    tries: Mapped[int]
    expires_at: Mapped[dt.datetime]


class Identity(Base):
    """Who somebody is at an identity provider, and which account that is here."""

    __tablename__ = "identities"
    __table_args__ = (
        sa.UniqueConstraint("issuer", "subject"),
        sa.Index(None, "user_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = part_of("users.id")
    issuer: Mapped[str]
    subject: Mapped[str]
    created_at: Mapped[dt.datetime]
