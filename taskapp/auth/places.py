"""How one can sign in here, where a sign-in goes on, and that it holds up one worker at most."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from taskapp.database.file_locks import try_lock
from taskapp.database.session import Body
from taskapp.errors import Invalid, ProviderUnavailable
from taskapp.extensions import settings
from taskapp.web.addresses import absolute
from taskapp.web.current import current

START = "/api/v1/auth/oidc/login"
CALLBACK = "/api/v1/auth/oidc/callback"
# A path and a query (RFC 3986): no host and nothing that a browser takes for one, no fragment, and
# no segment `..`, in whatever spelling: a browser would leave the path of this service with it.
NO_DOT = r"%([013-9A-Fa-f][0-9A-Fa-f]|2[0-9A-DFa-df])"
SIGN = rf'([!"$&-\-0-\[\]-~]|{NO_DOT})'
NAME = rf"\.?{SIGN}({SIGN}|\.)*"
PATH = rf"/(({NAME}|\.)(/({NAME}|\.?))*)?"
NO_PATH = "Must be a path of this service."
WAIT = 0.5  # seconds for the one place
LOOK_EVERY = 0.05  # seconds


def providers() -> Body:
    """How one can sign in here."""
    oidc = None
    if settings().oidc_issuer is not None:
        oidc = {"name": settings().oidc_name, "start": absolute(START)}
    return {"password": True, "oidc": oidc, "proxy": settings().proxy_auth_header is not None}


def callback() -> str:
    """Where the provider sends the browser back to."""
    return absolute(CALLBACK)


def address_of(path: str | None) -> str:
    """The address of a path of this service; without one, of the page.

    Raises:
        Invalid: It is outside the path that this service is served below.
    """
    prefix = current().prefix
    if path is None:
        return absolute("/")
    if path != prefix and not path.startswith(f"{prefix}/"):
        raise Invalid(errors=[{"parameter": "next", "detail": NO_PATH}])
    return absolute(path.removeprefix(prefix) or "/")


@contextmanager
def alone() -> Iterator[None]:
    """One worker at a time waits for the provider: the others go on serving.

    Raises:
        ProviderUnavailable: Another one waits, and goes on to.
    """
    with (settings().instance / "oidc.lock").open("ab") as place:
        until = time.monotonic() + WAIT
        while not try_lock(place):
            if time.monotonic() > until:
                raise ProviderUnavailable("Others are signing in at the moment: try again.")
            time.sleep(LOOK_EVERY)
        yield
