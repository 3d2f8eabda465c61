"""What mails say: plain text, made when a mail is sent, of what is true by then."""

import email.policy
from collections.abc import Callable
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlsplit

from taskapp.courier import notice_letters
from taskapp.database.session import Row, read, transaction
from taskapp.extensions import settings
from taskapp.mail import tokens
from taskapp.projects import invitations
from taskapp.users import access as users

LONGEST_LINE = 900  # octets; RFC 5321, section 4.5.3.1.6 allows 998
POLICY = email.policy.SMTP.clone(max_line_length=200)
RESET_TEXT = """\
Somebody, probably you, asked for a new password for {email}.

Choose one here, within an hour:

    {base}/#/reset/{token}

or with

    curl -X POST {base}/api/v1/auth/password/reset -H 'Content-Type: application/json' \\
      -d '{{"token": "{token}", "password": "a new password of yours"}}'

It works once, and ends all your sessions. If you did not ask, there is nothing to do: your password
is as it was.
"""
VERIFY_TEXT = """\
Please prove that {email} is your address, within a day:

    {base}/#/verify/{token}

or with

    curl -X POST {base}/api/v1/auth/email/verify -H 'Content-Type: application/json' \\
      -d '{{"token": "{token}"}}'

If you have no account here, there is nothing to do.
"""
INVITATION_TEXT = """\
{inviter} invites you into the project {project}, as {role}.

Sign in with {email}, or make an account with this address, at

    {base}/

and prove the address (there in your account, or POST /api/v1/auth/email/verify/send). The
invitation is shown there then, or

    curl -X POST {base}/api/v1/invitations/{id}/accept -H "Authorization: Bearer $TOKEN"

It ends on {until:%A, %Y-%m-%d}. If you do not know {inviter}, there is nothing to do.
"""


@dataclass(frozen=True)
class Letter:
    """What a mail says; `is_notice` where its recipient can have no more of them."""

    subject: str
    text: str
    is_notice: bool = False


def letter_of(mail: Row) -> Letter | None:
    """The text of a mail, or None where nobody should get it any more."""
    write = WRITERS.get(mail.kind, _as_given)
    return write(mail)


def message_of(mail: Row, letter: Letter) -> EmailMessage:
    """The mail as it is sent (RFC 5322); its Message-ID and Date are the same at each attempt."""
    sender = _sender()
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = recipient_of(mail)
    message["Subject"] = " ".join(letter.subject.split())[:200]
    message["Date"] = format_datetime(mail.created_at)
    host = str(urlsplit(_base()).hostname).replace(":", "-")  # no colon may stand there
    message["Message-ID"] = f"<{mail.key}@{host}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic answers
    if letter.is_notice:
        unsubscribe = f"<mailto:{sender.addr_spec}?subject=unsubscribe>, <{_base()}/>"
        message["List-Unsubscribe"] = unsubscribe
    is_plain = letter.text.isascii() and max(map(len, letter.text.split("\n"))) < LONGEST_LINE
    message.set_content(letter.text, cte="7bit" if is_plain else "quoted-printable")
    return message


def _sender() -> Address:
    """MAIL_FROM; the comma of `Acme, Inc. <tasks@example.com>` parts no two of them."""
    name, _, address = str(settings().mail_from).rpartition("<")
    return Address(name.strip(' "'), addr_spec=address.rstrip(">"))


def recipient_of(mail: Row) -> str:
    """The address, with its domain in ASCII (RFC 5891)."""
    local, _, domain = mail.address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


def _base() -> str:
    return str(settings().public_url)


def _account_of(mail: Row) -> Row | None:
    """The account of exactly this mailbox: what is mailed opens it."""
    user: Row | None = users.with_email(mail.address).one_or_none()
    if user is None or not users.is_same_mailbox(mail.address, user.email):
        return None
    return user


def _reset(mail: Row) -> Letter | None:
    """Only now it is looked up whether there is such an account: the request did not do it."""
    user = _account_of(mail)
    if user is None or not user.is_active:
        return None
    return Letter("A new password", _with_token(RESET_TEXT, tokens.RESET, user, mail))


def _verification(mail: Row) -> Letter | None:
    user = _account_of(mail)
    if user is None or user.id != mail.user_id:
        return None
    text = _with_token(VERIFY_TEXT, tokens.VERIFICATION, user, mail)
    return Letter("Is this your address?", text)


def _with_token(text: str, purpose: str, user: Row, mail: Row) -> str:
    """The text with a token that is issued as it is written."""
    mailbox = users.mailbox_key(mail.address)
    with transaction():
        token = tokens.issue(purpose, user.id, mailbox)
    return text.format(email=mail.address, base=_base(), token=token)


def _invitation(mail: Row) -> Letter | None:
    """Nothing where it was withdrawn, accepted or declined by then."""
    pending = invitations.pending_for(mail.address, mail.data["project_id"])
    row = read(pending).one_or_none()
    if row is None:
        return None
    names = {"inviter": row.inviter_name, "project": row.project_name, "role": row.role}
    more = {"email": mail.address, "base": _base(), "id": row.id, "until": row.expires_at}
    text = INVITATION_TEXT.format(**names, **more)
    return Letter(f"{row.inviter_name} invites you into {row.project_name}", text)


def _notice(mail: Row) -> Letter | None:
    written = NOTICES[mail.kind](mail)
    return written and Letter(*written, is_notice=True)


def _as_given(mail: Row) -> Letter:
    return Letter(mail.data["subject"], mail.data["text"])


NOTICES = {
    "reminder": notice_letters.reminder,
    "assigned": notice_letters.assigned,
    "digest": notice_letters.digest,
}
Writer = Callable[[Row], Letter | None]
WRITERS: dict[str, Writer] = {tokens.RESET: _reset, tokens.VERIFICATION: _verification}
WRITERS["invitation"] = _invitation
WRITERS |= dict.fromkeys(NOTICES, _notice)
