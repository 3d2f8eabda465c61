"""Failed sign-ins are throttled, with the counters of the rate limits: a restart forgets none.

Only failures count. A known address, from which the account was signed in before, is spared the
account's own count: whoever guesses elsewhere cannot keep the right owner out.
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
Counter = tuple[RateLimitItem, str, str]  # a rate, and the two names of what it counts


@contextmanager
def throttled(email_key: str, address: str, *, known_address: bool) -> Iterator[None]:
    """Try a sign-in inside; refused before any work, also for accounts that do not exist."""
    counters = _counters(email_key, address, known_address) if limiter.enabled else []
    exhausted = [each for each in counters if not limiter.limiter.test(*each)]
    if exhausted:
        raise RateLimited.after(_seconds_left(exhausted))
    try:
        yield
    except WrongCredentials:
        for counter in counters:
            limiter.limiter.hit(*counter)
        raise


def _counters(email_key: str, address: str, known_address: bool) -> list[Counter]:
    account = blake2b(email_key.encode(), digest_size=16).hexdigest()
    counters = [(BY_ACCOUNT_AND_ADDRESS, account, address), (BY_ADDRESS, "any", address)]
    if not known_address:
        counters.append((BY_ACCOUNT_FROM_UNKNOWN_ADDRESSES, account, "unknown"))
    return counters


def _seconds_left(counters: list[Counter]) -> int:
    """How long the last of them stays exhausted."""
    ends = [limiter.limiter.get_window_stats(*counter).reset_time for counter in counters]
    return math.ceil(max(ends) - time.time())
