"""A reader with a bookmark: take a webhook that is due, deliver its events in order, move on.

At least once and in order for each target. A lease keeps two couriers off one webhook; who dies
holding one costs at most a repeat, when the lease has run out.
"""

import datetime as dt
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field

import sqlalchemy as sa

from taskapp.courier import messages, schedule, transport
from taskapp.courier.messages import Message
from taskapp.courier.transport import Answer
from taskapp.database.pages import page_by
from taskapp.database.sealing import CannotOpen, unseal
from taskapp.database.session import Body, Row, now, read, release, transaction
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS
from taskapp.ledger.events import as_shown
from taskapp.ledger.revisions import lock_for_operator, record
from taskapp.schema import Instant
from taskapp.webhooks.service import DELIVERIES, WEBHOOKS

LEASE = dt.timedelta(seconds=60)  # longer than one delivery takes; renewed with each
TURN = 1.0  # seconds that a webhook is delivered to before others have their turn
BATCH = 100  # events of a turn at most
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
_TAKE_DUE = _DUE.with_for_update(skip_locked=True, of=WEBHOOKS)
_IS_IT = WEBHOOKS.c.id == sa.bindparam("webhook_id")
_LEASED = sa.update(WEBHOOKS).where(_IS_IT).returning(*WEBHOOKS.c)
# Unless somebody else has moved it meanwhile, or switched it off.
_IS_OURS = sa.and_(_IS_IT, WEBHOOKS.c.event_id == sa.bindparam("bookmark"), WEBHOOKS.c.is_active)
_OURS = sa.update(WEBHOOKS).where(_IS_OURS).returning(*WEBHOOKS.c)
_IS_THERE = sa.select(WEBHOOKS.c.id).where(_IS_IT).with_for_update(read=True, key_share=True)
_NOTED = sa.insert(DELIVERIES)
_OF_WEBHOOK = DELIVERIES.c.webhook_id == sa.bindparam("webhook_id")
_OLDER = sa.select(DELIVERIES.c.id).where(_OF_WEBHOOK).order_by(DELIVERIES.c.id.desc())
_FORGET_OLDER = sa.delete(DELIVERIES).where(DELIVERIES.c.id.in_(_OLDER.offset(KEPT)))


@dataclass
class Lease:
    """A webhook that this courier alone delivers to, for a while."""

    webhook: Row = field(repr=False)  # with its secrets, if sealed
    passed: int  # the last event that is done with: each write moves the bookmark there
    moved_at: float = field(default_factory=time.monotonic)


def any_due() -> bool:
    """Whether a webhook waits: one indexed query."""
    return read(_DUE, {"at": now()}).first() is not None


def take_lease() -> Lease | None:
    """Take a webhook that is due, or None."""
    at = now()
    with transaction():
        webhook_id = db.session.scalar(_TAKE_DUE, {"at": at})
        if webhook_id is None:
            return None
        values = {"webhook_id": webhook_id, "leased_until": at + LEASE}
        webhook = db.session.execute(_LEASED, values).one()
    return Lease(webhook, webhook.event_id)


def deliver(lease: Lease, speed: float = 1.0) -> None:
    """Deliver what waits for one webhook, in order, until an attempt fails or its turn is over.

    What is left then waits behind the other webhooks that are due.
    """
    ends_at = time.monotonic() + TURN
    if lease.webhook.test_requested:
        _deliver_test(lease)
    for event in _events_past(lease.webhook):
        if _is_wanted(lease.webhook, event):
            if not _deliver_event(lease, event, speed):
                return
            if time.monotonic() > ends_at:
                break
        lease.passed = event["id"]
    at = now()
    _write(lease, {"leased_until": at, "next_at": at})


def _events_past(webhook: Row) -> list[Body]:
    of_project = sa.select(EVENTS).where(EVENTS.c.project_id == webhook.project_id)
    after = [webhook.event_id]
    page = page_by(of_project, EVENTS.c.id, limit=BATCH, total=False, cursor=after, text="changes")
    as_shown(page.items)
    return page.items


