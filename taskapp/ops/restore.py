"""Restore a backup into an empty place; nothing of the time that it undoes passes for today's."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from taskapp.database import sequences
from taskapp.database.files import create_private
from taskapp.database.session import now
from taskapp.database.sqlite import database_file
from taskapp.extensions import db, settings
from taskapp.ledger.access import PROJECTS
from taskapp.ledger.events import RESTORED
from taskapp.ledger.revisions import Revision, record
from taskapp.mail.access import pause_mail
from taskapp.ops.backup import (
    COMPLETE_ATTACHMENTS,
    DATABASE_FILES,
    copy_attachments,
    count_rows,
    list_backups,
    run_program,
    sha256,
)
from taskapp.ops.checks import schema_found
from taskapp.webhooks.access import pause_webhooks

OTHER_KIND = (
    "the backup is of another kind of database: restore it into {0}, with DATABASE_URL set to that,"
    " and bring everything to {1} with: flask --app wsgi copy-to DATABASE_URL"
)
MICROSECONDS = 1_000_000


@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--verify", is_flag=True, help="Then compare what was restored with the backup.")
def restore(source: Path, verify: bool) -> None:
    """Restore a backup, or the newest in a folder of them, where there are no accounts yet."""
    backups = list_backups(source)
    if backups:
        source = backups[-1]
    manifest_file = source / "manifest.json"
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    _load(source, manifest)
    if verify:
        _compare(manifest)
    _advance_revisions_and_ids()
    schema = schema_found()
    click.echo(f"restored {source}, schema {schema}; next: flask db upgrade, flask doctor")


def _load(source: Path, manifest: dict[str, Any]) -> None:
    kind = db.engine.dialect.name
    file = source / DATABASE_FILES[kind]
    if manifest["database"] != kind:
        message = OTHER_KIND.format(manifest["database"], kind)
        raise ValueError(message)
    if sha256(file) != manifest["sha256"]:
        raise ValueError(f"{file} is damaged")
    if _has_accounts():
        raise ValueError("the database has accounts; restore into an empty one")
    db.engine.dispose()  # its files or tables are about to be replaced
    copy_attachments(source, settings().instance)
    if kind == "postgresql":
        run_program("pg_restore", "--clean", "--if-exists", "--no-owner", "-1", str(file))
    else:
        _replace_sqlite(file)


def _replace_sqlite(file: Path) -> None:
    database = database_file()
    for suffix in ("-wal", "-shm"):
        Path(f"{database.path}{suffix}").unlink(missing_ok=True)
    draft = Path(f"{database.path}.restoring")
    create_private(str(draft))
    shutil.copyfile(file, draft)
    draft.replace(database.path)
    database.accept()


def _has_accounts() -> bool:
    with suppress(DBAPIError), db.engine.connect() as connection:  # there may be no such table
        return bool(connection.scalar(sa.text("SELECT count(*) FROM users")))
    return False


def _compare(manifest: dict[str, Any]) -> None:
    with db.engine.connect() as connection:
        counts = count_rows(connection, manifest["counts"])
        needed = set(connection.scalars(sa.text("SELECT sha256 FROM attachments")))
    folder = settings().instance / "attachments"
    files = folder.glob(COMPLETE_ATTACHMENTS)
    intact = {path.name for path in files if sha256(path) == path.name}
    missing = sorted(needed - intact)
    backed_up = manifest["counts"]
    if counts != backed_up or missing:
        difference = f"rows {counts}, in the backup {backed_up}"
        raise ValueError(f"{difference}; attachments missing or damaged: {missing}")


def _advance_revisions_and_ids() -> None:
    """None of the time that is undone is given again: old tags, cursors and tokens name nothing."""
    revision = int(now().timestamp() * MICROSECONDS)
    renumber = sa.update(PROJECTS).values(revision=revision).returning(PROJECTS.c.id)
    with db.session.begin():
        tables = sequences.counted_tables()
        sequences.raise_to(db.session.connection(), {table.name: revision for table in tables})
        for project_id in db.session.scalars(renumber).all():
            record(Revision(project_id, revision, None), RESTORED)
        pause_webhooks(db.session.connection())
        pause_mail(db.session.connection())
