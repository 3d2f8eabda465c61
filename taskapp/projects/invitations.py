"""Who is invited into a project: an address, whether or not it has an account.

Only who has proved the address sees the invitation and accepts it, so nothing here tells an owner
who has an account. An account of an address that merely compares alike (`ß` with `ss`) is somebody
else's. A member who is to be an owner is asked in the same way, and is known already;
after a change of the account they prove the address, or are asked once more.
"""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from taskapp.caller import Caller
from taskapp.database.pages import Accepted, Page, page_by
from taskapp.database.quotas import PROJECTS_OF_USER, take
from taskapp.database.session import Body, now, one_or_raise, read
from taskapp.errors import Conflict, NotFound, QuotaExceeded
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS, MEMBERSHIPS, OWN, PROJECTS, require_role
from taskapp.ledger.members import join
from taskapp.ledger.revisions import Lock, Revision, lock_project, lock_to_join, record
from taskapp.mail import service as mail
from taskapp.projects.models import Invitation
from taskapp.schema import table
from taskapp.users.access import USERS, email_key, email_of, mailbox_key

INVITATIONS = table(Invitation)
LASTS = dt.timedelta(days=14)
MOST_PENDING = 50
_invitation = INVITATIONS.c
_user = USERS.c
SHOWN = (
    _invitation.id,
    _invitation.project_id,
    PROJECTS.c.name.label("project_name"),
    _invitation.email,
    _invitation.role,
    _invitation.invited_by,
    _invitation.created_at,
    _invitation.expires_at,
)
_OF_PROJECT = PROJECTS.c.id == _invitation.project_id
_SHOWN = sa.select(*SHOWN).join(PROJECTS, _OF_PROJECT)
_OF_USER = MEMBERSHIPS.c.user_id == _user.id
_IN_IT = MEMBERSHIPS.c.project_id == _invitation.project_id
_ROLES_IN_IT = sa.select(MEMBERSHIPS.c.role).where(_OF_USER, _IN_IT)
_IS_MEMBER = _ROLES_IN_IT.exists()
# Of an account that was changed since, the address may be another one: that of whom it is for.
_IS_AS_ASKED = sa.and_(_IS_MEMBER, _user.updated_at <= _invitation.created_at)
_IS_KNOWN = sa.or_(_user.email_verified, _IS_AS_ASKED)
# An account may have had another address when its role changed or ended: `withdraw_for` looked for
# that one.
_event = EVENTS.c
_MEMBER = (_event.changes["member", 0].as_integer(), _event.changes["member", 1].as_integer())
_IS_OF_MEMBERS = _event.kind.in_(["member-added", "member-updated", "member-removed"])
_IS_LATER = sa.and_(_event.task_id.is_(None), _event.at > _invitation.created_at)
_IS_OF_PROJECT = _event.project_id == _invitation.project_id
_IS_OF_USER = sa.or_(*(member == _user.id for member in _MEMBER))
_LATER_ROLES = sa.select(_event.id).where(_IS_OF_PROJECT, _IS_LATER, _IS_OF_MEMBERS, _IS_OF_USER)
_IS_LAST_WORD = ~_LATER_ROLES.exists()


class InvitationNotFound(NotFound):
    """No such invitation, or it has ended, or your address is not proved."""


class AlreadyMember(Conflict):
    """This user is a member already."""


def invite(lock: Lock, email: str, role: str) -> Accepted:
    """Invite an address that is no member's, as `ask` does.

    Raises:
        AlreadyMember, QuotaExceeded
    """
    key = email_key(email)
    has_address = _user.email_key == key
    of_address = sa.select(_user.id).join(MEMBERSHIPS, _OF_USER)
    of_address = of_address.where(has_address)
    of_address = of_address.filter_by(project_id=lock.project_id)
    member_id = db.session.scalar(of_address)
    if member_id is not None:
        raise AlreadyMember
    return ask(lock, email, role)


def ask(lock: Lock, email: str, role: str) -> Accepted:
    """Invite an address for 14 days; invited again, the new role and 14 more days count.

    Raises:
        QuotaExceeded: The project has as many pending ones as it may.
    """
    at = now()
    of_address: Body = {"project_id": lock.project_id, "email_key": mailbox_key(email)}
    values: Body = {"email": email, "role": role}
    values["invited_by"] = lock.user_id
    values["created_at"] = at
    values["expires_at"] = at + LASTS
    again = sa.update(INVITATIONS).filter_by(**of_address)
    again = again.values(values)
    again_id = db.session.scalar(again.returning(_invitation.id))
    if again_id is None:
        _refuse_too_many(lock.project_id)
        first = sa.insert(INVITATIONS)
        first = first.values({**values, **of_address})
        db.session.execute(first)
    if mail.within_rate(email, lock.user_id):
        mail.queue("invitation", email, {"project_id": lock.project_id})
    return Accepted({"email": email, "role": role, "state": "invited"})


def list_of_project(caller: Caller, project_id: int, query: Body) -> Page:
    """The pending invitations into a project.

    Raises:
        ProjectNotFound, Forbidden
    """
    require_role(caller, project_id, OWN)
    of_project = _invitation.project_id == project_id
    pending = _SHOWN.where(of_project, _is_pending())
    return page_by(pending, Invitation.id, **query)


