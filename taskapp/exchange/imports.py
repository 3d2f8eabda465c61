"""Read CSV, NDJSON, JSON and iCalendar; a mistake is reported with its row, or line in CSV."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from marshmallow import Schema, ValidationError, pre_load

from taskapp.database import long_writes
from taskapp.database.session import Body
from taskapp.errors import (
    MAX_REASONS,
    MalformedJson,
    MalformedRequest,
    PayloadTooLarge,
    Reason,
    let_go,
    reasons,
)
from taskapp.exchange import upload, vtodo
from taskapp.exchange.charsets import UTF_8
from taskapp.exchange.json_items import Document
from taskapp.exchange.lines import lines
from taskapp.exchange.spreadsheet import Table
from taskapp.exchange.upload import Upload
from taskapp.exchange.valid_rows import ValidRows
from taskapp.extensions import settings
from taskapp.tasks.bulk import InvalidRows
from taskapp.tasks.schemas import TaskSchema
from taskapp.web import fields, long_operations
from taskapp.web.body import strict_json
from taskapp.web.current import Current, caller, current
from taskapp.web.request_log import note_progress

# What exports hold that a client does not write. Where a task is imported, and when, is another
# matter; its own times an owner may keep.
READ_ONLY = {name for name, spec in TaskSchema().fields.items() if spec.dump_only}
OWN_TIMES = {"created_at", "completed_at"}
IGNORED = READ_ONLY - {"id"} - OWN_TIMES | {"project_id"}
MAX_JSON_LINE = 1024 * 1024  # bytes; the longest task with every sign escaped takes less


class TaskRowSchema(TaskSchema):
    """A task to import; `id` is what `parent_id` of other rows may refer to.

    Attributes:
        id: What `parent_id` of other rows refers to; the task gets an id of its own.
        created_at: When it was created; kept for owners of the project only.
        completed_at: When it was done; kept for owners of the project only.
    """

    class Meta:
        exclude = tuple(IGNORED)

    id = fields.Int(allow_none=True)
    created_at = fields.Time(allow_none=True)
    completed_at = fields.Time(allow_none=True)

    @pre_load
    def _leave_out(self, row: Any, **_: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {name: value for name, value in row.items() if name not in IGNORED}


ROW = TaskRowSchema(partial=("title",))  # a task that is there already has a title


class TaskImportSchema(Schema):
    """What an import takes as JSON: a list as it was answered, or one like it.

    Attributes:
        items: The tasks.
        next_cursor: As a list has it; nothing follows from it.
        total: As a list has it; nothing follows from it.
    """

    items = fields.many(ROW)  # MAX_IMPORT_BYTES is what bounds it in practice
    next_cursor = fields.Text(max=4096, allow_none=True)
    total = fields.Int(min=0)


AROUND_ITEMS = TaskImportSchema(partial=("items",))


class ImportQuerySchema(Schema):
    """Where an import goes, the inbox without a project; and whether it is only tried.

    Attributes:
        project_id: Where the tasks go; without it, to your inbox.
        dry_run: `true`: say what would happen, and change nothing.
    """

    project_id = fields.QueryInt()
    dry_run = fields.QueryBool()


class SentRow(NamedTuple):
    """A row as it was sent, and its line in the file."""

    item: Any
    line: int | None = None


Rows = Generator[SentRow, None, None]


def receive(_: Schema) -> Body:
    """Receive the file, after taking a place among the long operations.

    An Idempotency-Key compares the digest of the file.
    """
    long_operations.begin()
    sent = upload.receive()
    current().upload = sent
    return {"media_type": sent.media_type, "sha256": sent.digest()}


def read(_: Body) -> Body:
    """The rows of the file that was received, validated.

    Raises:
        InvalidRows: The first hundred mistakes, if there are any.
        MalformedJson, MalformedRequest, PayloadTooLarge, StorageFull
    """
    sent: Upload = current().upload
    with sent.file, closing(READERS[sent.media_type](sent)) as rows:
        current().rows = ValidRows(ROW, _checked(rows))
    long_writes.begin()
    return {"items": current().rows}


def close(record: Current) -> None:
    """Close the files of an import, however its request ended."""
    if record.upload is None:
        return
    long_writes.end()
    record.upload.file.close()
    if record.rows is not None:
        record.rows.close()


def _checked(rows: Iterator[SentRow]) -> Iterator[Body]:
    """The rows, until one has a mistake; raises with the first hundred mistakes."""
    faults: list[Reason] = []
    most = settings().max_import_rows
    for number, row in enumerate(rows):
        if number >= most:
            raise PayloadTooLarge(f"The file has more than {most} rows (MAX_IMPORT_ROWS).")
        note_progress()
        try:
            item = ROW.load(row.item)
        except ValidationError as error:
            faults += _reasons(error, number, row.line)
            let_go(error)
        else:
            yield item
        if len(faults) >= MAX_REASONS:
            break
    if faults:
        raise InvalidRows(faults)


def _reasons(error: ValidationError, number: int, line: int | None) -> Iterator[Reason]:
    for reason in reasons(error.messages):
        detail = reason["detail"]
        if line is not None:
            field = reason["pointer"].split("/")[1] if reason["pointer"] else "row"
            detail = f'line {line}, column "{field}": {detail}'
        yield {"pointer": f"/items/{number}{reason['pointer']}", "detail": detail}


def _json(sent: Upload) -> Rows:
    """Raises MarshmallowError where what stands around the items is not as a list has it."""
    document = Document(sent.file)
    yield from map(SentRow, document.items(AROUND_ITEMS.fields))
    AROUND_ITEMS.load(document.others)


def _ndjson(sent: Upload) -> Rows:
    number = 0
    for line in lines(sent.file, MAX_JSON_LINE):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")  # noqa: PLW2901 - as Windows writes it
        if not line.strip():
            continue
        try:
            yield SentRow(strict_json(line))
        except MalformedJson:
            raise MalformedJson(f"Line {number} is not strict JSON.") from None


def _csv(sent: Upload) -> Rows:
    with Table(sent.file, sent.codec, ROW, IGNORED) as table:
        for row in table.rows():
            yield SentRow(row.item, row.line)


def _calendar(sent: Upload) -> Rows:
    if sent.codec not in UTF_8:
        raise MalformedRequest("A calendar must be text in UTF-8 (RFC 5545, section 3.1.4).")
    zone = ZoneInfo(caller().timezone)
    yield from map(SentRow, vtodo.read(sent.file, zone))


READERS: dict[str, Callable[[Upload], Rows]] = {
    upload.JSON: _json,
    upload.NDJSON: _ndjson,
    upload.CSV: _csv,
    upload.CALENDAR: _calendar,
}
# What the endpoint accepts, and how it is read.
BODY: Body = {"body": TaskImportSchema(), "takes": upload.TAKES, "load": receive, "prepare": read}
