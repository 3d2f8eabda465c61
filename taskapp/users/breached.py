"""Passwords that were found in breaches (ASVS 5.0, 6.2.12): the common ones, without the network.

A file of sorted digests, eight bytes each, of passwords that the estimate takes for unguessable.
How it is made: `python -m taskapp.users.breached FILE < PASSWORDS`, one password a line.
"""

import sys
from bisect import bisect_left
from functools import cache
from hashlib import blake2b
from pathlib import Path

FILE = Path(__file__).with_name("breached_passwords.bin")
SIZE = 8  # bytes of a digest; one in 5 * 10^14 other passwords would be refused by mistake


def is_breached(password: str) -> bool:
    """Whether it is in the file, in capital letters or small ones."""
    digests = _digests()
    count = len(digests) // SIZE
    wanted = _digest(password)
    place = bisect_left(range(count), wanted, key=lambda number: _at(digests, number))
    return _at(digests, place) == wanted


def write(passwords: list[str], file: Path) -> None:
    digests = {_digest(password) for password in passwords}
    file.write_bytes(b"".join(sorted(digests)))


@cache
def _digests() -> bytes:
    return FILE.read_bytes()


def _at(digests: bytes, number: int) -> bytes:
    begin = number * SIZE
    return digests[begin : begin + SIZE]


def _digest(password: str) -> bytes:
    folded = password.casefold()
    return blake2b(folded.encode(), digest_size=SIZE, person=b"breached").digest()


if __name__ == "__main__":
    write(sys.stdin.read().splitlines(), Path(sys.argv[1]))
