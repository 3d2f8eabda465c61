"""Two caches of bytes: in Redis, whose absence is only slowness; and in a worker's memory."""

import time
from collections import OrderedDict
from hashlib import blake2b
from hmac import compare_digest
from typing import Any

from flask_caching.backends.base import BaseCache

from taskapp.database.redis import PREFIX, shared
from taskapp.extensions import secret_keys

MAX_BYTES = 16 * 1024 * 1024  # of a worker
DIGEST_BYTES = 32
MAX_VALUE_BYTES = 64 * 1024  # a larger body costs more to hold than to make again


class InMemory(BaseCache):
    """A worker's own cache, bounded in bytes; what was stored first goes first."""

    def __init__(self, default_timeout: int = 300) -> None:
        super().__init__(default_timeout)
        self.entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()  # (expiry, value)
        self.bytes = 0

    def get(self, key: str) -> bytes | None:
        expires_at, value = self.entries.get(key, (0.0, b""))
        if expires_at > time.monotonic():
            return value
        self.delete(key)
        return None

    def set(self, key: str, value: bytes, timeout: Any = None) -> bool:
        """Store a value for some seconds; one that is too large is left out."""
        if len(value) > MAX_VALUE_BYTES:
            return False
        self.delete(key)
        self._make_room(len(value))
        expires_at = time.monotonic() + (timeout or self.default_timeout)
        self.entries[key] = (expires_at, value)
        self.bytes += len(value)
        return True

    def delete(self, key: str) -> bool:
        entry = self.entries.pop(key, None)
        if entry is None:
            return False
        self.bytes -= len(entry[1])
        return True

    def clear(self) -> bool:
        self.entries.clear()
        self.bytes = 0
        return True

    def _make_room(self, wanted: int) -> None:
        """Drop what is over, then the oldest: all are stored for the same time."""
        now = time.monotonic()
        while self.entries:
            key, (expires_at, _) = next(iter(self.entries.items()))
            if expires_at > now and self.bytes + wanted <= MAX_BYTES:
                return
            self.delete(key)


class InRedis(BaseCache):
    """What Redis holds is never unpickled, as it is by the extension's own: it cannot run code.

    Each value carries a keyed digest, so that whoever can write into Redis cannot make up an
    answer; a value that fails the check is a miss.
    """

    def get(self, key: str) -> bytes | None:
        stored = shared().use(lambda redis: redis.get(PREFIX + key), lambda: None)
        if stored is None:
            return None
        digest, value = stored[:DIGEST_BYTES], stored[DIGEST_BYTES:]
        for secret in secret_keys():
            if compare_digest(digest, _digest(secret, key, value)):
                return bytes(value)
        return None

    def set(self, key: str, value: bytes, timeout: Any = None) -> bool:
        """Store a value for some seconds; one that is too large is left out."""
        if len(value) > MAX_VALUE_BYTES:
            return False
        signed = _digest(secret_keys()[0], key, value) + value
        seconds = timeout or self.default_timeout
        shared().use(lambda redis: redis.set(PREFIX + key, signed, ex=seconds), lambda: None)
        return True


def _digest(secret: str, key: str, value: bytes) -> bytes:
    """It names the key, too: a value cannot be moved to another one."""
    secret_key = blake2b(secret.encode(), digest_size=32, person=b"taskapp-cache").digest()
    keyed = blake2b(key=secret_key, digest_size=DIGEST_BYTES)
    keyed.update(key.encode() + b"\0" + value)
    return keyed.digest()
