"""What a webhook is sent: Standard Webhooks 1.0, or one line of text for a chat."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from taskapp.database.encoding import encode
from taskapp.database.session import Body, Row, read
from taskapp.extensions import settings
from taskapp.ledger.access import PROJECTS
from taskapp.tasks.models import TASKS
from taskapp.users.access import USERS

MAX_BODY = 20_000  # bytes
MAX_TEXT = 1000  # code points of one value
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
CHATS = {"slack": "text", "discord": "content"}  # format: the member that holds the line


@dataclass(frozen=True)
class Message:
    """One message, ready to be signed and sent; its id is the same at each attempt."""

    id: str
    body: bytes
    content_type: str


def message_of(webhook: Row, event: Body) -> Message:
    """The message about an event, in the webhook's format."""
    message_id = f"evt_{event['id']}"
    if webhook.format == "standard":
        return Message(message_id, standard_body(event), JSON)
    line = in_words(event)
    if webhook.format in CHATS:
        return Message(message_id, encode({CHATS[webhook.format]: line}), JSON)
    return Message(message_id, line.encode(), TEXT)


def standard_body(event: Body) -> bytes:
    """`{type, timestamp, data}` in at most 20 KB; long values are cut, and `truncated` says so."""
    data = {name: event[name] for name in ("project_id", "revision", "task_id", "user_id")}
    data["event_id"] = event["id"]
    data["url"] = url_of(event)
    data["changes"], data["truncated"] = _cut(event["changes"])
    body = {"type": event["kind"], "timestamp": event["at"], "data": data}
    encoded = encode(body)
    if len(encoded) <= MAX_BODY:
        return encoded
    data["changes"] = {}
    data["truncated"] = True
    return encode(body)


def _cut(changes: Body) -> tuple[Body, bool]:
    plain = orjson.loads(encode(changes))
    shortened = {name: [_short(value) for value in pair] for name, pair in plain.items()}
    return shortened, shortened != plain


def _short(value: Any) -> Any:
    return value[:MAX_TEXT] if isinstance(value, str) else value


def url_of(event: Body) -> str | None:
    """Where the task, or the project, can be read; None where PUBLIC_URL is not set."""
    base = settings().public_url
    if base is None:
        return None
    task_id = event["task_id"]
    if task_id is None:
        return f"{base}/api/v1/projects/{event['project_id']}"
    return f"{base}/api/v1/tasks/{task_id}"


def in_words(event: Body) -> str:
    """One line for people, as: Garden: Alice: task updated: Water the fern."""
    parts = [_name_of(PROJECTS, "name", event["project_id"])]
    if event["user_id"] is not None:
        parts.append(_name_of(USERS, "name", event["user_id"]))
    parts.append(event["kind"].replace("-", " "))
    if event["task_id"] is not None:
        parts.append(_title_of(event))
    url = url_of(event)
    line = ": ".join(part for part in parts if part)
    return line[:MAX_TEXT] if url is None else f"{line[:MAX_TEXT]} {url}"


def _title_of(event: Body) -> str:
    title = event["changes"].get("title")
    if title and title[-1]:
        return str(title[-1])
    # Where the task has gone since, who gets this may not see what it is called by now.
    is_there = TASKS.c.project_id == event["project_id"]
    return _name_of(TASKS, "title", event["task_id"], is_there) or f"task {event['task_id']}"


def _name_of(table: sa.Table, column: str, row_id: int, *where: sa.ColumnElement[bool]) -> str:
    select = sa.select(table.c[column]).where(table.c.id == row_id, *where)
    name = read(select).scalar_one_or_none()
    return "" if name is None else str(name)


def test_event(webhook: Row, at: Any) -> Body:
    """What a test sends: an event that never happened."""
    return {
        "id": 0,
        "project_id": webhook.project_id,
        "revision": 0,
        "task_id": None,
        "user_id": None,
        "kind": "test",
        "changes": {},
        "at": at,
    }


def signatures(message: Message, timestamp: int, secrets: list[str]) -> str:
    """The header webhook-signature: one signature for each secret that still signs."""
    signed = f"{message.id}.{timestamp}.".encode() + message.body
    return " ".join(_signature(secret, signed) for secret in secrets)


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
