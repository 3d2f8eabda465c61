"""Projects and members on the wire."""

from marshmallow import Schema

from taskapp.ledger.models import ROLES
from taskapp.web import fields
from taskapp.web.fields import example

EXAMPLE_NAME = example("Garden")
KINDS = ("inbox", "shared")


class ProjectSchema(fields.Resource):
    """A project. Clients write `name`, `description` and `archived_at`."""

    location = "/api/v1/projects/{id}"
    id = fields.Int(dump_only=True)
    name = fields.Text(min=1, max=200, trim=True, required=True, metadata=EXAMPLE_NAME)
    description = fields.Text(max=20_000)
    kind = fields.Choice(KINDS, dump_only=True)
    role = fields.Choice(ROLES, dump_only=True)
    archived_at = fields.Time(allow_none=True)
    revision = fields.Int(min=0, dump_only=True)
    created_at = fields.Time(dump_only=True)
    updated_at = fields.Time(dump_only=True)


class MemberSchema(fields.Resource):
    """A member of a project."""

    location = "/api/v1/projects/{project_id}/members/{user_id}"
    user_id = fields.Int(dump_only=True)
    email = fields.Email(required=True)
    name = fields.Text(max=200, dump_only=True)
    role = fields.Choice(ROLES, required=True)
    created_at = fields.Time(dump_only=True)


class InvitedSchema(Schema):
    """Who is invited; the same whether or not there is such an account."""

    email = fields.Email(required=True)
    role = fields.Choice(ROLES, required=True)
    state = fields.Choice(("invited",), required=True)


class InvitationSchema(Schema):
    """A pending invitation into a project."""

    id = fields.Int(required=True)
    project_id = fields.Int(required=True)
    project_name = fields.Text(max=200, required=True)
    email = fields.Email(required=True)
    role = fields.Choice(ROLES, required=True)
    invited_by = fields.Int(required=True)
    created_at = fields.Time(required=True)
    expires_at = fields.Time(required=True)


PROJECT = ProjectSchema()
PROJECT_PATCH = ProjectSchema(partial=True)
PROJECT_PAGE = fields.page_of(ProjectSchema)()
MEMBER = MemberSchema()
MEMBER_PATCH = MemberSchema(only=("role",), partial=True)
INVITED = InvitedSchema()
INVITATION_PAGE = fields.page_of(InvitationSchema)()
MEMBER_PAGE = fields.page_of(MemberSchema)()
