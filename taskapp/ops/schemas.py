"""What operations endpoints answer."""

from marshmallow import Schema, validate
from marshmallow.fields import Float

from taskapp import fields

STATES = ("ok", "degraded", "down")


class HealthSchema(Schema):
    """How the service is."""

    status = fields.Choice(STATES, required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.Choice(("ok", "down", "unused")))


class FindingSchema(Schema):
    """What a check found, in how many milliseconds, and what would mend it."""

    name = fields.Text(max=40, required=True)
    status = fields.Choice(STATES, required=True)
    detail = fields.Text(max=1000, required=True)
    remedy = fields.Text(max=1000, required=True)
    ms = Float(required=True, validate=validate.Range(0, 600_000))


class DetailedHealthSchema(Schema):
    """How each part of the service is."""

    status = fields.Choice(STATES, required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.Nested(FindingSchema))
