"""What can be done with projects: here, only to open the inbox of a new user."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from lab.twin.database import now, table
from lab.twin.projects import access
from lab.twin.projects.access import Turn
from lab.twin.projects.models import Membership, Project

PROJECTS, MEMBERSHIPS = table(Project), table(Membership)


async def open_inbox(db: AsyncSession, user_id: int) -> None:
    """Give a new user the one project that everybody has."""
    at = now()
    project = {"name": "Inbox", "description": "", "inbox_of": user_id, "revision": 1}
    inserted = sa.insert(PROJECTS).values(**project, created_at=at, updated_at=at)
    project_id = (await db.execute(inserted.returning(Project.id))).scalar_one()
    member = {"project_id": project_id, "user_id": user_id, "role": "owner", "revision": 1}
    await db.execute(sa.insert(MEMBERSHIPS).values(**member, created_at=at))
    turn = Turn(project_id, 1, user_id)
    await access.record(db, turn, "project-created", name=[None, "Inbox"])