def pending_for(address: str, project_id: int) -> sa.Select[Any]:
    """The pending invitation of an address into a project, with who invites."""
    of_project = _invitation.project_id == project_id
    is_it = _invitation.email_key == mailbox_key(address)
    inviter = _user.name.label("inviter_name")
    is_inviter = _user.id == _invitation.invited_by
    chosen = _SHOWN.add_columns(inviter).join(USERS, is_inviter)
    return chosen.where(of_project, is_it, _is_pending())


def withdraw(caller: Caller, project_id: int, invitation_id: int) -> None:
    """Raises ProjectNotFound, Forbidden, InvitationNotFound."""
    lock_project(caller, project_id, OWN)
    is_this_one = _invitation.id == invitation_id
    of_project = _invitation.project_id == project_id
    _end_one(is_this_one, of_project, _is_pending())


def withdraw_for(project_id: int, user_id: int) -> None:
    """Withdraw those that a user made, and the one that is for the user: their role has ended."""
    by_user = _invitation.invited_by == user_id
    mailbox = mailbox_key(email_of(user_id) or "")
    for_user = _invitation.email_key == mailbox
    of_project = _invitation.project_id == project_id
    either = sa.or_(by_user, for_user)
    withdrawn = sa.delete(INVITATIONS).where(of_project, either)
    db.session.execute(withdrawn)


def list_own(caller: Caller, query: Body) -> Page:
    """The pending invitations to the caller, whose address must be proved."""
    mine = _for(caller, _SHOWN)
    return page_by(mine, Invitation.id, **query)


def accept(caller: Caller, invitation_id: int) -> int:
    """Become a member, or an owner; returns the project's id.

    Raises:
        InvitationNotFound, QuotaExceeded
    """
    is_this_one = _invitation.id == invitation_id
    chosen = sa.select(_invitation.project_id, _invitation.role, _invitation.invited_by)
    invited = _for(caller, chosen)
    invited = invited.where(is_this_one)
    found = one_or_raise(read(invited), InvitationNotFound)
    project_id: int = found.project_id
    lock = lock_to_join(caller.user_id, project_id)
    if lock is None:
        raise InvitationNotFound
    under_lock = db.session.execute(invited)  # it may have been withdrawn meanwhile
    invitation = one_or_raise(under_lock, InvitationNotFound)
    _end_one(is_this_one)
    revision = lock.advance()
    _enter(revision, caller.user_id, invitation.role, invitation.invited_by)
    return project_id


def decline(caller: Caller, invitation_id: int) -> None:
    """Raises InvitationNotFound."""
    ids = sa.select(_invitation.id)
    own_ids = _for(caller, ids)
    is_own = _invitation.id.in_(own_ids)
    is_this_one = _invitation.id == invitation_id
    _end_one(is_this_one, is_own)


def _enter(revision: Revision, user_id: int, role: str, invited_by: int) -> None:
    """The new member, or the member's new role."""
    membership = {"project_id": revision.project_id, "user_id": user_id}
    role_before = sa.select(MEMBERSHIPS.c.role).filter_by(**membership)
    before = db.session.scalar(role_before)
    roles = [before, role]
    by = [None, invited_by]
    if before is None:
        join(revision, user_id, role, AlreadyMember)
        take(PROJECTS_OF_USER, user_id)
        record(revision, "member-added", member=[None, user_id], role=roles, invited_by=by)
        return
    update = sa.update(MEMBERSHIPS).filter_by(**membership)
    update = update.values(role=role, revision=revision.revision)
    db.session.execute(update)
    same_user = [user_id, user_id]
    record(revision, "member-updated", member=same_user, role=roles, invited_by=by)


def _for(caller: Caller, chosen: sa.Select[Any]) -> sa.Select[Any]:
    """Those of the chosen that are pending and for the caller."""
    email = email_of(caller.user_id) or ""
    is_caller = sa.and_(_user.id == caller.user_id, _user.email == email)
    invited = chosen.join(USERS, is_caller)
    is_theirs = _invitation.email_key == mailbox_key(email)
    return invited.where(is_theirs, _IS_KNOWN, _IS_LAST_WORD, _is_pending())


def _is_pending() -> sa.ColumnElement[bool]:
    return _invitation.expires_at > now()


def _refuse_too_many(project_id: int) -> None:
    """Raises QuotaExceeded; the project is locked, so nobody else counts meanwhile."""
    count = sa.func.count(_invitation.id)
    of_project = _invitation.project_id == project_id
    counted = sa.select(count).where(of_project, _is_pending())
    pending = db.session.scalars(counted).one()
    if pending >= MOST_PENDING:
        raise QuotaExceeded(
            f"{pending} invitations into this project are pending, and no more than {MOST_PENDING}"
            " may be: withdraw one first."
        )


def _end_one(*which: sa.ColumnElement[bool]) -> None:
    """Raises InvitationNotFound: There is none."""
    ended = sa.delete(INVITATIONS).where(*which)
    result = db.session.execute(ended.returning(_invitation.id))
    one_or_raise(result, InvitationNotFound)
