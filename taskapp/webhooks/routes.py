"""The webhook endpoints, for owners of a project."""

from flask import Blueprint

from taskapp.database.pages import Created, Page
from taskapp.database.session import Body, Row
from taskapp.errors import CursorExpired, Forbidden, QuotaExceeded
from taskapp.web.conditional import if_match
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller
from taskapp.web.fields import PAGE_QUERY
from taskapp.webhooks import schemas, service
from taskapp.webhooks.schemas import NEW_WEBHOOK, WEBHOOK

webhooks = Blueprint("webhooks", __name__, url_prefix="/api/v1/projects/<id:project_id>/webhooks")
ONE = "/<id:webhook_id>"


@webhooks.get("")
@accepts(query=PAGE_QUERY)
@replies(schemas.WEBHOOK_PAGE, 200, Forbidden)
def list_webhooks(project_id: int, query: Body) -> Page:
    """List the webhooks of a project.

    Owners of the project see them.
    """
    return service.list_webhooks(caller(), project_id, query)


@webhooks.post("")
@accepts(body=WEBHOOK)
@replies(NEW_WEBHOOK, 201, Forbidden, QuotaExceeded)
def create_webhook(project_id: int, body: Body) -> Created:
    """Create a webhook; its secret is shown this once.

    Events are sent in their order, each at least once, signed as Standard Webhooks 1.0 says. Owners
    of the project may.
    """
    return service.create_webhook(caller(), project_id, body)


@webhooks.get(ONE)
@replies(WEBHOOK, 200, Forbidden)
def get_webhook(project_id: int, webhook_id: int) -> Row:
    """Get one webhook.

    `failing_since` says whether its deliveries arrive.
    """
    return service.get_webhook(caller(), project_id, webhook_id)


@webhooks.patch(ONE)
@accepts(body=schemas.WEBHOOK_PATCH)
@replies(WEBHOOK, 200, Forbidden, CursorExpired)
def update_webhook(project_id: int, webhook_id: int, body: Body) -> Row:
    """Change a webhook; switched on again, it goes on where it stopped.

    What is not sent stays. 410 when what it missed is no longer kept: the problem names the first
    event that is.
    """
    return service.update_webhook(caller(), project_id, webhook_id, body, if_match())


@webhooks.delete(ONE)
@replies(None, 204, Forbidden)
def delete_webhook(project_id: int, webhook_id: int) -> None:
    """Delete a webhook.

    What has not been sent by then is not sent.
    """
    service.delete_webhook(caller(), project_id, webhook_id, if_match())


@webhooks.post(f"{ONE}/rotate")
@replies(schemas.ROTATED, 200, Forbidden)
def rotate_secret(project_id: int, webhook_id: int) -> Body:
    """Make a new secret; both sign for 24 hours.

    So that the receiver can be changed in the meantime.
    """
    return service.rotate_secret(caller(), project_id, webhook_id)


@webhooks.post(f"{ONE}/test")
@replies(None, 202, Forbidden)
def test_webhook(project_id: int, webhook_id: int) -> None:
    """Have a test event delivered.

    The courier sends it in a moment; see `deliveries` for what came of it.
    """
    service.request_test(caller(), project_id, webhook_id)


@webhooks.post(f"{ONE}/replay")
@accepts(body=schemas.REPLAY)
@replies(None, 202, Forbidden, CursorExpired)
def replay_events(project_id: int, webhook_id: int, body: Body) -> None:
    """Deliver again, from an event on.

    Whoever receives them knows by `webhook-id` what came before.
    """
    service.replay(caller(), project_id, webhook_id, body["from_event"])


@webhooks.post(f"{ONE}/skip")
@replies(None, 204, Forbidden)
def skip_event(project_id: int, webhook_id: int) -> None:
    """Pass over the event that fails.

    For an event that the receiver will never take: the next one is sent.
    """
    service.skip(caller(), project_id, webhook_id)


@webhooks.get(f"{ONE}/deliveries")
@accepts(query=PAGE_QUERY)
@replies(schemas.DELIVERY_PAGE, 200, Forbidden)
def list_deliveries(project_id: int, webhook_id: int, query: Body) -> Page:
    """List the last hundred attempts, oldest first.

    Each with the event, what came of it, how long it took, and when it is tried again.
    """
    return service.list_deliveries(caller(), project_id, webhook_id, query)
