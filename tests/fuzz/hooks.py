"""What no schema can say, so that Schemathesis takes it for what it is; each with its reason."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis import Case, HookContext, Response, SerializationContext
from schemathesis.core import NotSet
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree
from schemathesis.transport.serialization import serialize_binary

from taskapp.web.idempotency import KEY

# Refusals of what the schema allows: only what is stored, or the clock, can tell.
RIGHTLY = {
    "invalid-cursor": "opaque and signed: only a list can give one",
    "cursor-expired": "how far back events are kept: those are rows",
    "precondition-failed": "an ETag or a revision that is not the present one",
}
# The same for single fields of a body, by the words of the refusal.
RIGHTLY_OF_FIELDS = {
    "Too easy to guess; a few unrelated words are better.": "an estimate, not a pattern",
    "Shorter than minimum length 12.": "PASSWORD_MIN_LENGTH is the operator's",
    "Changing the e-mail address requires `current_password`.": "one field wants another",
    "The parent must be in the same project.": "the parent is another row",
    "A task cannot be below itself.": "one field against another, or another row",
    "This user is not a member of the project.": "members are rows",
    "Neither the file nor the project has a task with this id.": "tasks are rows",
    "Not a list of": "no pattern can say that each stands there once",
    "Missing data for required field.": "of imports: a page may have been cut to `fields`",
    "This must be in the future.": "the clock says so",
    "This project has no such event.": "events are rows",
    "Not a time zone": "the names of IANA are a database, and no pattern",
    "Send a time": "two kinds of text, of which the document shows one",
    "A task can have due_at or due_on": "one field against another",
    "A reminder before the due date": "one field against another",
    "A reminder comes": "one field against another",
    "Repeats": "a rule is more than a pattern",
    "Must be an address": "an address is more than a pattern",
    "Must begin with https://": "the operator may allow http",
    "Must hold no user": "an address is more than a pattern",
}
# A deleted task has a history, and comes back, for CHANGES_RETENTION_DAYS.
OUTLIVES = ("/tasks/{task_id}/history", "/tasks/{task_id}/restore")
A_RULE = "/repeat/rule"  # the pointer of what is more than a pattern
BYSTANDER, CAST = 1, {"2", "3", "4", "5"}  # in the order of `populate`


@schemathesis.serializer("application/x-ndjson", "text/calendar")
def as_it_stands(context: SerializationContext, value: Any) -> Any:
    """Lines are text already, or bytes that were made up."""
    return serialize_binary(value)


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """A new request has a new Idempotency-Key; nobody removes the users that the test acts as."""
    if KEY.fullmatch(str((case.headers or {}).get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = uuid4().hex
    acting = str((case.path_parameters or {}).get("user_id")) in CAST
    if acting and case.path.startswith("/api/v1/users/"):
        case.path_parameters["user_id"] = BYSTANDER
    case.body = _whole(case.body)


def _whole(value: Any) -> Any:
    """5.0 is an integer to JSON Schema and none to this contract, as test_contract.py shows."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def filter_failure(context: HookContext, failure: Any, case: Case, response: Response) -> bool:
    """Whether it is a failure indeed."""
    if response.status_code == 414:
        return False  # gunicorn's own word for a request line past the 8 KiB of gunicorn.conf.py
    if isinstance(failure, UseAfterFree):
        return not case.path.endswith(OUTLIVES)
    if isinstance(failure, AcceptedNegativeData):
        known = (_endless_tag, _upload, _unknown_header, _no_lines)
        return not any(is_right(case) for is_right in known)
    if isinstance(failure, RejectedPositiveData):
        if case.path == "/mcp":
            return False  # what a message must hold depends on its method; see tests/mcp
        problem = response.json()
        reasons = problem.get("errors", ())
        reasons = [each for each in reasons if not each.get("pointer", "").endswith(A_RULE)]
        details = [re.sub(r"^Row \d+: ", "", reason["detail"]) for reason in reasons]
        right = "errors" in problem and all(
            detail.startswith((*RIGHTLY_OF_FIELDS,)) for detail in details
        )
        return problem["code"] not in RIGHTLY and not right
    return True


def _unknown_header(case: Case) -> bool:
    """Servers ignore what they do not know (RFC 9110, section 5.1)."""
    return "x-schemathesis-unknown-property" in (case.headers or {})


def _upload(case: Case) -> bool:
    """Any bytes with a name are a file; attachments/test_create.py has the forms that are wrong."""
    return case.media_type == "multipart/form-data"


def _no_lines(case: Case) -> bool:
    """A body that is missing is a file of no lines, as an export of no tasks is."""
    is_empty = isinstance(case.body, NotSet) or not case.body
    return case.media_type == "application/x-ndjson" and is_empty


def _endless_tag(case: Case) -> bool:
    """RFC 9110 knows no wrong ETag: one past the document's limit is only never true."""
    tags = (str((case.headers or {}).get(name, "")) for name in ("If-Match", "If-None-Match"))
    return any(len(tag) > 2000 for tag in tags)
