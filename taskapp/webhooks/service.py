"""What owners can do with the webhooks of a project; the courier delivers (courier/)."""

import datetime as dt
from base64 import b64encode
from secrets import token_bytes
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Created, Page, page_by
from taskapp.database.sealing import seal, unseal
from taskapp.database.session import (
    Body,
    Precondition,
    Row,
    changed_fields,
    now,
    one_or_raise,
    read,
)
from taskapp.errors import CursorExpired, Invalid, NotFound, QuotaExceeded
from taskapp.extensions import db, settings
from taskapp.ledger.access import EVENTS, OWN, PROJECT_ID, require_role
from taskapp.ledger.revisions import lock_project
from taskapp.schema import table
from taskapp.webhooks import addresses
from taskapp.webhooks.models import Delivery, Webhook

WEBHOOKS = table(Webhook)
DELIVERIES = table(Delivery)
_webhook = WEBHOOKS.c
_event = EVENTS.c
SHOWN = (
    _webhook.id,
    _webhook.url,
    _webhook.kinds,
    _webhook.format,
    _webhook.is_active,
    _webhook.failing_since,
    _webhook.created_at,
)
DELIVERY_NAMES = ("id", "event_id", "at", "status", "code", "ms", "next_at")
DELIVERY_SHOWN = [DELIVERIES.c[name] for name in DELIVERY_NAMES]
BOTH_SIGN = dt.timedelta(hours=24)  # after a rotation
SECRET_BYTES = 32
LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_OF_PROJECT = _event.project_id == PROJECT_ID
_LAST = sa.func.max(_event.id)
_FIRST = sa.func.min(_event.id)
_NEWEST_EVENT = sa.select(_LAST).where(_OF_PROJECT)
_OLDEST_EVENT = sa.select(_FIRST).where(_OF_PROJECT)
_COUNT = sa.func.count()
_HOW_MANY = sa.select(_COUNT).select_from(WEBHOOKS)


class WebhookNotFound(NotFound):
    """This project has no such webhook."""


class EventGone(CursorExpired):
    """That event is no longer kept."""


def list_webhooks(caller: Caller, project_id: int, query: Body) -> Page:
    """Raises ProjectNotFound, Forbidden."""
    require_role(caller, project_id, OWN)
    of_project = _webhook.project_id == project_id
    webhooks = sa.select(*SHOWN).where(of_project)
    return page_by(webhooks, Webhook.id, **query)


def get_webhook(caller: Caller, project_id: int, webhook_id: int) -> Row:
    """Raises ProjectNotFound, Forbidden, WebhookNotFound."""
    require_role(caller, project_id, OWN)
    return one_or_raise(read(_one(project_id, webhook_id)), WebhookNotFound)


def create_webhook(caller: Caller, project_id: int, body: Body) -> Created:
    """Make a webhook that begins with the next event; its secret is shown this once.

    Raises:
        ProjectNotFound, Forbidden
        Invalid: The address is one that webhooks may not call.
        QuotaExceeded: The project has MAX_WEBHOOKS_PER_PROJECT.
    """
    url = _checked(body["url"])
    lock_project(caller, project_id, OWN)
    _refuse_too_many(project_id)
    secret = new_secret()
    row = _fresh()
    row |= _address(url, body.get("format", "standard"))
    row["project_id"] = project_id
    row["kinds"] = body.get("kinds", [])
    row["is_active"] = body.get("is_active", True)
    row["sealed_secret"] = seal(secret)
    row["event_id"] = _newest_event(project_id)
    inserted = sa.insert(WEBHOOKS).values(row)
    webhook = db.session.execute(inserted.returning(*SHOWN)).one()
    return Created(webhook, {"secret": secret})


def update_webhook(
    caller: Caller, project_id: int, webhook_id: int, body: Body, precondition: Precondition
) -> Row:
    """Change the fields that are sent; switched on again, it goes on at its bookmark.

    Raises:
        ProjectNotFound, Forbidden, WebhookNotFound, StaleRevision, Invalid
        EventGone: What comes after its bookmark is no longer kept.
    """
    if "url" in body:
        _checked(body["url"])
    before = _locked(caller, project_id, webhook_id)
    precondition(_shown(project_id, webhook_id))
    changed = changed_fields(before, body)
    values = {name: body[name] for name in changed}
    if values.keys() & {"url", "format"}:
        url = body.get("url") or unseal(before.sealed_url)
        webhook_format = body.get("format", before.format)
        values |= _address(url, webhook_format)
    if values.get("is_active"):
        _refuse_lost_events(before)
        values |= _untried()
    if values:
        _write(webhook_id, values)
    return _shown(project_id, webhook_id)


def delete_webhook(
    caller: Caller, project_id: int, webhook_id: int, precondition: Precondition
) -> None:
    """Raises ProjectNotFound, Forbidden, WebhookNotFound, StaleRevision."""
    _locked(caller, project_id, webhook_id)
    precondition(_shown(project_id, webhook_id))
    is_it = _webhook.id == webhook_id
    delete = sa.delete(WEBHOOKS).where(is_it)
    db.session.execute(delete)


def rotate_secret(caller: Caller, project_id: int, webhook_id: int) -> Body:
    """Make a new secret; for 24 hours the old one signs, too.

    Raises:
        ProjectNotFound, Forbidden, WebhookNotFound
    """
    before = _locked(caller, project_id, webhook_id)
    secret = new_secret()
    values: Body = {"sealed_secret": seal(secret), "sealed_previous": before.sealed_secret}
    values["previous_until"] = now() + BOTH_SIGN
    _write(webhook_id, values)
    return {"secret": secret}


