"""Projects and members on the wire."""

from __future__ import annotations

from marshmallow import Schema

from taskapp.fields import Choice, Email, Int, Text, Time, page_of
from taskapp.projects.models import ROLES


class ProjectSchema(Schema):
    """A project. Clients write `name`, `description` and `archived_at`."""

    id = Int(dump_only=True)
    name = Text(min=1, max=200, trim=True, required=True)
    description = Text(max=20_000)
    kind = Choice(("inbox", "shared"), dump_only=True)
    role = Choice(ROLES, dump_only=True)
    archived_at = Time(allow_none=True)
    revision = Int(min=0, dump_only=True)
    created_at = Time(dump_only=True)
    updated_at = Time(dump_only=True)


class MemberSchema(Schema):
    """A member of a project."""

    user_id = Int(dump_only=True)
    email = Email(required=True)
    name = Text(max=200, dump_only=True)
    role = Choice(ROLES, required=True)
    created_at = Time(dump_only=True)


class MemberRoleSchema(Schema):
    """What can be changed of a member."""

    role = Choice(ROLES, required=True)


ProjectPageSchema = page_of(ProjectSchema)
MemberPageSchema = page_of(MemberSchema)
