"""User, Post and Comment, checked by marshmallow and by pydantic; the same cases through both.

Nothing here waits, so "sync" and "async" only name the two worlds: marshmallow is what taskapp
uses, pydantic what its twin uses.
"""

import datetime as dt
import re

ADULT = 18
WEAK = "At least 12 characters, with a lower-case and an upper-case letter, a digit and a sign."


def is_strong(password: str) -> bool:
    """The rule that schools teach; taskapp follows NIST instead, and estimates guesses."""
    kinds = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^A-Za-z0-9]")
    return len(password) >= 12 and all(re.search(kind, password) for kind in kinds)


def age_on(day: dt.date, born: dt.date) -> int:
    """Whole years; a birthday counts from its own day on."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
