"""The rows that every door makes, and the report of what had no place in them."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from taskapp_client import Json, days
from taskapp_client.days import Due
from taskapp_client.failures import Failure

LONGEST_TITLE = 500
LONGEST_LABEL = 50
LONGEST_DESCRIPTION = 65_536
LONGEST_KEY = 200
MOST_LABELS = 20
MOST_REMINDERS = 5
LARGEST_FILE = 200 * 1024 * 1024
# Parts of this size are imported in a few seconds each, and leave something for a progress bar.
PART_BYTES = 4 * 1024 * 1024
PART_ROWS = 2_000


@dataclass(eq=False)
class Row:
    """One task to import. `key` becomes its external_id, so that the same again changes nothing."""

    key: str
    title: str
    project: str = ""  # where it was, in a file of several projects
    description: str = ""
    status: str = "todo"
    priority: str = "none"
    due: Due = field(default_factory=Due)
    labels: list[str] = field(default_factory=list)
    repeat: Json | None = None
    reminders: list[str] = field(default_factory=list)
    created_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    parent: Row | None = None

    def add_note(self, text: str) -> None:
        """Add a paragraph to the description."""
        self.description = "\n\n".join(part for part in (self.description, text) if part)

    def set_parent(self, parent: Row | None, conversion: Conversion) -> None:
        """Put it below its parent, in the same project and without a circle."""
        above = parent
        while above is not None and above is not self:
            above = above.parent
        if above is self or (parent and parent.project != self.project):
            what = "a parent in another project, or below its own task"
            conversion.left_out[what].append(self.title)
            return
        self.parent = parent

    @property
    def root(self) -> Row:
        """The task at the top of the tree that this one is in."""
        return self.parent.root if self.parent else self


@dataclass
class Conversion:
    """What came out of a file: rows, and the titles of those that lost or kept something.

    `left_out` had no place here; `in_description` had none of its own, and is in the description.
    """

    rows: list[Row] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    in_description: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def report(self) -> Iterator[str]:
        yield from _report("Kept in the description", self.in_description)
        yield from _report("Left out, because there is no place for it here", self.left_out)


def _report(heading: str, kinds: dict[str, list[str]]) -> Iterator[str]:
    if kinds:
        yield f"{heading}:"
    for kind, titles in sorted(kinds.items()):
        shown = ", ".join(repr(title[:40]) for title in titles[:3])
        more = ", …" if len(titles) > 3 else ""
        yield f"  {len(titles):>5}  {kind} ({shown}{more})"


def key_of(source: str, *parts: str) -> str:
    """A key for a task whose program gives it none: the same parts give the same key."""
    text = "\x1f".join(parts).encode()
    return f"{source}:{blake2b(text, digest_size=12).hexdigest()}"


class Numbered:
    """Keys for tasks that may be alike: the second of the same parts is another task."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._seen: dict[tuple[str, ...], int] = defaultdict(int)

    def key(self, *parts: str) -> str:
        self._seen[parts] += 1
        return key_of(self._source, *parts, str(self._seen[parts]))


def fit(conversion: Conversion) -> Conversion:
    """Bring every row within the limits of the service; what is cut is kept or reported."""
    for row in conversion.rows:
        _fit_title(row, conversion)
        _fit_labels(row, conversion)
        if len(row.key) > LONGEST_KEY:
            row.key = key_of("long", row.key)
        if len(row.reminders) > MOST_REMINDERS:
            conversion.left_out[f"reminders after the {MOST_REMINDERS}th"].append(row.title)
            row.reminders = row.reminders[:MOST_REMINDERS]
        if len(row.description) > LONGEST_DESCRIPTION:
            conversion.left_out["the end of a very long description"].append(row.title)
            row.description = row.description[:LONGEST_DESCRIPTION]
    return conversion


def _fit_title(row: Row, conversion: Conversion) -> None:
    row.title = " ".join(clean(row.title).split())
    row.description = clean(row.description)
    if not row.title:
        row.title = "(no title)"
    if len(row.title) > LONGEST_TITLE:
        conversion.in_description["long titles"].append(row.title)
        row.add_note(row.title)
        row.title = row.title[: LONGEST_TITLE - 1] + "…"


def _fit_labels(row: Row, conversion: Conversion) -> None:
    by_key: dict[str, str] = {}
    for label in row.labels:
        name = " ".join(clean(label).split())
        if name:
            by_key.setdefault(name[:LONGEST_LABEL].casefold(), name[:LONGEST_LABEL])
    if len(by_key) > MOST_LABELS:
        conversion.left_out[f"labels after the {MOST_LABELS}th"].append(row.title)
    row.labels = list(by_key.values())[:MOST_LABELS]


def clean(text: str) -> str:
    """The text without characters that the service refuses."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(sign for sign in unified if _is_allowed(sign))


def _is_allowed(sign: str) -> bool:
    if sign in "\n\t":
        return True
    return sign >= " " and not "\ud800" <= sign <= "\udfff"


def by_project(rows: list[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.project].append(row)
    return groups


def parts(rows: list[Row]) -> Iterator[tuple[int, bytes]]:
    """NDJSON in parts, each with how many rows it holds. A tree of tasks stays in one part."""
    numbers = {id(row): number for number, row in enumerate(rows, 1)}
    trees: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        trees[id(row.root)].append(row)
    lines: list[bytes] = []
    size = 0
    for tree in trees.values():
        encoded = [_line(row, numbers) for row in tree]
        length = sum(map(len, encoded))
        if lines and (size + length > PART_BYTES or len(lines) + len(tree) > PART_ROWS):
            yield len(lines), b"".join(lines)
            lines, size = [], 0
        lines += encoded
        size += length
    if lines:
        yield len(lines), b"".join(lines)


def _line(row: Row, numbers: dict[int, int]) -> bytes:
    item: Json = {"id": numbers[id(row)], "external_id": row.key, "title": row.title}
    item["parent_id"] = numbers[id(row.parent)] if row.parent else None
    for name in ("description", "status", "priority", "labels"):
        item[name] = getattr(row, name)
    item |= row.due.fields()
    item |= {"repeat": row.repeat, "reminders": row.reminders}
    for name in ("created_at", "completed_at"):
        moment = getattr(row, name)
        if moment:
            item[name] = days.as_utc(moment)
    return json.dumps(item, ensure_ascii=False).encode() + b"\n"


def text_of(content: bytes) -> str:
    """The text of a file, by its byte order mark, or in UTF-8.

    Raises:
        Failure: it is in neither.
    """
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise Failure("The file is not text in UTF-8: save it as UTF-8, and try again.") from None
