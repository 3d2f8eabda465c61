"""Is it alive, has it started, can it serve? Probes need no credential and meet no limit."""

import hmac
from ipaddress import ip_address
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, validate
from marshmallow.fields import Float
from prometheus_client import CONTENT_TYPE_LATEST

from taskapp.caller import ADMIN
from taskapp.database.redis import shared
from taskapp.errors import CREDENTIALS, DatabaseUnavailable, Forbidden, NotFound
from taskapp.extensions import settings
from taskapp.ops import checks, exposition
from taskapp.users import throttle
from taskapp.web import fields
from taskapp.web.contract import public, replies
from taskapp.web.current import client_address, current, require_scope

health = Blueprint("health", __name__)
OPERATORS = (*CREDENTIALS, Forbidden)
FORWARDING_HEADERS = {
    *("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"),
    *("x-real-ip", "x-forwarded-prefix", "cf-connecting-ip", "true-client-ip"),
}
STATES = ("ok", "degraded", "down")


class HealthSchema(Schema):
    """The state of the service.

    Attributes:
        status: `degraded`: it serves, and a part of it does not work.
        checks: The state of each part that was looked at.
    """

    status = fields.Choice(STATES, required=True)
    checks = fields.Dict(
        keys=fields.String(), values=fields.Choice((*STATES, "unused")), metadata=fields.ABSENT
    )


class FindingSchema(Schema):
    """What a check found, in how many milliseconds, and how to repair it.

    Attributes:
        name: The part.
        status: Its state.
        detail: What was found.
        remedy: What to do about it; empty where it is well.
        ms: How many milliseconds the check took.
    """

    name = fields.Text(max=40, required=True)
    status = fields.Choice(STATES, required=True)
    detail = fields.Text(max=1000, required=True)
    remedy = fields.Text(max=1000, required=True)
    ms = Float(required=True, validate=validate.Range(0, 600_000))


class DetailedHealthSchema(Schema):
    """The state of each part of the service.

    Attributes:
        status: The worst state of all parts.
        checks: What was found of each part.
    """

    status = fields.Choice(STATES, required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.Nested(FindingSchema), required=True)


@health.get("/health")
@public
@replies(HealthSchema())
def alive() -> dict[str, Any]:
    """The process answers; nothing else is touched.

    For a supervisor that restarts what hangs.
    """
    return {"status": "ok"}


@health.get("/health/startup", endpoint="started")
@health.get("/health/ready")
@public
@replies(HealthSchema(), 200, DatabaseUnavailable)
def is_ready() -> dict[str, Any]:
    """Ready while the database can be read; degraded without Redis, counters, or its writes.

    For a load balancer: 503 while the database cannot be read or is not at this code's schema.
    """
    database = checks.database()
    if database.status == "down":
        raise DatabaseUnavailable(f"{database.detail}. {database.remedy}")
    redis = shared().state()
    counters = shared().file.state()
    found = {"database": database.status, "redis": redis, "counters": counters}
    degraded = {"down", "degraded"}.intersection(found.values())
    status = "degraded" if degraded else "ok"
    return {"status": status, "checks": found}


@health.get("/health/detailed")
@public
@replies(DetailedHealthSchema(), 200, *OPERATORS)
def detailed() -> dict[str, Any]:
    """The state of each part; for admins, and for METRICS_TOKEN as Bearer.

    Database, cache, disk, memory and versions, each with how long its check took, and what to do.
    """
    admit_operator()
    findings = {check.__name__: checks.run(check) for check in checks.HEALTH}
    states = [finding["status"] for finding in findings.values()]
    return {"status": max(states, key=STATES.index), "checks": findings}


@health.get("/metrics")
@public
@replies(None, 200, *OPERATORS, NotFound, gives=("text/plain",))
def expose_metrics() -> Response:
    """What Prometheus reads; METRICS_TOKEN as Bearer, or without one only from this machine.

    All workers added up, in Prometheus' text format.
    """
    if settings().metrics_token:
        admit_operator()
    elif not _is_from_this_machine():
        raise NotFound
    return Response(exposition.exposition(), content_type=CONTENT_TYPE_LATEST)


def admit_operator() -> None:
    """Admins, and the metrics token, which needs no database to know who is an admin.

    Raises:
        Unauthorized, Forbidden: The caller is neither.
        RateLimited: Too many guesses came from this address.
    """
    if _has_metrics_token():
        return
    guesses = throttle.of_metrics_token(client_address())
    throttle.refuse_if_exhausted(guesses)
    if current().caller is None and "Authorization" in request.headers:
        throttle.count_failure(guesses)
    require_scope(ADMIN)


def _has_metrics_token() -> bool:
    token = settings().metrics_token
    authorization = request.headers.get("Authorization", "")
    scheme, _, sent = authorization.partition(" ")
    if not token or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(sent.encode(), token.encode())


def _is_from_this_machine() -> bool:
    """Behind a proxy everybody is a loopback peer, but for the headers that it adds."""
    if any(name in request.headers for name in FORWARDING_HEADERS):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
