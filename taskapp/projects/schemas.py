"""Projects and members on the wire."""

from marshmallow import Schema

from taskapp.ledger.models import ROLES
from taskapp.web import fields
from taskapp.web.fields import example

EXAMPLE_NAME = example("Garden")
KINDS = ("inbox", "shared")


class ProjectSchema(fields.Resource):
    """A project: tasks, and who may see or change them.

    Attributes:
        id: The project's number, in addresses and in `project_id` of tasks.
        name: What it is called.
        description: What it is for; text, in which line breaks are kept.
        kind: `inbox`: the one project that every user has alone; `shared`: any other.
        role: What you may do in it. Viewers read; editors change tasks, comments and attachments;
            owners also the project and its members.
        archived_at: When it was archived; null: it is in use. Set it to archive, null it to bring
            back.
        revision: How often anything in it was changed.
        created_at: When it was created.
        updated_at: When its own fields were last changed.
    """

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
    """A member of a project.

    Attributes:
        user_id: The user who is a member.
        email: The e-mail address of the account.
        name: What the user is called.
        role: What the member may do: `viewer` reads, `editor` changes tasks, `owner` also the
            project and its members.
        created_at: When the user became a member.
    """

    location = "/api/v1/projects/{project_id}/members/{user_id}"
    user_id = fields.Int(dump_only=True)
    email = fields.Email(required=True)
    name = fields.Text(max=200, dump_only=True)
    role = fields.Choice(ROLES, required=True)
    created_at = fields.Time(dump_only=True)


class InvitedSchema(Schema):
    """Who is invited; the same whether or not there is such an account.

    Attributes:
        email: The address that was invited.
        role: What the member will be allowed to do.
        state: Always `invited`: the address has to accept.
    """

    email = fields.Email(required=True)
    role = fields.Choice(ROLES, required=True)
    state = fields.Choice(("invited",), required=True)


class InvitationSchema(Schema):
    """A pending invitation into a project.

    Attributes:
        id: The invitation's number, in the addresses that accept and decline it.
        project_id: The project.
        project_name: What the project is called.
        email: The address that is invited.
        role: What the member will be allowed to do.
        invited_by: The user who invited.
        created_at: When it was sent.
        expires_at: When it ends if nobody has answered.
    """

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
