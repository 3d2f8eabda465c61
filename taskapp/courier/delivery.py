"""A reader with a bookmark: take a webhook that is due, deliver its events in order, move on.

At least once and in order for each target. A lease keeps two couriers off one webhook; who dies
holding one costs at most a repeat, when the lease has run out.
"""

import datetime as dt
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from taskapp.courier import messages, schedule, transport
from taskapp.courier.messages import Message
from taskapp.courier.transport import Answer
from taskapp.database.sealing import CannotOpen, unseal
from taskapp.database.session import Body, Row, now, read, transaction
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS
from taskapp.ledger.revisions import lock_for_operator, record
from taskapp.schema import Instant
from taskapp.webhooks.service import DELIVERIES, WEBHOOKS

LEASE = dt.timedelta(seconds=60)  # longer than one delivery takes; renewed with each
BATCH = 100  # events read at once
KEPT = 100  # deliveries of a webhook
log = logging.getLogger(__name__)
_AT = sa.bindparam("at", type_=Instant)
_OF_PROJECT = EVENTS.c.project_id == WEBHOOKS.c.project_id
_PAST_BOOKMARK = EVENTS.c.id > WEBHOOKS.c.event_id
_WAITING = sa.select(EVENTS.c.id).where(_OF_PROJECT, _PAST_BOOKMARK).exists()
_HAS_WORK = sa.or_(_WAITING, WEBHOOKS.c.test_requested)
_IS_TIME = sa.and_(WEBHOOKS.c.is_active, WEBHOOKS.c.next_at <= _AT)
_IS_FREE = WEBHOOKS.c.leased_until <= _AT
_DUE = sa.select(WEBHOOKS.c.id).where(_IS_TIME, _IS_FREE, _HAS_WORK)
_DUE = _DUE.order_by(WEBHOOKS.c.next_at, WEBHOOKS.c.id).limit(1)


@dataclass
class Lease:
    """A webhook that this courier alone delivers to, for a while."""

    webhook: Row
    until: dt.datetime


def any_due() -> bool:
    """Whether a webhook waits: one indexed query."""
    return read(_DUE, {"at": now()}).first() is not None


def take_lease() -> Lease | None:
    """Take a webhook that is due, or None."""
    at = now()
    until = at + LEASE
    with transaction():
        due = _DUE.with_for_update(skip_locked=True, of=WEBHOOKS)
        webhook_id = db.session.scalar(due, {"at": at})
        if webhook_id is None:
            return None
        leased = sa.update(WEBHOOKS).where(WEBHOOKS.c.id == webhook_id)
        written = leased.values(leased_until=until).returning(*WEBHOOKS.c)
        return Lease(db.session.execute(written).one(), until)


def deliver(lease: Lease, speed: float = 1.0) -> None:
    """Deliver what is due to one webhook, in order, until nothing waits or an attempt fails."""
    if lease.webhook.test_requested:
        _deliver_test(lease)
    while True:
        events = _events_past(lease.webhook)
        for event in events:
            if not _deliver_event(lease, event, speed):
                return
        if len(events) < BATCH:
            break
        lease.webhook = _again(lease.webhook)
    _write(lease, {"leased_until": now()})


def _events_past(webhook: Row) -> list[Body]:
    chosen = sa.select(EVENTS).where(EVENTS.c.project_id == webhook.project_id)
    past = chosen.where(EVENTS.c.id > webhook.event_id).order_by(EVENTS.c.id).limit(BATCH)
    return [dict(event._mapping) for event in read(past)]


def _again(webhook: Row) -> Row:
    return read(sa.select(WEBHOOKS).where(WEBHOOKS.c.id == webhook.id)).one()


def _deliver_event(lease: Lease, event: Body, speed: float) -> bool:
    """Deliver one event; returns whether to go on with the next."""
    webhook = lease.webhook
    if webhook.kinds and event["kind"] not in webhook.kinds:
        return _write(lease, {"event_id": event["id"]})
    message = messages.message_of(webhook, event)
    answer = _send(webhook, message)
    if answer.delivered:
        _note(webhook, event["id"], answer, "delivered", None)
        passed = {"event_id": event["id"], "attempts": 0, "failing_since": None}
        return _write(lease, {**passed, "leased_until": now() + LEASE})
    _fail(lease, event, answer, speed)
    return False


