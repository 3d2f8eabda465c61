"""Guesses of a password are throttled, with the counters of the rate limits.

A restart forgets none, and only failures count. A known address, from which the account was
signed in before, is spared the account's own count: whoever guesses elsewhere cannot keep the
right owner out. Whoever holds somebody's session may guess as often as one address.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from limits import RateLimitItem, parse

from taskapp.errors import RateLimited, WrongCredentials
from taskapp.extensions import limiter

BY_ACCOUNT_AND_ADDRESS = parse("10/minute")
BY_ADDRESS = parse("60/5 minutes")
BY_ACCOUNT_FROM_UNKNOWN_ADDRESSES = parse("50/10 minutes")
BY_SESSION = parse("10/minute")
# Three of a million codes are good at a time: 20 guesses a day find one within a year in 2 of 100
# cases, and only by somebody who knows the password.
CODES_BY_ACCOUNT_AND_ADDRESS = parse("10/hour")
CODES_BY_ACCOUNT_FROM_UNKNOWN_ADDRESSES = parse("20/day")
Counter = tuple[RateLimitItem, str, str]  # a rate, and the two names of what it counts


def of_sign_in(email_key: str, address: str, *, known_address: bool) -> list[Counter]:
    """What a failed sign-in counts against; the same for accounts that do not exist."""
    account = blake2b(email_key.encode(), digest_size=16).hexdigest()
    counters = [(BY_ACCOUNT_AND_ADDRESS, account, address), (BY_ADDRESS, "any", address)]
    if not known_address:
        counters.append((BY_ACCOUNT_FROM_UNKNOWN_ADDRESSES, account, "unknown"))
    return counters


def of_second_factor(user_id: int, address: str, *, known_address: bool) -> list[Counter]:
    """What a wrong code counts against, whichever ticket it came with."""
    account = f"code {user_id}"
    of_address = (BY_ADDRESS, "any", address)
    counters = [of_address, (CODES_BY_ACCOUNT_AND_ADDRESS, account, address)]
    if not known_address:
        of_account = (CODES_BY_ACCOUNT_FROM_UNKNOWN_ADDRESSES, account, "unknown")
        counters.append(of_account)
    return counters


def of_session(session_id: int) -> list[Counter]:
    """What a wrong `current_password` counts against."""
    return [(BY_SESSION, "current password", str(session_id))]


def of_metrics_token(address: str) -> list[Counter]:
    """What a wrong metrics token counts against."""
    return [(BY_ADDRESS, "metrics token", address)]


@contextmanager
def throttled(counters: list[Counter]) -> Iterator[None]:
    """Check a password inside; refused before any work, and a wrong one counts.

    Raises:
        RateLimited
    """
    refuse_if_exhausted(counters)
    try:
        yield
    except WrongCredentials:
        count_failure(counters)
        raise


def refuse_if_exhausted(counters: list[Counter]) -> None:
    """Raises RateLimited."""
    if not limiter.enabled:
        return
    exhausted = [counter for counter in counters if not limiter.limiter.test(*counter)]
    if exhausted:
        ends = [limiter.limiter.get_window_stats(*counter).reset_time for counter in exhausted]
        raise RateLimited.after(math.ceil(max(ends) - time.time()))


def count_failure(counters: list[Counter]) -> None:
    if limiter.enabled:
        for counter in counters:
            limiter.limiter.hit(*counter)
