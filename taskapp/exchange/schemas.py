"""What an import answers."""

from marshmallow import Schema

from taskapp.web import fields

# `as` is a keyword of Python, so no attribute can have this name.
FeedQuerySchema = Schema.from_dict(
    {"as": fields.Choice(("events", "todos"), load_default="events")}, name="FeedQuerySchema"
)
FeedQuerySchema.__doc__ = """How a calendar program is to see the tasks.

Attributes:
    as: `events`: what is due, which every program shows; `todos`: as tasks, which some know.
"""


class ImportedSchema(Schema):
    """How many tasks an import made, changed, and found as they should be.

    `ignored` counts values of created_at and completed_at that only an owner may set.

    Attributes:
        created: How many tasks were created.
        updated: How many tasks with an `external_id` of the file were changed.
        unchanged: How many were as the file has them already.
        ignored: How many values of `created_at` and `completed_at` were left out, since only an
            owner of the project may set them.
    """

    created = fields.Int(min=0, required=True)
    updated = fields.Int(min=0, required=True)
    unchanged = fields.Int(min=0, required=True)
    ignored = fields.Int(min=0, required=True)