def _send(webhook: Row, message: Message) -> Answer:
    try:
        url = unseal(webhook.sealed_url)
        secrets = _secrets(webhook)
    except CannotOpen:
        log.warning("webhook cannot be unsealed", extra={"fields": {"webhook_id": webhook.id}})
        return Answer(None, 0.0)
    timestamp = int(now().timestamp())
    headers = {
        "Content-Type": message.content_type,
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": messages.signatures(message, timestamp, secrets),
    }
    return transport.post(url, message.body, headers)


def _secrets(webhook: Row) -> list[str]:
    secrets = [unseal(webhook.sealed_secret)]
    if webhook.sealed_previous and webhook.previous_until > now():
        with suppress(CannotOpen):  # what was rotated because it was lost
            secrets.append(unseal(webhook.sealed_previous))
    return secrets


def _fail(lease: Lease, event: Body, answer: Answer, speed: float) -> None:
    """Try again later, or switch the webhook off: at 410, or after five days of failures."""
    webhook = _again(lease.webhook)
    at = now()
    attempts = webhook.attempts + 1
    since = webhook.failing_since or at
    later = at + schedule.delay(attempts, answer.retry_after, speed)
    off = answer.gone or at - since >= schedule.GIVEN_UP_AFTER / speed
    values: Body = {"attempts": attempts, "failing_since": since, "next_at": later}
    if _write(lease, {**values, "is_active": not off, "leased_until": at}):
        _note(webhook, event["id"], answer, "failed", None if off else later)
        if off:
            _record_switched_off(webhook)


def _record_switched_off(webhook: Row) -> None:
    with transaction():
        lock = lock_for_operator(webhook.project_id)
        if lock is not None:
            changes = {"webhook_id": [webhook.id, webhook.id], "is_active": [True, False]}
            record(lock.advance(), "webhook-disabled", **changes)
    log.warning("webhook switched off", extra={"fields": {"webhook_id": webhook.id}})


def _deliver_test(lease: Lease) -> None:
    webhook = lease.webhook
    event = messages.test_event(webhook, now())
    message = messages.message_of(webhook, event)
    unique = Message(f"evt_test_{int(now().timestamp() * 1e6)}", message.body, message.content_type)
    answer = _send(webhook, unique)
    status = "delivered" if answer.delivered else "failed"
    _note(webhook, 0, answer, status, None)
    _write(lease, {"test_requested": False})


def _write(lease: Lease, values: Body) -> bool:
    """Write to the webhook, unless somebody else has moved it meanwhile; whether it was ours."""
    webhook = lease.webhook
    ours = sa.and_(
        WEBHOOKS.c.id == webhook.id, WEBHOOKS.c.event_id == webhook.event_id, WEBHOOKS.c.is_active
    )
    with transaction():
        update = sa.update(WEBHOOKS).where(ours).values(values).returning(*WEBHOOKS.c)
        written = db.session.execute(update).one_or_none()
    if written is None:
        return False
    lease.webhook = written
    return True


def _note(
    webhook: Row, event_id: int, answer: Answer, status: str, next_at: dt.datetime | None
) -> None:
    """Keep what came of an attempt, and the newest hundred of them."""
    row: dict[str, Any] = {"webhook_id": webhook.id, "event_id": event_id, "status": status}
    row |= {"at": now(), "code": answer.code, "next_at": next_at}
    row["ms"] = round(answer.seconds * 1000)
    of_webhook = sa.select(DELIVERIES.c.id).where(DELIVERIES.c.webhook_id == webhook.id)
    older = of_webhook.order_by(DELIVERIES.c.id.desc()).offset(KEPT)
    with transaction():
        db.session.execute(sa.insert(DELIVERIES).values(row))
        db.session.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.id.in_(older)))
