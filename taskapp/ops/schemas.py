"""What operations endpoints answer."""

from __future__ import annotations

from marshmallow import Schema, fields

from taskapp.fields import Choice


class HealthSchema(Schema):
    """How the service is."""

    status = Choice(("ok", "degraded"), required=True)
    checks = fields.Dict(keys=fields.String(), values=Choice(("ok", "down", "unused")))
