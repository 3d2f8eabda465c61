"""What a request remembers, and who is calling."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network
from typing import IO, Any

from flask import Flask, Request, g

from config import Settings
from taskapp import errors
from taskapp.caller import ADMIN, Caller
from taskapp.database.counters import Count

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass
class Current:
    """Everything that a request remembers between its hooks, its view and its log line."""

    request: Request  # itself, not Flask's proxy: each look through that costs
    headers: list[tuple[str, str]]  # of the answer; web/headers.py adds them behind Flask
    settings: Settings
    app: Flask
    contract: Any = None  # what the route promises (web/contract.py); None where there is none
    started: float = field(default_factory=time.perf_counter)
    request_id: str = ""
    prefix: str = ""  # the path that the service is below, as "/tasks"
    base: str = ""  # where the client sees the service: scheme, host and prefix
    caller: Caller | None = None
    refusal: errors.Refusal | None = None  # why there is no caller
    upload: Any = None  # the file of an import
    rows: Any = None  # what of it is valid
    draft: Any = None  # of an attachment: what gives it its place in the store
    files: Any = None  # an ExitStack: what is held of the store until the transaction has ended
    query: dict[str, str] = field(default_factory=dict)  # as it was sent, for cursors
    counts: dict[str, Count] = field(default_factory=dict)  # of its rate limits, by key
    limits: dict[str, Any] = field(default_factory=dict)  # those of every request, by key
    database_seconds: float = 0.0
    long_operation: IO[bytes] | None = None  # the place that it has taken (web/long_operations.py)
    was_large: bool = False  # so that the memory it freed goes back to the system (web/memory.py)
    is_streamed: bool = False  # its response, which is made while it is sent
    in_progress: bool = False  # counted as such by the metrics
    call: Any = None  # the JSON-RPC call in it (mcp/)
    event: str = ""  # what the log calls it, where the route says too little
    asks_for_basic: bool = False  # a 401 makes calendar programs ask for a password
    problem: str = ""  # the code of the refusal that was answered

    def signed_in(self) -> Caller:
        """Who is calling.

        Raises:
            Refusal: Nobody that we know; the guard lets no such request into a view that is not
                public.
        """
        if self.caller is None:
            raise self.refusal or errors.Unauthorized
        return self.caller

    def require_scope(self, scope: str) -> None:
        """Refuse unless the caller has a credential with this scope.

        Raises:
            Unauthorized: There is no credential, or it is no good; its own refusal says why.
            InsufficientScope: A token lacks the scope.
            Forbidden: Only an admin has it.
        """
        known = self.signed_in()
        if scope in known.scopes:
            return
        if scope == ADMIN and known.role != ADMIN:
            raise errors.Forbidden("Only an admin may do this.")
        raise errors.InsufficientScope


def current() -> Current:
    """The record of this request; `web/hooks.py` makes it before anything else runs."""
    record: Current = g._get_current_object().current  # a proxy
    return record


def caller() -> Caller:
    """The signed-in caller of this request.

    Raises:
        Refusal: There is none.
    """
    return current().signed_in()


def require_scope(scope: str) -> None:
    """As `Current.require_scope`, for a view."""
    current().require_scope(scope)


def own_id_or_admin(user_id: int) -> int:
    """The id, if it is the caller's; that of anybody else is for admins.

    Raises:
        Forbidden: It is somebody else's, and the caller is no admin.
    """
    if user_id != caller().user_id:
        require_scope(ADMIN)
    return user_id


def rate_limit_key() -> str:
    """Whom a limit counts: the user where there is one, else the address."""
    return key_of_caller(current())


def key_of_caller(record: Current) -> str:
    known = record.caller
    return f"user:{known.user_id}" if known else address_of(record)


def client_address() -> str:
    """Where the request came from: an IPv4 address, or the /64 that one IPv6 client may roam in."""
    return address_of(current())


def address_of(record: Current) -> str:
    return _client(record.request.remote_addr or "::")


@lru_cache(1024)
def _client(remote: str) -> str:
    address = ip_address(remote)
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped:  # a socket for both versions shows IPv4 so
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False))
