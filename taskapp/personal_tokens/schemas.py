"""Personal tokens on the wire."""

from marshmallow import validate

from taskapp.caller import SCOPES
from taskapp.web import fields
from taskapp.web.fields import example

ONE_OF_EACH = validate.Length(min=1, max=len(SCOPES))


class TokenSchema(fields.Resource):
    """A personal token; `feed` opens the calendar feed and nothing else.

    Attributes:
        id: The token's number, in the address that deletes it.
        name: What you call it: where it is used.
        scopes: What it may do: `read`; `write`, which includes `read`; `admin`, which includes
            `write`; `feed` alone opens your calendar feed and nothing else.
        expires_at: When it runs out; null: not before it is deleted.
    """

    location = "/api/v1/auth/tokens/{id}"
    id = fields.Int(dump_only=True)
    name = fields.Text(min=1, max=200, trim=True, required=True, metadata=example("nightly"))
    scopes = fields.List(fields.Choice(tuple(SCOPES)), required=True, validate=ONE_OF_EACH)
    expires_at = fields.Time(allow_none=True)


class NewTokenSchema(TokenSchema):
    """A new personal token: the only answer that shows its secret.

    Attributes:
        token: The secret, `tsk_…`: keep it now, it is not shown again.
        feed_url: The address to subscribe to in a calendar program; only with the scope `feed`.
    """

    token = fields.Text(max=100, dump_only=True)
    feed_url = fields.Address(max=2000, dump_only=True, metadata=fields.ABSENT)


TOKEN = TokenSchema()
NEW_TOKEN = NewTokenSchema()
TOKEN_PAGE = fields.page_of(TokenSchema)()
