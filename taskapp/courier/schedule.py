"""When a failed delivery is tried again."""

import datetime as dt
from random import uniform

SECOND, MINUTE, HOUR = 1, 60, 3600
# After each failure in turn; then every day. In seconds, as Standard Webhooks has it.
DELAYS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24))]
DAY = 24 * HOUR
GIVEN_UP_AFTER = dt.timedelta(days=5)  # since the first failure
JITTER = 0.1


def delay(attempts: int, retry_after: float | None, speed: float = 1.0) -> dt.timedelta:
    """How long to wait after so many failures; the target's Retry-After counts up to a day.

    `speed` makes the schedule faster, for tests.
    """
    planned = float(DELAYS[attempts - 1] if attempts <= len(DELAYS) else DAY)
    planned *= uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
    if retry_after is not None:
        planned = max(planned, min(retry_after, DAY))
    return dt.timedelta(seconds=planned / speed)
