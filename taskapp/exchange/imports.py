"""CSV, NDJSON and JSON in, as the list answers them; each mistake is named by its row."""

import csv
import io
from collections.abc import Callable
from typing import Any, NoReturn

from marshmallow import Schema, ValidationError, pre_load

from taskapp.database.session import Body
from taskapp.errors import MalformedJson, MalformedRequest, reasons
from taskapp.extensions import settings
from taskapp.tasks.bulk import InvalidRows
from taskapp.tasks.schemas import TaskSchema
from taskapp.web import fields, long_operations
from taskapp.web.body import read_object, strict_json
from taskapp.web.exports import GUARDED

# Exports hold these, too; what decides is where they are imported, and when.
READ_ONLY = {name for name, spec in TaskSchema().fields.items() if spec.dump_only}
IGNORED = READ_ONLY - {"id"} | {"project_id"}


class TaskRowSchema(TaskSchema):
    """A task to import; `id` is what `parent_id` of other rows may refer to."""

    class Meta:
        exclude = tuple(IGNORED)

    id = fields.Int(allow_none=True)

    @pre_load
    def _leave_out(self, row: Any, **_: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {name: value for name, value in row.items() if name not in IGNORED}


ROW = TaskRowSchema(partial=("title",))  # a task that is there already has a title


class TaskImportSchema(Schema):
    """What an import takes as JSON: a list as it was answered, or one like it."""

    items = fields.many(ROW)  # MAX_IMPORT_BYTES is what bounds it in practice
    next_cursor = fields.Text(max=4096, allow_none=True)
    total = fields.Int(min=0)

    def handle_error(self, error: ValidationError, data: Any, **_: Any) -> NoReturn:
        raise InvalidRows(reasons(error.messages))


def _ndjson(raw: bytes) -> Body:
    items = []
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            item = strict_json(line)
        except MalformedJson:
            raise MalformedJson(f"Line {number} is not strict JSON.") from None
        items.append(item)
    return {"items": items}


def _csv(raw: bytes) -> Body:
    """RFC 4180; a spreadsheet's byte order mark is fine."""
    names, rows = _table(raw)
    readers = [_cell_reader(name) for name in names]
    items = []
    for row in rows:
        values = [read(cell) for read, cell in zip(readers, row, strict=True)]
        items.append(dict(zip(names, values, strict=True)))
    return {"items": items}


def _table(raw: bytes) -> tuple[list[str], list[list[str]]]:
    """The header, and the rows that are not blank, each as wide as the header."""
    try:
        text = raw.decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        names, *rows = [cells for cells in lines if cells]
    except (csv.Error, ValueError):
        raise MalformedRequest("The body is not CSV in UTF-8 with a header (RFC 4180).") from None
    if len(set(names)) < len(names):
        raise MalformedRequest("The header names a column twice.")
    for number, cells in enumerate(rows, 1):
        if len(cells) != len(names):
            detail = f"Row {number} has {len(cells)} cells, the header has {len(names)}."
            raise MalformedRequest(detail)
    return names, rows


def _cell_reader(name: str) -> Callable[[str], Any]:
    """What a cell of this column stands for; what it can't be stays text for the schema to name."""
    spec = ROW.fields.get(name)
    if isinstance(spec, fields.Int):
        return _int_or_text
    if isinstance(spec, fields.List):
        return _json_or_text
    if isinstance(spec, fields.Nested):
        return _json_or_none
    if spec is not None and spec.allow_none:
        return _text_or_none
    return _unguarded


def _int_or_text(cell: str) -> int | str | None:
    if fields.CANONICAL_INT.fullmatch(cell):
        return int(cell)
    return cell or None


def _json_or_text(cell: str) -> Any:
    try:
        return strict_json(_unguarded(cell).encode())
    except MalformedJson:
        return cell


def _json_or_none(cell: str) -> Any:
    return _json_or_text(cell) if cell else None


def _text_or_none(cell: str) -> str | None:
    return _unguarded(cell) if cell else None


def _unguarded(cell: str) -> str:
    return GUARDED.sub(r"\g<cell>", cell)


READERS = {"application/json": strict_json, "application/x-ndjson": _ndjson, "text/csv": _csv}


def load(schema: Schema) -> Any:
    """The body, validated; an import takes its place among the long operations first."""
    long_operations.begin()
    return schema.load(read_object(READERS, settings().max_import_bytes))


# What the endpoint accepts, and how it is read.
BODY: Body = {"body": TaskImportSchema(), "takes": tuple(READERS), "load": load}
