"""When to try again, how long to wait before it, and when to stop."""

from __future__ import annotations

import datetime as dt
import email.utils
import random
import time

import click
import httpx

from taskapp_client.failures import Unavailable, problem_of

TRIES = 6
LONGEST = 90.0  # seconds, over all tries of one request; limits count by the minute
FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 8.0
WORTH_A_WORD = 2.0  # a person wonders after that many seconds
BUSY = {429, 502, 503, 504}


class Patience:
    """Bounds one request: at most TRIES tries, and no new one after LONGEST seconds."""

    def __init__(self) -> None:
        self.failed = 0
        self._until = time.monotonic() + LONGEST

    def wait(self, reason: str, retry_after: float | None) -> None:
        """Wait before the next try.

        Raises:
            Unavailable: when the tries or the time are used up.
        """
        self.failed += 1
        seconds = backoff(self.failed) if retry_after is None else retry_after
        if self.failed == TRIES:
            raise Unavailable(f"{reason} It was tried {TRIES} times: try again later.")
        if time.monotonic() + seconds > self._until:
            raise Unavailable(f"{reason} Try again in {seconds:.0f} seconds.")
        if seconds >= WORTH_A_WORD:
            click.echo(f"{reason} Trying again in {seconds:.0f} s.", err=True)
        time.sleep(seconds)


def backoff(failed: int) -> float:
    """Seconds to wait after so many failures: doubled each time, at random below that.

    Chance keeps clients that failed together from coming back together.
    """
    ceiling = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**failed)
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - no secret


def is_busy(response: httpx.Response) -> bool:
    """Whether the same request may be answered otherwise a little later."""
    if response.status_code == 409:
        return problem_of(response).get("code") == "request-in-progress"
    return response.status_code in BUSY


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the answer says to wait (RFC 9110, 10.2.3: a number, or a date)."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    if value.isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())
