"""Users on the wire."""

from marshmallow import Schema

from taskapp import fields
from taskapp.fields import PageQuerySchema, example, page_of
from taskapp.users.models import ROLES


class UserSchema(fields.Resource):
    """A user."""

    url = "/api/v1/users/{id}"
    id = fields.Int(dump_only=True)
    email = fields.Email()
    name = fields.Text(max=200)
    role = fields.Choice(ROLES)
    is_active = fields.Bool()
    created_at = fields.Time(dump_only=True)
    updated_at = fields.Time(dump_only=True)


UserPageSchema = page_of(UserSchema)


class NewUserSchema(Schema):
    """What it takes to register."""

    email = fields.Email(required=True)
    password = fields.Password(required=True)
    name = fields.Text(min=1, max=200, trim=True, required=True, metadata=example("Alice"))


class NewUserByAdminSchema(NewUserSchema):
    """What it takes to make an account for somebody else."""

    role = fields.Choice(ROLES)
    is_active = fields.Bool()


class UserPatchSchema(NewUserByAdminSchema):
    """What an admin changes of a user."""

    class Meta:
        exclude = ("password",)


class MePatchSchema(Schema):
    """What users change of themselves; a new `email` wants `current_password`."""

    name = fields.Text(min=1, max=200, trim=True, metadata=example("Alice"))
    email = fields.Email()
    current_password = fields.Password()


class CurrentPasswordSchema(Schema):
    """Proof that it is really you."""

    current_password = fields.Password(required=True)


class UserQuerySchema(PageQuerySchema):
    """The query of the user list."""

    q = fields.Text(min=1, max=200)
    role = fields.Choice(ROLES)
    is_active = fields.QueryBool()
