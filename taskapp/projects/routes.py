"""The project, member and invitation endpoints."""

from flask import Blueprint

from taskapp.database.pages import Accepted, Page
from taskapp.database.session import Body, Row
from taskapp.errors import Conflict, Forbidden, QuotaExceeded
from taskapp.projects import invitations as invited
from taskapp.projects import schemas, service
from taskapp.web.conditional import if_match
from taskapp.web.contract import accepts, replies
from taskapp.web.current import caller
from taskapp.web.fields import PAGE_QUERY

projects = Blueprint("projects", __name__, url_prefix="/api/v1/projects")
invitations = Blueprint("invitations", __name__, url_prefix="/api/v1/invitations")
PROJECT_URL = "/<id:project_id>"
MEMBERS_URL = "/<id:project_id>/members"
MEMBER_URL = f"{MEMBERS_URL}/<id:user_id>"
INVITATIONS_URL = "/<id:project_id>/invitations"
REFUSALS = (Forbidden, Conflict, QuotaExceeded)


@projects.get("")
@accepts(query=PAGE_QUERY)
@replies(schemas.PROJECT_PAGE)
def list_projects(query: Body) -> Page:
    """List your projects, oldest first.

    Your inbox, and every project that you own or were added to, with your role in it.
    """
    return service.list_projects(caller(), query)


@projects.post("")
@accepts(body=schemas.PROJECT)
@replies(schemas.PROJECT, 201, QuotaExceeded)
def create_project(body: Body) -> Row:
    """Create a shared project, and own it.

    You may add others as members next.
    """
    return service.create_project(caller(), body)


@projects.get(PROJECT_URL)
@replies(schemas.PROJECT)
def get_project(project_id: int) -> Row:
    """Show one project.

    Its ETag is what `If-Match` wants when you change it.
    """
    return service.get_project(caller(), project_id)


@projects.patch(PROJECT_URL)
@accepts(body=schemas.PROJECT_PATCH)
@replies(schemas.PROJECT, 200, *REFUSALS)
def update_project(project_id: int, body: Body) -> Row:
    """Change the fields that are sent; `archived_at` archives, null brings back.

    Owners may. Everybody's inbox keeps its kind, and cannot be archived.
    """
    return service.update_project(caller(), project_id, body, if_match())


@projects.delete(PROJECT_URL)
@replies(None, 204, *REFUSALS)
def delete_project(project_id: int) -> None:
    """Delete a project and everything in it.

    Its tasks, comments and attachments go with it. Owners may; an inbox cannot be deleted.
    """
    service.delete_project(caller(), project_id, if_match())


@projects.get(MEMBERS_URL)
@accepts(query=PAGE_QUERY)
@replies(schemas.MEMBER_PAGE)
def list_members(project_id: int, query: Body) -> Page:
    """List who is in a project.

    Everybody in the project sees all of them.
    """
    return service.list_members(caller(), project_id, query)


@projects.post(MEMBERS_URL)
@accepts(body=schemas.MEMBER)
@replies(schemas.MEMBER, 201, *REFUSALS, accepted=schemas.INVITED)
def add_member(project_id: int, body: Body) -> Row | Accepted:
    """Add a user, by e-mail address; 202 where the address is invited and has to accept.

    Owners may. Without invitations the address must be that of an account; an inbox has no members
    but its user.
    """
    return service.add_member(caller(), project_id, body)


@projects.get(MEMBER_URL)
@replies(schemas.MEMBER)
def get_member(project_id: int, user_id: int) -> Row:
    """Show one member.

    Its ETag is what `If-Match` wants when you change the role.
    """
    return service.get_member(caller(), project_id, user_id)


@projects.patch(MEMBER_URL)
@accepts(body=schemas.MEMBER_PATCH)
@replies(schemas.MEMBER, 200, *REFUSALS, accepted=schemas.INVITED)
def update_member(project_id: int, user_id: int, body: Body) -> Row | Accepted:
    """Give a member another role; 202 where who is to be an owner has to accept.

    Owners may. The last owner stays one.
    """
    return service.update_member(caller(), project_id, user_id, body, if_match())


@projects.delete(MEMBER_URL)
@replies(None, 204, *REFUSALS)
def remove_member(project_id: int, user_id: int) -> None:
    """Remove a member, or leave; tasks that were theirs stay, unassigned.

    Owners remove anybody; everybody may remove themselves, but for the last owner.
    """
    service.remove_member(caller(), project_id, user_id, if_match())


@projects.get(INVITATIONS_URL)
@accepts(query=PAGE_QUERY)
@replies(schemas.INVITATION_PAGE, 200, Forbidden)
def list_project_invitations(project_id: int, query: Body) -> Page:
    """List who is invited into a project and has not answered.

    Owners see them. An invitation ends after 14 days.
    """
    return invited.list_of_project(caller(), project_id, query)


@projects.delete(f"{INVITATIONS_URL}/<id:invitation_id>")
@replies(None, 204, Forbidden)
def withdraw_invitation(project_id: int, invitation_id: int) -> None:
    """Withdraw an invitation.

    Owners may; whoever was invited can no longer accept.
    """
    invited.withdraw(caller(), project_id, invitation_id)


@invitations.get("")
@accepts(query=PAGE_QUERY)
@replies(schemas.INVITATION_PAGE)
def list_invitations(query: Body) -> Page:
    """List the projects that you are invited into; your address must be proved.

    Accept or decline each at its own address; before the address is proved the list is empty.
    """
    return invited.list_own(caller(), query)


@invitations.post("/<id:invitation_id>/accept")
@replies(schemas.PROJECT, 200, QuotaExceeded)
def accept_invitation(invitation_id: int) -> Row:
    """Accept an invitation: become a member of the project.

    With the role that the invitation names; the answer is the project.
    """
    return service.accept_invitation(caller(), invitation_id)


@invitations.post("/<id:invitation_id>/decline")
@replies(None, 204)
def decline_invitation(invitation_id: int) -> None:
    """Decline an invitation.

    It is gone then, and you may be invited again.
    """
    invited.decline(caller(), invitation_id)
