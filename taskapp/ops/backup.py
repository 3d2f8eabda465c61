"""Backups while the service runs: the database as of one moment, and the attachments.

A backup is a folder of `manifest.json`, the database (`taskapp.db` or `taskapp.dump`) and
`attachments/`; it has its final name only when it is complete.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from taskapp.database.session import now
from taskapp.extensions import db, settings
from taskapp.ledger.access import PROJECTS
from taskapp.ledger.events import RESTORED
from taskapp.ledger.revisions import Revision, record
from taskapp.ops.checks import schema_found
from taskapp.schema import Base
from taskapp.web.openapi import VERSION

FILES = {"sqlite": "taskapp.db", "postgresql": "taskapp.dump"}


@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--keep", type=click.IntRange(1), help="Remove all but this many of the newest.")
def backup(folder: Path | None, keep: int | None) -> None:
    """Back up the database and the attachments into FOLDER (instance/backups)."""
    folder = folder or settings().instance / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=folder) as draft:  # nobody else can read it
        _fill(Path(draft))
        os.sync()
        final = Path(draft).rename(folder / now().strftime("taskapp-%Y%m%dT%H%M%S.%fZ"))
    for old in _made(folder)[: -keep if keep else 0]:
        shutil.rmtree(old)
    click.echo(final)


@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--verify", is_flag=True, help="Then compare what was restored with the backup.")
def restore(source: Path, verify: bool) -> None:
    """Restore a backup, or the newest in a folder of them, where no accounts are yet."""
    source = (_made(source) or [source])[-1]
    _load(source, manifest := json.loads((source / "manifest.json").read_text(encoding="utf-8")))
    if verify:
        _compare(manifest)
    # No revision of the time that is undone comes again, where it would stand for other rows.
    at = int(now().timestamp() * 1e6)
    renumbered = sa.update(PROJECTS).values(revision=at).returning(PROJECTS.c.id)
    with db.session.begin():
        for project_id in db.session.scalars(renumbered).all():
            record(Revision(project_id, at, None), RESTORED)
    click.echo(f"restored {source}, schema {schema_found()}; next: flask db upgrade, flask doctor")


def _made(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("taskapp-*Z/manifest.json"))


def _fill(draft: Path) -> None:
    """Attachments first and last: a file is there before a row names it, and may go after."""
    kind = db.engine.dialect.name
    file = draft / FILES[kind]
    _copy_attachments(settings().instance, draft)
    counts = _dump_sqlite(file) if kind == "sqlite" else _dump_postgresql(file)
    _copy_attachments(settings().instance, draft)
    told = {"version": VERSION, "database": kind, "schema": schema_found(), "counts": counts}
    (draft / "manifest.json").write_text(json.dumps({**told, "sha256": _sha256(file)}, indent=2))


def _copy_attachments(source: Path, target: Path) -> None:
    """What has the name has the content: the names are digests, those of drafts are shorter."""
    (target / "attachments").mkdir(parents=True, exist_ok=True)
    for path in (source / "attachments").glob("?" * 64):
        copy = target / "attachments" / path.name
        if not copy.exists():
            with suppress(FileNotFoundError):  # swept away meanwhile
                shutil.copy2(path, copy)


def _counts(connection: sa.Connection, tables: Iterable[str]) -> dict[str, int]:
    count = sa.select(sa.func.count())
    return {name: connection.scalar(count.select_from(sa.table(name))) or 0 for name in tables}


def _dump_sqlite(file: Path) -> dict[str, int]:
    with db.engines["reads"].connect() as live:
        live.execute(sa.text("VACUUM INTO :file"), {"file": str(file)})
    with sa.create_engine(f"sqlite:///{file}", poolclass=sa.NullPool).connect() as copy:
        if copy.scalar(sa.text("PRAGMA integrity_check")) != "ok":
            raise ValueError("the database is damaged (PRAGMA integrity_check)")
        return _counts(copy, Base.metadata.tables)


def _dump_postgresql(file: Path) -> dict[str, int]:
    """The rows are counted in the very snapshot that is dumped."""
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.scalar(sa.text("SELECT pg_export_snapshot()"))
        _run("pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={file}")
        return _counts(connection, Base.metadata.tables)


def _load(source: Path, manifest: dict[str, Any]) -> None:
    kind, target = db.engine.dialect.name, Path(str(db.engine.url.database))
    file = source / FILES[kind]
    if manifest["database"] != kind or _sha256(file) != manifest["sha256"]:
        raise ValueError(f"{file} is damaged, or the backup is of another kind of database")
    if _in_use():
        raise ValueError("the database has accounts; restore into an empty one")
    db.engine.dispose()  # what it has open is about to be replaced
    _copy_attachments(source, settings().instance)
    if kind == "postgresql":
        _run("pg_restore", "--clean", "--if-exists", "--no-owner", "-1", str(file))
    else:
        for stale in ("-wal", "-shm"):
            Path(f"{target}{stale}").unlink(missing_ok=True)
        Path(shutil.copyfile(file, f"{target}.restoring")).replace(target)


def _in_use() -> bool:
    with suppress(DBAPIError), db.engine.connect() as connection:
        return bool(connection.scalar(sa.text("SELECT count(*) FROM users")))
    return False


def _compare(manifest: dict[str, Any]) -> None:
    with db.engine.connect() as connection:
        counts = _counts(connection, manifest["counts"])
        wanted = set(connection.scalars(sa.text("SELECT sha256 FROM attachments")))
    files = (settings().instance / "attachments").glob("?" * 64)
    wanted -= {path.name for path in files if _sha256(path) == path.name}
    if counts != manifest["counts"] or wanted:
        told = f"rows {counts}, in the backup {manifest['counts']}"
        raise ValueError(f"{told}; attachments missing or damaged: {sorted(wanted)}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(program: str, *arguments: str) -> None:
    """One of PostgreSQL's own programs, which tells the operator itself what goes wrong.

    The password goes by the environment, which `ps` hides.
    """
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(f"{program} is not on the PATH: install PostgreSQL's clients")
    url = db.engine.url._replace(drivername="postgresql", password=None).render_as_string()
    environment = {"HOME": str(Path.home()), "PGPASSWORD": db.engine.url.password or ""}
    run([path, *arguments, f"--dbname={url}"], env=environment, check=True)  # noqa: S603 - no word of it is a client's
