"""Passwords, off the event loop: the twin of passwords.py.

A hash takes some 30 ms of pure computing. A sync worker that computes keeps one client waiting; a
loop that computes keeps them all waiting. So it goes to a thread, where argon2 lets go of the
interpreter's lock, and no more go at once than there are processors.
"""

import os
from functools import partial

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lab.twin.errors import Invalid

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_DUMMY = _hasher.hash("no account has this password")
_threads = CapacityLimiter(os.cpu_count() or 1)
SAFELY_UNGUESSABLE = 3  # zxcvbn: at least 10^8 guesses
ESTIMATED = 72  # characters


async def hash_password(password: str) -> str:
    return await to_thread.run_sync(_hasher.hash, password, limiter=_threads)


async def verify(password: str, hashed: str | None) -> bool:
    """Whether they belong together; the same work whether or not there is such an account."""
    try:
        matches = partial(_hasher.verify, hashed or _DUMMY, password)
        return await to_thread.run_sync(matches, limiter=_threads) and bool(hashed)
    except (VerificationError, InvalidHashError):
        return False


async def refuse_guessable(field: str, password: str, least: int, *context: str) -> None:
    """Length and an estimate, no composition rules (NIST SP 800-63B, 5.1.1.2)."""
    if len(password) < least:
        raise Invalid.field(field, f"Shorter than minimum length {least}.")
    words = [part for text in context for part in (text, *text.replace("@", " ").split())]
    score = await to_thread.run_sync(_score, password[:ESTIMATED], words, limiter=_threads)
    if score < SAFELY_UNGUESSABLE:
        raise Invalid.field(field, "Too easy to guess; a few unrelated words are better.")


def _score(password: str, words: list[str]) -> int:
    from zxcvbn import zxcvbn  # its word lists are large, and most workers never need them

    return int(zxcvbn(password, user_inputs=words)["score"])
