"""What operations endpoints answer."""

from marshmallow import Schema

from taskapp import fields


class HealthSchema(Schema):
    """How the service is."""

    status = fields.Choice(("ok", "degraded"), required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.Choice(("ok", "down", "unused")))
