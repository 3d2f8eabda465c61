"""What Prometheus reads: counts and times of all workers added up, and what they take.

Labels are bounded: a route is a rule of the URL map, a method one that HTTP names. Under gunicorn
the numbers lie in files that the workers share (see gunicorn.conf.py), else in this process.
"""

from functools import lru_cache

import prometheus_client as prometheus
import sqlalchemy as sa
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.orm import Session

from taskapp.extensions import db

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
REQUESTS = Counter("taskapp_requests", "Responses sent.", ["method", "route", "status"])
SECONDS = Histogram(
    "taskapp_request_seconds", "Request duration.", ["method", "route"], buckets=BUCKETS
)
IN_PROGRESS = Gauge(
    "taskapp_requests_in_progress", "Requests in progress.", multiprocess_mode="livesum"
)
DATABASE = Histogram("taskapp_database_seconds", "Database time of a request.", buckets=BUCKETS)
SIGN_INS = Counter("taskapp_sign_ins", "Sign-in attempts, by outcome.", ["outcome"])
CREATED = Counter("taskapp_tasks_created", "Tasks created.")
DONE = Counter("taskapp_tasks_done", "Tasks that became done.")
LOOKUPS = Counter("taskapp_cache_lookups", "Cache lookups, by outcome.", ["outcome"])
SIGN_IN_OUTCOMES = {200: "ok", 401: "refused", 429: "limited"}
_requests = lru_cache(4096)(REQUESTS.labels)
_seconds = lru_cache(1024)(SECONDS.labels)
# These speak of one worker; ours add up all.
prometheus.REGISTRY.unregister(prometheus.GC_COLLECTOR)
prometheus.REGISTRY.unregister(prometheus.PLATFORM_COLLECTOR)
prometheus.REGISTRY.unregister(prometheus.PROCESS_COLLECTOR)


def count_request(method: str, route: str, status: int, seconds: float, database: float) -> None:
    if method not in METHODS:
        method = "other"
    _requests(method, route, status).inc()
    _seconds(method, route).observe(seconds)
    if database:
        DATABASE.observe(database)
    if route == "/api/v1/auth/login" and method == "POST" and status in SIGN_IN_OUTCOMES:
        SIGN_INS.labels(SIGN_IN_OUTCOMES[status]).inc()


def count_event(kind: str, of_task: bool, status: str | None, times: int = 1) -> None:
    """Count an event that is committed; `status` is the one that it brings."""
    if kind == "created" and of_task:
        CREATED.inc(times)
    if status == "done":
        DONE.inc(times)


@sa.event.listens_for(db.session, "after_commit")
def _count_events(session: Session) -> None:
    counts = session.info.pop("event counts", {})
    for (kind, of_task, status), times in counts.items():
        count_event(kind, of_task, status, times)


@sa.event.listens_for(db.session, "after_rollback")
def _forget_events(session: Session) -> None:
    session.info.pop("event counts", None)
