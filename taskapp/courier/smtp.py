"""One session with the mail server, encrypted as SMTP_URL says (RFC 5321, RFC 3207, RFC 8314)."""

import smtplib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from urllib.parse import urlsplit

from config import MailServer
from taskapp.extensions import settings

TIMEOUT = 30.0  # seconds that each answer of the server may take
DEADLINE = 240.0  # seconds of a whole session; shorter than a lease
CLOSES = 421  # the server ends the session (RFC 5321, section 4.2.2)


class Unreachable(Exception):
    """The server takes no mail at all just now: it is away, or refuses us."""


class Refused(Exception):
    """The server does not take this one mail, for now (4yz) or for good."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    @property
    def is_permanent(self) -> bool:
        return self.code >= 500


@contextmanager
def session() -> Iterator[smtplib.SMTP]:
    """Signed in, with STARTTLS or TLS from the start unless SMTP_URL says otherwise.

    Raises:
        Unreachable
    """
    server = settings().smtp_url
    if server is None:
        raise Unreachable("SMTP_URL is not set")
    try:
        connection = _connect(server)
    except (OSError, ValueError) as error:
        raise Unreachable(_reason(error)) from error
    watchdog = threading.Timer(DEADLINE, connection.close)
    watchdog.start()
    try:
        yield connection
    finally:
        watchdog.cancel()
        with suppress(OSError):
            connection.quit()
        connection.close()


def send(connection: smtplib.SMTP, message: EmailMessage, recipient: str) -> None:
    """Hand in one mail for one recipient; when it returns the server has taken it.

    Raises:
        Refused, Unreachable
    """
    try:
        connection.send_message(message, to_addrs=[recipient])
    except smtplib.SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[recipient][0]) from error
    except smtplib.SMTPDataError as error:
        raise _refusal(error.smtp_code) from error
    except smtplib.SMTPNotSupportedError as error:  # an address that wants SMTPUTF8
        raise Refused(550) from error
    except (OSError, ValueError) as error:
        raise Unreachable(_reason(error)) from error


def _refusal(code: int) -> Exception:
    return Unreachable("the server ends the session") if code == CLOSES else Refused(code)


def _connect(server: MailServer) -> smtplib.SMTP:
    name = urlsplit(settings().public_url or "").hostname  # it would be looked up otherwise
    context = ssl.create_default_context()
    address = (server.host, server.port)
    if server.tls == "implicit":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            *address, local_hostname=name, timeout=TIMEOUT, context=context
        )
    else:
        connection = smtplib.SMTP(*address, local_hostname=name, timeout=TIMEOUT)
    try:
        if server.tls == "starttls":
            connection.starttls(context=context)
        if server.user is not None and server.password is not None:
            connection.login(server.user, server.password)
    except BaseException:
        connection.close()
        raise
    return connection


def _reason(error: Exception) -> str:
    """What went wrong, without what the server has said: that may hold the password."""
    code = getattr(error, "smtp_code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"