def _is_wanted(webhook: Row, event: Body) -> bool:
    return not webhook.kinds or event["kind"] in webhook.kinds


def _deliver_event(lease: Lease, event: Body, speed: float) -> bool:
    """Deliver one event; returns whether to go on with the next."""
    message = messages.message_of(lease.webhook, event)
    answer = _send(lease.webhook, message)
    if not answer.delivered:
        _fail(lease, event, answer, speed)
        return False
    lease.passed = event["id"]
    values = {"attempts": 0, "failing_since": None, "leased_until": now() + LEASE}
    return _write(lease, values, _attempt(event["id"], answer))


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
    release()  # a target that hangs holds no connection to the database
    return transport.post(url, message.body, headers)


def _secrets(webhook: Row) -> list[str]:
    secrets = [unseal(webhook.sealed_secret)]
    if webhook.sealed_previous and webhook.previous_until > now():
        with suppress(CannotOpen):  # what was rotated because it was lost
            secrets.append(unseal(webhook.sealed_previous))
    return secrets


def _fail(lease: Lease, event: Body, answer: Answer, speed: float) -> None:
    """Try again later, or switch the webhook off: at 410, or after five days of failures."""
    webhook = lease.webhook
    at = now()
    attempts = webhook.attempts + 1
    since = webhook.failing_since or at
    later = at + schedule.delay(attempts, answer.retry_after, speed)
    off = answer.gone or at - since >= schedule.GIVEN_UP_AFTER / speed
    values: Body = {"attempts": attempts, "failing_since": since, "next_at": later}
    values |= {"is_active": not off, "leased_until": at}
    attempt = _attempt(event["id"], answer, None if off else later)
    if _write(lease, values, attempt) and off:
        _record_switched_off(webhook)


def _record_switched_off(webhook: Row) -> None:
    with transaction():
        lock = lock_for_operator(webhook.project_id)
        if lock is not None:
            changes = {"webhook_id": [webhook.id, webhook.id], "is_active": [True, False]}
            record(lock.advance(), "webhook-disabled", **changes)
    log.warning("webhook switched off", extra={"fields": {"webhook_id": webhook.id}})


def _deliver_test(lease: Lease) -> None:
    event = messages.test_event(lease.webhook, now())
    message = messages.message_of(lease.webhook, event)
    unique = Message(f"evt_test_{int(now().timestamp() * 1e6)}", message.body, message.content_type)
    answer = _send(lease.webhook, unique)
    _write(lease, {"test_requested": False}, _attempt(0, answer))


def _attempt(event_id: int, answer: Answer, next_at: dt.datetime | None = None) -> Body:
    """What came of an attempt, as `deliveries` keeps it."""
    status = "delivered" if answer.delivered else "failed"
    milliseconds = round(answer.seconds * 1000)
    attempt: Body = {"event_id": event_id, "at": now(), "status": status, "ms": milliseconds}
    return attempt | {"code": answer.code, "next_at": next_at}


def _write(lease: Lease, values: Body, attempt: Body | None = None) -> bool:
    """Write to the webhook, and keep what came of an attempt, in one transaction.

    A webhook that somebody else has moved meanwhile, or switched off, stays as it is, and of one
    that was deleted nothing is kept; returns whether it was ours.
    """
    webhook = lease.webhook
    is_it = {"webhook_id": webhook.id}
    ours = {**is_it, "bookmark": webhook.event_id, "event_id": lease.passed}
    with transaction():
        written = db.session.execute(_OURS, ours | values).one_or_none()
        is_there = written is not None or db.session.scalar(_IS_THERE, is_it) is not None
        if attempt is not None and is_there:
            db.session.execute(_NOTED, is_it | attempt)
            db.session.execute(_FORGET_OLDER, is_it)
    if written is None:
        return False
    lease.webhook, lease.moved_at = written, time.monotonic()
    return True
