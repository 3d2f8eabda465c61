"""Signing in at an identity provider, on the wire."""

from typing import Any

from marshmallow import Schema, pre_load, validate

from taskapp.auth.places import NO_PATH, PATH
from taskapp.web import fields
from taskapp.web.fields import example


class OidcSchema(Schema):
    """The identity provider.

    Attributes:
        name: What people call it.
        start: Where the browser goes to sign in there; `next` says where it goes on afterwards.
    """

    name = fields.Text(max=100, required=True)
    start = fields.Text(max=2000, required=True)


class ProvidersSchema(Schema):
    """How one can sign in here.

    Attributes:
        password: With a password: `POST /api/v1/auth/login`.
        oidc: At an identity provider; `null` where none is set up.
        proxy: Whether a proxy in front may say who is calling.
    """

    password = fields.Bool(required=True)
    oidc = fields.Nested(OidcSchema, required=True, allow_none=True)
    proxy = fields.Bool(required=True)


class OidcLoginQuerySchema(Schema):
    """Where the page goes on after the sign-in.

    Attributes:
        next: A path of this service; the page by default.
    """

    next = fields.Text(
        min=1,
        max=2000,
        validate=[validate.Regexp(rf"{PATH}\Z", error=NO_PATH)],
        metadata={"pattern": f"^{PATH}$", **example("/?view=board")},
    )


class OidcCallbackQuerySchema(Schema):
    """What the identity provider sends along; whatever else it sends is left alone (RFC 6749).

    Attributes:
        code: What is swapped for who signed in.
        state: As this service sent it.
        iss: The provider (RFC 9207).
        error: Why there is no code.
    """

    code = fields.Text(min=1, max=8000)
    state = fields.Text(min=1, max=200)
    iss = fields.Text(min=1, max=2000)
    error = fields.Text(max=200)

    @pre_load
    def leave_others_alone(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name in self.fields}


class OidcCodeSchema(Schema):
    """The code that the page got in its address.

    Attributes:
        code: What stands behind `#code=`, decoded.
    """

    code = fields.Text(
        min=1, max=16_000, required=True, load_only=True, metadata=example("3f2a…:gAAAA…")
    )


PROVIDERS = ProvidersSchema()
OIDC_LOGIN_QUERY = OidcLoginQuerySchema()
OIDC_CALLBACK_QUERY = OidcCallbackQuerySchema()
OIDC_CODE = OidcCodeSchema()
