"""Users on the wire."""

from __future__ import annotations

from marshmallow import Schema

from taskapp.fields import (
    Bool,
    Choice,
    Email,
    Int,
    PageQuerySchema,
    Password,
    QueryBool,
    Text,
    Time,
    page_of,
)
from taskapp.users.models import ROLES


class UserSchema(Schema):
    """A user."""

    id = Int(dump_only=True)
    email = Email()
    name = Text(max=200)
    role = Choice(ROLES)
    is_active = Bool()
    created_at = Time(dump_only=True)
    updated_at = Time(dump_only=True)


UserPageSchema = page_of(UserSchema)


class NewUserSchema(Schema):
    """What it takes to register."""

    email = Email(required=True)
    password = Password(required=True)
    name = Text(min=1, max=200, trim=True, required=True)


class NewUserByAdminSchema(NewUserSchema):
    """What it takes to make an account for somebody else."""

    role = Choice(ROLES)
    is_active = Bool()


class UserPatchSchema(Schema):
    """What an admin changes of a user."""

    email = Email()
    name = Text(min=1, max=200, trim=True)
    role = Choice(ROLES)
    is_active = Bool()


class MePatchSchema(Schema):
    """What users change of themselves; a new `email` wants `current_password`."""

    name = Text(min=1, max=200, trim=True)
    email = Email()
    current_password = Password()


class CurrentPasswordSchema(Schema):
    """Proof that it is really you."""

    current_password = Password(required=True)


class UserQuerySchema(PageQuerySchema):
    """The query of the user list."""

    q = Text(min=1, max=200)
    role = Choice(ROLES)
    is_active = QueryBool()
