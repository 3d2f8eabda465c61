"""What can be done with users: here, only to register."""

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from lab.twin.auth import passwords
from lab.twin.database import Row, now, table
from lab.twin.errors import EmailTaken, RegistrationClosed
from lab.twin.projects import service as projects
from lab.twin.projects.models import Project
from lab.twin.settings import Settings
from lab.twin.users.models import User

USERS = table(User)
_INBOX = sa.select(Project.id).where(Project.inbox_of == USERS.c.id)
COLUMNS = [
    *(column for column in USERS.c if column.name not in {"email_key", "password_hash"}),
    _INBOX.correlate(USERS).scalar_subquery().label("inbox_id"),
]


async def register(
    db: AsyncSession, settings: Settings, email: str, password: str, name: str
) -> Row:
    """Insert a user and their inbox; the password is hashed before any connection is taken."""
    if settings.registration == "closed":
        raise RegistrationClosed
    least = settings.password_min_length
    await passwords.refuse_guessable("password", password, least, email, name)
    hashed, at = await passwords.hash_password(password), now()
    values = {"email": email, "email_key": email.casefold(), "name": name, "role": "user"}
    values |= {"password_hash": hashed}
    inserted = sa.insert(USERS).values(**values, is_active=True, created_at=at, updated_at=at)
    try:
        user_id = (await db.execute(inserted.returning(USERS.c.id))).scalar_one()
    except IntegrityError as error:
        raise EmailTaken from error
    await projects.open_inbox(db, user_id)
    user = (await db.execute(sa.select(*COLUMNS).where(USERS.c.id == user_id))).one()
    await db.commit()
    return user
