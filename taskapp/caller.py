"""Who is calling: what every room may know of it."""

import datetime as dt
from typing import Any, NamedTuple

# Who may use a route.
ANYONE, USER, ADMIN = "anyone", "user", "admin"
ANY_SCOPE = "any scope"  # of whatever credential: a `feed` token opens its calendar
READ = "read"  # whatever the method: the view itself asks for more where it writes
# Each scope with all that it includes. `feed` stands alone: it opens one calendar.
SCOPES = {
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write"}),
    "admin": frozenset({"read", "write", "admin"}),
    "feed": frozenset({"feed"}),
}


class Caller(NamedTuple):
    """Who is calling, with what right, and until when; a personal token has no session."""

    user_id: int
    role: str
    scopes: frozenset[str]
    expires_at: dt.datetime | None
    session_id: int | None = None
    token_id: int | None = None  # of the personal token in use
    timezone: str = "UTC"  # an IANA name; what "today" is

    @property
    def is_ambient(self) -> bool:
        """Whether a proxy in front says who it is, so that a browser is known whatever it does."""
        return self.session_id is None and self.token_id is None

    def describe(self) -> dict[str, Any]:
        """The credential in use, as `GET /auth/token` shows it."""
        kind = "proxy" if self.is_ambient else "token"
        return {
            "kind": kind if self.session_id is None else "session",
            "user_id": self.user_id,
            "scopes": sorted(self.scopes),
            "expires_at": self.expires_at,
        }


def acting_as(user_id: int) -> Caller:
    """A caller without a request: a command, or a user who is being deleted."""
    return Caller(user_id, USER, SCOPES["write"], None)
