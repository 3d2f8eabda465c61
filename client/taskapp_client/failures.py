"""What can go wrong, as a sentence for a person and an exit code for a script."""

from __future__ import annotations

from collections.abc import Iterator

import click
import httpx

from taskapp_client import Json


class Failure(click.ClickException):
    """Something went wrong that no other code stands for. Exit code 1; click itself uses 2."""

    exit_code = 1
    code = ""  # of the problem, where a service answered one


class NotFound(Failure):
    """There is no such thing, or you may not see it."""

    exit_code = 3


class NotPermitted(Failure):
    """You are not signed in, or may not do this."""

    exit_code = 4


class Conflict(Failure):
    """Somebody else changed it, or it is in the way of something that is there."""

    exit_code = 5


class Refused(Failure):
    """The service does not accept what it was sent."""

    exit_code = 6


class Unavailable(Failure):
    """The service cannot be reached, or is busy, and went on to be so while we tried again."""

    exit_code = 7


BY_STATUS: dict[int, type[Failure]] = {
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    405: NotFound,
    409: Conflict,
    412: Conflict,
    428: Conflict,
    429: Unavailable,
}
NEXT_STEP = {
    "unauthorized": "Sign in with `tasks login`.",
    "invalid-token": "Sign in again with `tasks login`.",
    "token-expired": "Sign in again with `tasks login`.",
    "token-revoked": "Sign in again with `tasks login`.",
    "insufficient-scope": "Sign in again with `tasks login`: the token in use may not write.",
}


def failure(response: httpx.Response) -> Failure:
    """The failure that a refusal stands for (RFC 9457, or whatever a proxy answers)."""
    problem = problem_of(response)
    status = response.status_code
    default = Unavailable if status >= 500 else Refused
    kind = BY_STATUS.get(status, default)
    title = problem.get("title") or response.reason_phrase
    detail = problem.get("detail") or f"The service answered {status} {title}."
    lines = [detail, *_reasons(problem)]
    if status >= 500 and "request_id" in problem:
        lines.append(f"request_id: {problem['request_id']}")
    step = NEXT_STEP.get(problem.get("code", ""))
    if step:
        lines.append(step)
    refusal = kind("\n".join(lines))
    refusal.code = str(problem.get("code", ""))
    return refusal


def problem_of(response: httpx.Response) -> Json:
    """The problem document of an answer, or {} where it has none."""
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _reasons(problem: Json) -> Iterator[str]:
    for reason in problem.get("errors") or []:
        place = reason.get("pointer") or reason.get("parameter") or ""
        name = place.lstrip("/")
        detail = reason.get("detail", "")
        yield f"  {name}: {detail}"
