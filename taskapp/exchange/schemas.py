"""What an import answers."""

from marshmallow import Schema

from taskapp.web import fields

# `as` is a word of Python's own, so no attribute can have this name.
FeedQuerySchema = Schema.from_dict(
    {"as": fields.Choice(("events", "todos"), load_default="events")}, name="FeedQuerySchema"
)


class ImportedSchema(Schema):
    """How many tasks an import made, changed, and found as they should be.

    `ignored` counts values of created_at and completed_at that only an owner may set.
    """

    created = fields.Int(min=0, required=True)
    updated = fields.Int(min=0, required=True)
    unchanged = fields.Int(min=0, required=True)
    ignored = fields.Int(min=0, required=True)