def request_test(caller: Caller, project_id: int, webhook_id: int) -> None:
    """Let the courier send a test event. Raises ProjectNotFound, Forbidden, WebhookNotFound."""
    _locked(caller, project_id, webhook_id)
    _write(webhook_id, {"test_requested": True, "next_at": now()})


def replay(caller: Caller, project_id: int, webhook_id: int, from_event: int) -> None:
    """Deliver again from an event on.

    Raises:
        ProjectNotFound, Forbidden, WebhookNotFound
        Invalid: The project has had no such event yet.
        EventGone: It is no longer kept.
    """
    _locked(caller, project_id, webhook_id)
    if from_event > _newest_event(project_id):
        raise Invalid.field("from_event", "This project has no such event.")
    oldest = _oldest_event(project_id)
    if oldest is None or from_event < oldest:
        raise EventGone(f"The first event that is kept is {oldest}.")
    passed_over = from_event - 1
    _write(webhook_id, {"event_id": passed_over, **_untried()})


def skip(caller: Caller, project_id: int, webhook_id: int) -> None:
    """Pass over the event that fails; where none does, nothing happens, also at a retry.

    Raises:
        ProjectNotFound, Forbidden, WebhookNotFound
    """
    webhook = _locked(caller, project_id, webhook_id)
    is_after = _event.id > webhook.event_id
    next_event = _OLDEST_EVENT.where(is_after)
    event_id = db.session.scalar(next_event, {"in_id": project_id})
    if webhook.attempts > 0 and event_id is not None:
        _write(webhook_id, {"event_id": event_id, **_untried()})


def list_deliveries(caller: Caller, project_id: int, webhook_id: int, query: Body) -> Page:
    """The last hundred attempts, oldest first. Raises ProjectNotFound, Forbidden, …NotFound."""
    get_webhook(caller, project_id, webhook_id)
    of_webhook = DELIVERIES.c.webhook_id == webhook_id
    deliveries = sa.select(*DELIVERY_SHOWN).where(of_webhook)
    return page_by(deliveries, Delivery.id, **query)


def new_secret() -> str:
    """A secret as Standard Webhooks writes it: 256 random bits."""
    secret = b64encode(token_bytes(SECRET_BYTES))
    return f"whsec_{secret.decode()}"


def _checked(url: str) -> str:
    try:
        addresses.check(url, settings().webhook_networks)
    except addresses.BadAddress as error:
        raise Invalid.field("url", str(error)) from None
    return url


def _address(url: str, webhook_format: str) -> Body:
    """An address of a chat is a credential: it is shown masked."""
    shown = url
    if webhook_format != "standard":
        shown = addresses.masked(url)
    return {"url": shown, "sealed_url": seal(url), "format": webhook_format}


def _fresh() -> Body:
    at = now()
    return {
        "sealed_previous": None,
        "previous_until": None,
        "test_requested": False,
        "attempts": 0,
        "next_at": at,
        "leased_until": LONG_AGO,
        "failing_since": None,
        "created_at": at,
    }


def _untried() -> Body:
    """As one whose next event has not been tried yet."""
    return {"attempts": 0, "failing_since": None, "next_at": now()}


def _newest_event(project_id: int) -> int:
    newest = db.session.scalar(_NEWEST_EVENT, {"in_id": project_id})
    return newest or 0


def _oldest_event(project_id: int) -> int | None:
    oldest: int | None = db.session.scalar(_OLDEST_EVENT, {"in_id": project_id})
    return oldest


def _refuse_too_many(project_id: int) -> None:
    most = settings().max_webhooks_per_project
    of_project = _webhook.project_id == project_id
    count = db.session.scalar(_HOW_MANY.where(of_project))
    if count is not None and count >= most:
        detail = f"This project has {count} webhooks; MAX_WEBHOOKS_PER_PROJECT is {most}."
        raise QuotaExceeded(detail)


def _refuse_lost_events(webhook: Row) -> None:
    """Refuse to go on at a bookmark behind which events are no longer kept."""
    oldest = _oldest_event(webhook.project_id)
    bookmark = webhook.event_id
    if oldest is not None and 0 < bookmark < oldest - 1:
        detail = f"The first event that is kept is {oldest}: replay from it."
        raise EventGone(detail)


def _locked(caller: Caller, project_id: int, webhook_id: int) -> Row:
    """All of a webhook, with its project locked for an owner."""
    lock_project(caller, project_id, OWN)
    which = sa.select(WEBHOOKS).filter_by(id=webhook_id, project_id=project_id)
    result = db.session.execute(which)
    return one_or_raise(result, WebhookNotFound)


def _shown(project_id: int, webhook_id: int) -> Row:
    """A webhook as it is shown, inside the writing transaction."""
    webhook = _one(project_id, webhook_id)
    return db.session.execute(webhook).one()


def _one(project_id: int, webhook_id: int) -> sa.Select[Any]:
    is_it = _webhook.id == webhook_id
    of_project = _webhook.project_id == project_id
    return sa.select(*SHOWN).where(is_it, of_project)


def _write(webhook_id: int, values: Body) -> None:
    is_it = _webhook.id == webhook_id
    update = sa.update(WEBHOOKS).where(is_it)
    db.session.execute(update.values(values))
