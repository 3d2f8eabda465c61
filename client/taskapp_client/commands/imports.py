"""Files in: import, and the doors from elsewhere."""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import click

from taskapp_client import Json, projects
from taskapp_client.commands.exports import MEDIA_TYPES, kind_of
from taskapp_client.doors import ics, rows, spreadsheet, todoist, todotxt, vikunja
from taskapp_client.doors.rows import Conversion
from taskapp_client.failures import Failure
from taskapp_client.session import Session, json_option, note, pass_session, print_json

# What a file can lead to that is built otherwise than its program builds it.
STRANGE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
DOORS = {
    "todoist": todoist.convert,
    "todotxt": todotxt.convert,
    "ics": ics.convert,
    "vikunja": vikunja.convert,
}


def _columns(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    columns = {}
    for value in values:
        field, equals, name = value.partition("=")
        if not equals or field not in spreadsheet.FIELDS:
            known = ", ".join(spreadsheet.FIELDS)
            raise click.BadParameter(
                f"{value!r}: write FIELD=COLUMN, where FIELD is one of {known}."
            )
        columns[field] = name
    return columns


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--from",
    "door",
    type=click.Choice([*DOORS, "csv"]),
    help="The program that wrote it; without it the file is one that `tasks export` writes.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    callback=_columns,
    help='With --from csv: which column is what; title="Task Name".',
)
@click.option(
    "--format", "kind", type=click.Choice(list(MEDIA_TYPES)), help="Default: by the name."
)
@click.option("--project", help="Import into this project; default: the file's own, or your inbox.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and write nothing.")
@click.option(
    "-o",
    "--output",
    type=click.File("wb"),
    help="With --from: write NDJSON there, and import nothing.",
)
@json_option
@pass_session
def import_(
    session: Session,
    file: BinaryIO,
    door: str | None,
    columns: dict[str, str],
    kind: str | None,
    project: str | None,
    dry_run: bool,
    output: BinaryIO | None,
    as_json: bool,
) -> None:
    """Import tasks from a file. The same file again changes nothing.

    Tasks with a key (external_id) are updated where they are there already; --from gives every task
    one. A file is imported whole, or with --from in parts, each of them whole.
    """
    content = file.read(rows.LARGEST_FILE + 1)
    if len(content) > rows.LARGEST_FILE:
        raise Failure(f"The file is larger than {rows.LARGEST_FILE >> 20} MiB: import it in parts.")
    if door is None:
        counts = _import_as_it_is(session, file, content, kind, project, dry_run)
    else:
        conversion = convert(door, columns, content, _exported(file))
        for text in conversion.report():
            note(text)
        if output:
            _write(conversion, output)
            return
        counts = _import_rows(session, conversion, project, dry_run)
    if as_json:
        print_json(dict(counts))
    else:
        worth_saying = {what: count for what, count in counts.items() if count or what != "ignored"}
        shown = ", ".join(f"{count} {what}" for what, count in worth_saying.items())
        click.echo(f"{'Would be: ' if dry_run else ''}{shown}.")


def _exported(file: BinaryIO) -> dt.datetime:
    """When the file was written; what comes from a pipe is written now."""
    path = Path(file.name)
    seconds = path.stat().st_mtime if path.is_file() else dt.datetime.now(dt.UTC).timestamp()
    return dt.datetime.fromtimestamp(seconds).astimezone()


def convert(
    door: str, columns: dict[str, str], content: bytes, exported: dt.datetime
) -> Conversion:
    if door == "csv":
        if "title" not in columns:
            raise click.UsageError(
                '--from csv needs to know the titles: --column title="Task Name".'
            )
        return rows.fit(spreadsheet.convert(content, exported, columns))
    if columns:
        raise click.UsageError("--column is for --from csv.")
    try:
        return rows.fit(DOORS[door](content, exported))
    except STRANGE as error:
        raise Failure(f"The file is not as {door} writes it: {error!r:.200}.") from None


def _write(conversion: Conversion, output: BinaryIO) -> None:
    output.writelines(part for _, part in rows.parts(conversion.rows))
    note(f"{len(conversion.rows)} tasks written.")


def _import_as_it_is(
    session: Session,
    file: BinaryIO,
    content: bytes,
    kind: str | None,
    project: str | None,
    dry_run: bool,
) -> Counter[str]:
    params = _params(session, project, dry_run)
    kind = kind or kind_of(Path(file.name), "")
    if not kind:
        raise click.UsageError(
            f"What is {file.name}? Say --format with one of {', '.join(MEDIA_TYPES)}, or --from"
            f" with the program that wrote it: {', '.join(DOORS)}, csv."
        )
    return Counter(session.service.import_file(content, MEDIA_TYPES[kind], params))


def _params(session: Session, project: str | None, dry_run: bool) -> Json:
    params: Json = {}
    if project:
        params["project_id"] = projects.find(session.service, project)["id"]
    if dry_run:
        params["dry_run"] = "true"
    return params


def _import_rows(
    session: Session, conversion: Conversion, project: str | None, dry_run: bool
) -> Counter[str]:
    """Import the rows, project by project and part by part, with a progress bar."""
    groups = {"": conversion.rows} if project else rows.by_project(conversion.rows)
    counts: Counter[str] = Counter()
    length = len(conversion.rows)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=length, label="Importing", file=sys.stderr, hidden=hidden) as bar:
        for name, group in groups.items():
            params = _params(session, project, dry_run)
            if name:
                project_id, is_new = _target(session, name, dry_run)
                counts["projects created"] += is_new
                if project_id is None:
                    counts["created"] += len(group)
                    bar.update(len(group))
                    continue
                params["project_id"] = project_id
            for size, part in rows.parts(group):
                counts.update(_import_part(session, part, params, counts))
                bar.update(size)
    return counts


def _import_part(session: Session, part: bytes, params: Json, before: Counter[str]) -> Json:
    try:
        return session.service.import_file(part, MEDIA_TYPES["ndjson"], params)
    except Failure as error:
        done = before["created"] + before["updated"] + before["unchanged"]
        if not done:
            raise
        raise type(error)(
            f"{error.message}\n{done} tasks were imported before that, and rows count from there."
            " The same file again changes nothing about them."
        ) from None


def _target(session: Session, name: str, dry_run: bool) -> tuple[int | None, bool]:
    """The project of that name, created if need be; None where a dry run would create it."""
    known = {title.casefold(): number for number, title in projects.names(session.service).items()}
    if name.casefold() in known:
        return known[name.casefold()], False
    if dry_run:
        return None, True
    return projects.find_or_create(session.service, name)
