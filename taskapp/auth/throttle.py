"""Failed sign-ins are slowed, with the counters of the rate limits: a restart forgets none.

Only failures count. A known address, from which the account was signed in before, is spared the
account's own count: whoever guesses elsewhere cannot keep the right owner out.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from limits import parse

from taskapp.errors import RateLimited, WrongCredentials
from taskapp.extensions import limiter

# Failures of one account from one address; of one address; of one account from unknown addresses.
BY_BOTH, BY_ADDRESS, BY_ACCOUNT = map(parse, ("10/minute", "60/5 minutes", "50/10 minutes"))


@contextmanager
def slowed(email_key: str, address: str, *, known_address: bool) -> Iterator[None]:
    """Try a sign-in inside; refused before any work, also for accounts that do not exist."""
    account = blake2b(email_key.encode(), digest_size=16).hexdigest()
    counts = [(BY_BOTH, account, address), (BY_ADDRESS, "any", address)]
    counts += [] if known_address else [(BY_ACCOUNT, account, "unknown")]
    counts = counts if limiter.enabled else []
    over = [count for count in counts if not limiter.limiter.test(*count)]
    if over:
        ends = max(limiter.limiter.get_window_stats(*count).reset_time for count in over)
        raise RateLimited.after(math.ceil(ends - time.time()))
    try:
        yield
    except WrongCredentials:
        for count in counts:
            limiter.limiter.hit(*count)
        raise
