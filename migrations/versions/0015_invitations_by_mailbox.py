"""Invitations are for a mailbox: an address that only looks alike (`ß` for `ss`) is another's.

Reads all invitations, which last 14 days, and changes those whose address has such letters:
300,000, with a tenth to change, took 50 s on SQLite while the machine was busy; a million takes
three times that, and seconds where none is to change. Old workers may run beside it: what they
write for such an address is seen by nobody until it is invited again. Undone by the downgrade; of
two invitations into one project that look alike then, one goes.

Revises: 0014
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
INVITATIONS = sa.table(
    "invitations",
    sa.column("id"),
    sa.column("project_id"),
    sa.column("email"),
    sa.column("email_key"),
)
AT_ONCE = 10_000


def upgrade() -> None:
    write_keys(str.lower)


def downgrade() -> None:
    write_keys(str.casefold)


def write_keys(key_of: Callable[[str], str]) -> None:
    """Write the key of each invitation by its address, where it is another one."""
    connection = op.get_bind()
    last = 0
    while rows := connection.execute(_page_after(last)).all():
        for row in rows:
            if row.email_key != key_of(row.email):
                _write(connection, row, key_of(row.email))
        last = rows[-1].id


def _page_after(last: int) -> sa.Select[tuple[int, int, str, str]]:
    page = sa.select(INVITATIONS).where(INVITATIONS.c.id > last)
    return page.order_by(INVITATIONS.c.id).limit(AT_ONCE)


def _write(connection: sa.Connection, row: sa.Row[tuple[int, int, str, str]], key: str) -> None:
    former = sa.delete(INVITATIONS).filter_by(project_id=row.project_id, email_key=key)
    connection.execute(former)
    this_one = sa.update(INVITATIONS).where(INVITATIONS.c.id == row.id)
    connection.execute(this_one.values(email_key=key))
