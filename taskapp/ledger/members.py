"""How projects are created, and how members join them."""

from typing import Any

import sqlalchemy as sa

from taskapp.database.session import insert_or_raise, now
from taskapp.errors import Refusal, TokenRevoked
from taskapp.extensions import db
from taskapp.ledger.access import MEMBERSHIPS, PROJECTS
from taskapp.ledger.revisions import Revision, record

_INSERT_PROJECT = sa.insert(PROJECTS).returning(PROJECTS.c.id)


def open_project(user_id: int, name: str, **values: Any) -> int:
    """Insert a project with its owner; `inbox_of` makes it the inbox. Returns its id.

    Raises:
        TokenRevoked: The owner was deleted meanwhile.
    """
    created_at = now()
    project = {
        "name": name,
        "description": "",
        "revision": 1,
        "created_at": created_at,
        "updated_at": created_at,
        **values,
    }
    insert = _INSERT_PROJECT.values(project)
    result = db.session.execute(insert)
    project_id: int = result.scalar_one()
    revision = Revision(project_id, 1, user_id)
    join(revision, user_id, "owner", TokenRevoked)
    record(revision, "project-created", name=[None, name])
    return project_id


def join(revision: Revision, user_id: int, role: str, refusal: type[Refusal]) -> None:
    """Insert a membership.

    Raises:
        refusal: The user is a member already, or is gone.
    """
    member = {
        "project_id": revision.project_id,
        "user_id": user_id,
        "role": role,
        "revision": revision.revision,
        "created_at": now(),
    }
    insert = sa.insert(MEMBERSHIPS).values(member)
    insert_or_raise(insert, refusal)
