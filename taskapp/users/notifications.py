"""What users want to be mailed, and when the next digest of each is due."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from taskapp.database.session import Body, Row, now
from taskapp.extensions import db
from taskapp.mail.service import within_rate
from taskapp.tasks.due import to_utc
from taskapp.users.access import USERS

SENT_LATE = dt.timedelta(hours=12)  # a digest that is later than this is passed over
DAY = dt.timedelta(days=1)
_user = USERS.c
_REACHED = (_user.id, _user.email, _user.email_verified, _user.notifications)


def merged(before: Row, body: Body) -> Body:
    """The body of a change with all that is wanted: what it leaves out stays as it is."""
    if "notifications" not in body:
        return body
    return {**body, "notifications": {**before.notifications, **body["notifications"]}}


def digest_columns(before: Row, body: Body) -> Body:
    """When the next digest is due, if its time of day or the zone changes."""
    digest_at = body.get("notifications", before.notifications)["digest_at"]
    zone = body.get("timezone", before.timezone)
    if (digest_at, zone) == (before.notifications["digest_at"], before.timezone):
        return {}
    return {"next_digest_at": next_digest(digest_at, zone, now())}


def next_digest(digest_at: str | None, zone: str, after: dt.datetime) -> dt.datetime | None:
    """The first moment after this one at which the clocks of a zone show a time of day."""
    if digest_at is None:
        return None
    here = ZoneInfo(zone)
    wall = dt.time.fromisoformat(digest_at)
    day = after.astimezone(here).date()
    moment = after
    while moment <= after:  # twice at most: a gap moves a time by an hour
        moment = to_utc(dt.datetime.combine(day, wall), here)
        day += DAY
    return moment


def wanting(user_id: int, name: str) -> Row | None:
    """The active user, if they want mails of this kind; of an unproved address three an hour."""
    columns: sa.Select[Any] = sa.select(*_REACHED)
    user = db.session.execute(columns.filter_by(id=user_id, is_active=True)).one_or_none()
    if user is None or not user.notifications[name]:
        return None
    return user if user.email_verified or within_rate(user.email) else None


def take_due_digest() -> tuple[Row, bool] | None:
    """A user whose digest is due, and whether to send it; the next one is set down already."""
    moment = now()
    is_due = sa.and_(_user.next_digest_at <= moment, _user.is_active)
    columns: sa.Select[Any] = sa.select(*_REACHED, _user.timezone, _user.next_digest_at)
    due = columns.where(is_due).order_by(_user.next_digest_at).limit(1)
    user = db.session.execute(due.with_for_update(skip_locked=True)).one_or_none()
    if user is None:
        return None
    later = next_digest(user.notifications["digest_at"], user.timezone, moment)
    update = sa.update(USERS).where(_user.id == user.id)
    db.session.execute(update.values(next_digest_at=later))
    return user, moment - user.next_digest_at <= SENT_LATE


def any_digest_due() -> sa.Select[int]:
    """Whether one waits: for a look each second, on an index."""
    return sa.select(_user.id).where(_user.next_digest_at <= now(), _user.is_active).limit(1)
