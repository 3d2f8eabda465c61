"""Webhooks on the wire."""

from marshmallow import Schema, validate

from taskapp.ledger.events import KINDS
from taskapp.web import fields
from taskapp.web.fields import example
from taskapp.webhooks.addresses import MAX_URL
from taskapp.webhooks.models import FORMATS, RESULTS

KIND = fields.Choice(KINDS)
ALL_KINDS = validate.Length(max=len(KINDS))
EXAMPLE_URL = example("https://example.com/hooks/tasks")
WHICH_KINDS = {"description": "Kinds of events to send; an empty list stands for all."}
SHOWN_ONCE = {"description": "The secret to verify signatures with; shown this once."}


class WebhookSchema(fields.Resource):
    """A webhook: where the events of a project are sent.

    Attributes:
        id: The webhook's number.
        url: Where events are sent; shown masked where the address is itself a secret.
        format: `standard`: signed JSON (Standard Webhooks); the others are messages for chat
            programs.
        is_active: `false`: nothing is sent; switched on again, it goes on where it stopped.
        failing_since: Since when deliveries fail; null: the last one went well.
        created_at: When it was created.
    """

    location = "/api/v1/projects/{project_id}/webhooks/{id}"
    id = fields.Int(dump_only=True)
    url = fields.Text(min=1, max=MAX_URL, required=True, metadata=EXAMPLE_URL)
    kinds = fields.List(KIND, validate=ALL_KINDS, metadata=WHICH_KINDS)
    format = fields.Choice(FORMATS)
    is_active = fields.Bool()
    failing_since = fields.Time(dump_only=True, allow_none=True)
    created_at = fields.Time(dump_only=True)


class NewWebhookSchema(WebhookSchema):
    """A new webhook, with its secret."""

    secret = fields.Text(max=100, dump_only=True, metadata=SHOWN_ONCE)


class RotatedSchema(Schema):
    """The new secret; for 24 hours the old one signs, too."""

    secret = fields.Text(max=100, required=True, metadata=SHOWN_ONCE)


class ReplaySchema(Schema):
    """From which event on.

    Attributes:
        from_event: The `id` of the event to begin with.
    """

    from_event = fields.Int(required=True, metadata=example(4711))


class DeliverySchema(Schema):
    """One attempt.

    Attributes:
        id: The attempt's number.
        event_id: The event that was sent; 0 for a test.
        at: When it was sent.
        status: What came of it.
        code: The HTTP status of the answer; null where there was none.
        ms: How many milliseconds it took.
        next_at: When it is tried again; null: it is not.
    """

    id = fields.Int(required=True)
    event_id = fields.Int(min=0, required=True)
    at = fields.Time(required=True)
    status = fields.Choice(RESULTS, required=True)
    code = fields.Int(min=100, max=599, required=True, allow_none=True)
    ms = fields.Int(min=0, required=True)
    next_at = fields.Time(required=True, allow_none=True)


WEBHOOK = WebhookSchema()
WEBHOOK_PATCH = WebhookSchema(partial=True)
WEBHOOK_PAGE = fields.page_of(WebhookSchema)()
NEW_WEBHOOK = NewWebhookSchema()
ROTATED = RotatedSchema()
REPLAY = ReplaySchema()
DELIVERY_PAGE = fields.page_of(DeliverySchema)()
