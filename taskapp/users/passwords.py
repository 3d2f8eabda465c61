"""Passwords: argon2id hashes (RFC 9106), and an estimate of how soon one would be guessed."""

import re
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from taskapp.errors import Invalid
from taskapp.extensions import settings
from taskapp.users.breached import is_breached

# OWASP's minimum for argon2id: 19 MiB, two passes, one lane; kind to a server with 256 MB.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# The hash of no password, for sign-ins of nobody: to verify one takes the same work.
HASH_OF_NOBODY = f"$argon2id$v=19$m=19456,t=2,p=1${'A' * 22}${'A' * 43}"
SAFELY_UNGUESSABLE = 3  # zxcvbn: at least 10^8 guesses
# Enough to judge by; zxcvbn's time grows with the cube of the length, and with signs for letters.
ESTIMATED_CHARACTERS = 24
# Phrases that the estimate takes for unrelated words, and words that are no password, whatever
# digits and signs stand around them.
LIST = Path(__file__).with_name("well_known_passwords.txt")
WELL_KNOWN = frozenset(LIST.read_text(encoding="ascii").split())
LETTERS_FOR_SIGNS = str.maketrans("4@310$57!", "aaeiostti")
NOT_A_LETTER = re.compile(r"[\W\d_]+")
AROUND_A_WORD = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def verify(password: str, hashed: str | None) -> bool:
    """Whether they belong together; the same work where there is no account, or no password."""
    try:
        matches = _hasher.verify(hashed or HASH_OF_NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(matches and hashed)


def renewed(password: str, hashed: str) -> str | None:
    """A hash by today's parameters, if this one has others (ASVS 11.2.2)."""
    return hash_password(password) if _hasher.check_needs_rehash(hashed) else None


def refuse_guessable(field: str, password: str, *context: str) -> None:
    """Length and an estimate, no composition rules (NIST SP 800-63B, 5.1.1.2)."""
    from zxcvbn import zxcvbn  # its word lists are large, and most workers never need them

    least = settings().password_min_length
    if len(password) < least:
        raise Invalid.field(field, f"Shorter than minimum length {least}.")
    words = ["taskapp"]
    for host in settings().trusted_hosts:
        words += [host, *host.split(".")]
    for text in context:
        words.append(text)
        words += text.replace("@", " ").split()
    if is_breached(password):
        raise Invalid.field(field, "It is in lists of stolen passwords; choose another one.")
    estimate = zxcvbn(password[:ESTIMATED_CHARACTERS], user_inputs=words)
    if estimate["score"] < SAFELY_UNGUESSABLE or _is_well_known(password):
        raise Invalid.field(field, "Too easy to guess; a few unrelated words are better.")


def _is_well_known(password: str) -> bool:
    """Whether it is a well-known phrase, or one such word with digits and signs around it."""
    text = password.casefold()
    word = AROUND_A_WORD.sub("", text)
    for spelling in (text, word, word.translate(LETTERS_FOR_SIGNS)):
        letters = NOT_A_LETTER.sub("", spelling)
        if letters in WELL_KNOWN:
            return True
    return False
