"""What an import answers."""

from marshmallow import Schema

from taskapp.web import fields


class ImportedSchema(Schema):
    """How many tasks an import made, changed, and found as they should be."""

    created = fields.Int(min=0, required=True)
    updated = fields.Int(min=0, required=True)
    unchanged = fields.Int(min=0, required=True)
