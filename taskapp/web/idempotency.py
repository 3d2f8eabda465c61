"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a retry has one effect, one answer.

The answer is stored in the transaction of its effect, so no crash can come between the two. It
may hold a secret that is shown once, so it is sealed with the client's key, of which only a digest
is kept.
"""

import datetime as dt
import re
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import orjson
import sqlalchemy as sa
from flask import Response, current_app
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Mapped, mapped_column

from taskapp import errors
from taskapp.database.encoding import encode
from taskapp.database.sealing import CannotOpen, seal_bytes, unseal_bytes
from taskapp.database.session import now, read
from taskapp.extensions import db, secret_keys
from taskapp.schema import Base, table
from taskapp.web.current import current

KEY = re.compile(r'^("[!#-~]{8,255}"|[!#-~]{8,255})$')
RETENTION = dt.timedelta(hours=24)


class IdempotencyKey(Base):
    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.Index(None, "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # a digest of user, method, path and key
    payload: Mapped[str]
    answer: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    created_at: Mapped[dt.datetime]


KEYS = table(IdempotencyKey)


def once(
    arguments: dict[str, Any], make: Callable[[], Response], key: str | None = None
) -> Response:
    """Make the answer, or give again the one that this key got before.

    A second request with the key waits for the first: the database lets only one insert it.
    """
    key = key or _key()
    if key is None:
        return make()
    name = _name(key)
    payload = _digest(encode(arguments), key)
    _forget_expired(name)  # the first statement: on SQLite it waits for whoever else writes
    try:
        _insert(name, payload)
    except IntegrityError:
        db.session.rollback()
        return _replay(name, payload, key)
    except OperationalError as error:
        refusal = errors.from_database(error)
        if isinstance(refusal, errors.DatabaseBusy):  # it waited too long, for this key
            raise errors.RequestInProgress from error
        raise refusal from error
    response = make()
    _keep(name, payload, key, response)
    return response


def name_of_request() -> str:
    """What the answer to this request is kept under; empty where it carries no key.

    Raises:
        Invalid: The key is none.
    """
    key = _key() if current().request.method == "POST" else None
    return "" if key is None else _name(key)


def _name(key: str) -> str:
    """Keys belong to one user, method and path."""
    record = current()
    user_id = 0 if record.caller is None else record.caller.user_id
    owner = (user_id, record.request.method, record.request.path)
    return _digest(repr(owner).encode(), key)


def _forget_expired(name: str) -> None:
    expired = KEYS.c.created_at < now() - RETENTION
    db.session.execute(sa.delete(KEYS).where(KEYS.c.id == name, expired))


def _insert(name: str, payload: str) -> None:
    row = {"id": name, "payload": payload, "created_at": now()}
    db.session.execute(sa.insert(KEYS).values(row))


def _keep(name: str, payload: str, key: str, response: Response) -> None:
    headers = list(response.headers)
    answer = [response.status_code, headers, response.get_data(as_text=True)]
    todays = _vault_keys(key)[0]
    sealed = seal_bytes(todays, orjson.dumps(answer))
    if not _store(name, sealed):  # a dry run took everything back, its key too
        _forget_expired(name)
        with suppress(IntegrityError):  # another request with the key has stored its answer
            _insert(name, payload)
            _store(name, sealed)


def _store(name: str, sealed: bytes) -> bool:
    """Store an answer; whether its key is there."""
    update = sa.update(KEYS).where(KEYS.c.id == name)
    stored = update.values(answer=sealed).returning(KEYS.c.id)
    return db.session.scalar(stored) is not None


def _key() -> str | None:
    sent: str | None = current().request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if sent is not None and not KEY.fullmatch(sent):
        detail = "Idempotency-Key must be 8 to 255 visible ASCII characters."
        raise errors.Invalid(errors=[{"parameter": "Idempotency-Key", "detail": detail}])
    return None if sent is None else sent.strip('"')


def _replay(name: str, payload: str, key: str) -> Response:
    select = sa.select(KEYS.c.payload, KEYS.c.answer).where(KEYS.c.id == name)
    stored = read(select).one_or_none()
    if stored is None or stored.answer is None:
        raise errors.RequestInProgress
    if stored.payload != payload:
        raise errors.IdempotencyMismatch
    for vault_key in _vault_keys(key):
        with suppress(CannotOpen):
            answer = unseal_bytes(vault_key, stored.answer)
            status, headers, body = orjson.loads(answer)
            headers.append(("Idempotency-Replayed", "true"))
            return current_app.response_class(body, status, headers)
    raise errors.Conflict(
        "This request was carried out before, but its stored response cannot be opened any more: "
        "SECRET_KEY was changed."
    )


def _digest(value: bytes, key: str) -> str:
    return blake2b(value + key.encode(), digest_size=24).hexdigest()


def _vault_keys(key: str) -> list[bytes]:
    """Made of the client's key and ours together, today's and the one before."""
    return [blake2b(f"{ours} {key}".encode(), digest_size=32).digest() for ours in secret_keys()]
