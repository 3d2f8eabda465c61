"""Users on the wire."""

from marshmallow import Schema

from taskapp.users.models import ROLES
from taskapp.web import fields
from taskapp.web.dates import TimeZone
from taskapp.web.fields import PageQuerySchema, example

VERIFIED = {
    "description": "Whether the address was proved to be the user's; what an admin makes counts as"
    " proved, and a changed address does not."
}


class UserSchema(fields.Resource):
    """A user. Admins write every field that is not read-only."""

    location = "/api/v1/users/{id}"
    id = fields.Int(dump_only=True)
    email = fields.Email(required=True)
    name = fields.Text(min=1, max=200, trim=True, required=True, metadata=example("Alice"))
    role = fields.Choice(ROLES)
    is_active = fields.Bool()
    email_verified = fields.Bool(metadata=VERIFIED)
    timezone = TimeZone()
    inbox_id = fields.Int(dump_only=True)
    created_at = fields.Time(dump_only=True)
    updated_at = fields.Time(dump_only=True)


class NewUserByAdminSchema(UserSchema):
    """What it takes to make an account for somebody else."""

    password = fields.Password(required=True)


class NewUserSchema(NewUserByAdminSchema):
    """What it takes to register."""

    class Meta:
        exclude = ("role", "is_active", "email_verified")


class MePatchSchema(Schema):
    """What users change of themselves; a new `email` wants `current_password`."""

    name = fields.Text(min=1, max=200, trim=True, metadata=example("Alice"))
    email = fields.Email()
    timezone = TimeZone()
    current_password = fields.Password()


class CurrentPasswordSchema(Schema):
    """Proof that it is really you."""

    current_password = fields.Password(required=True)


class UserQuerySchema(PageQuerySchema):
    """The query of the user list."""

    q = fields.Text(min=1, max=200)
    role = fields.Choice(ROLES)
    is_active = fields.QueryBool()


USER = UserSchema()
USER_PATCH = UserSchema(partial=True)
USER_PAGE = fields.page_of(UserSchema)()
USER_QUERY = UserQuerySchema()
NEW_USER = NewUserSchema()
NEW_USER_BY_ADMIN = NewUserByAdminSchema()
ME_PATCH = MePatchSchema(partial=True)
CURRENT_PASSWORD = CurrentPasswordSchema()
