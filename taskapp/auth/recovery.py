"""What a mail proves: who reads an address may choose a new password."""

import logging

from taskapp.auth import unproved
from taskapp.caller import Caller
from taskapp.database.session import Body, Row
from taskapp.errors import InvalidToken
from taskapp.mail import service as mail
from taskapp.mail import tokens
from taskapp.users import access as users
from taskapp.users import credentials
from taskapp.users.service import get_user

log = logging.getLogger(__name__)


def ask_for_reset(email: str) -> None:
    """Write down that a reset was asked for.

    Whether there is such an account is looked up when the mail is sent, so the request does the
    same for every address. Three an hour are mailed to an address, and the others forgotten.

    Raises:
        NoMail
    """
    mail.require_mail()
    if mail.within_rate(email):
        mail.queue(tokens.RESET, email, {})


def prepare_reset(body: Body) -> Body:
    """The new password hashed, which takes long; a token that is not good costs nothing.

    Raises:
        NoMail, InvalidToken
        Invalid: The password is guessable.
    """
    mail.require_mail()
    user_id = tokens.holder(tokens.RESET, body["token"])
    hashed = users.hash_new_password(user_id, "password", body["password"])
    return {"token": body["token"], "password_hash": hashed}


def reset_password(prepared: Body) -> None:
    """Change the password by a mailed token; all sessions end, and the address is proved.

    Where nobody had proved it before, tokens and identities end, too. A second factor stays: a
    mailbox alone never stands for it.

    Raises:
        InvalidToken: It was used meanwhile, or the account has another address, or is disabled.
    """
    used = tokens.redeem(tokens.RESET, prepared["token"])
    user_id = int(used.user_id)
    unproved.claim(user_id)
    _prove(used)
    users.set_password(user_id, prepared["password_hash"])
    credentials.end_sessions(user_id)
    log.info("password reset", extra={"fields": {"account": user_id}})


def ask_for_verification(caller: Caller) -> None:
    """Mail a token to the caller's address, unless it is proved already; three an hour.

    Raises:
        NoMail
    """
    mail.require_mail()
    user = get_user(caller.user_id)
    if not user.email_verified and mail.within_rate(user.email, user.id):
        mail.queue(tokens.VERIFICATION, user.email, {}, user_id=user.id)


def verify_address(token: str) -> None:
    """Raises NoMail, InvalidToken."""
    mail.require_mail()
    used = tokens.redeem(tokens.VERIFICATION, token)
    _prove(used)


def _prove(used: Row) -> None:
    if not users.prove_address(used.user_id, used.email_key):
        raise InvalidToken
