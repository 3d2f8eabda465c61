"""Every list, filter, sort and search is served by an index, as the databases themselves say"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database.quotas import recount
from taskapp.extensions import db
from taskapp.tasks.due import rank
from tests.conftest import Client, Json, add, made

URL = "/api/v1/tasks"
OTHERS, EACH = 20, 200
SORTS = ("id", "title", "status", "priority", "due_at", "created_at", "updated_at")
WHEN = "2030-01-01T00:00:00Z"


@contextmanager
def listening(app: Flask) -> Iterator[list[tuple[str, Any]]]:
    """The SELECTs that the service sends meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            sent.append((statement, parameters))

    with app.app_context():
        engine = db.engines["reads"]
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def plan(app: Flask, statement: str, parameters: Any, *, small: bool = False) -> str:
    """How the database will find the rows; a small table is read as a whole unless told not to."""
    with app.app_context(), db.engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        if small and not on_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        explain = "EXPLAIN QUERY PLAN " if on_sqlite else "EXPLAIN "
        rows = connection.exec_driver_sql(explain + statement, parameters)
        return "\n".join(str(row[-1]) for row in rows)


def reads_all(explained: str, table: str) -> bool:
    """SQLite says SCAN without an index, PostgreSQL says Seq Scan."""
    return any(
        f"Seq Scan on {table}" in line
        or (line.startswith(f"SCAN {table}") and "INDEX" not in line and "VIRTUAL" not in line)
        for line in explained.splitlines()
    )


def due_every_other(start: dt.datetime, number: int) -> Json:
    """Due at a moment, never, on a day, never."""
    moment = start + dt.timedelta(hours=number)
    due_at = moment if number % 4 == 0 else None
    due_on = moment.date() if number % 4 == 2 else None
    return {"due_at": due_at, "due_on": due_on, "due": rank(due_at, due_on)}


def crowd(app: Flask, caller: Client) -> None:
    """Four thousand tasks, of which the caller sees a tenth."""
    model = add(caller, labels=["home"])
    with app.app_context(), db.engine.begin() as connection:
        tasks, labels = (db.metadata.tables[name] for name in ("tasks", "task_labels"))
        projects = db.metadata.tables["projects"]
        row = dict(connection.execute(sa.select(tasks)).one()._mapping)
        row["words"] = ["water", "the", "fern"]
        del row["id"]
        for name in ("due_at", "external_id", "parent_id"):
            row[name] = None
        project = dict(connection.execute(sa.select(projects).limit(1)).one()._mapping)
        del project["id"], project["inbox_of"]
        homes = [
            connection.execute(
                sa.insert(projects).values(project).returning(projects.c.id)
            ).scalar()
            for _ in range(OTHERS)
        ]
        start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        numbers = itertools.count()
        rows = [
            {
                **row,
                "project_id": home,
                "title": f"Task {(n := next(numbers)) % 997}",
                "status": ("todo", "in_progress", "done", "cancelled")[n % 4],
                "priority": ("none", "low", "medium", "high", "urgent")[n % 5],
                **due_every_other(start, n),
                "created_at": start + dt.timedelta(minutes=n),
                "updated_at": start + dt.timedelta(minutes=n),
                "words": [f"word{n % 500}", f"rare{n}"],
            }
            for home in [*homes, model["project_id"], model["project_id"]]
            for _ in range(EACH)
        ]
        connection.execute(sa.insert(tasks), rows)
        ids = connection.scalars(sa.select(tasks.c.id).where(tasks.c.id != model["id"]))
        connection.execute(
            sa.insert(labels),
            [{"task_id": i, "key": f"label{i % 50}", "name": f"label{i % 50}"} for i in ids],
        )
    with app.app_context():
        recount()
    with app.app_context(), db.engines["reads"].connect() as connection:
        if connection.dialect.name == "postgresql":  # does so itself; SQLite has no statistics
            connection.exec_driver_sql("VACUUM ANALYZE")


def test_those_that_repeat_are_found_by_an_index_of_their_own(app: Flask, alice: Client) -> None:
    crowd(app, alice)
    for query in ("", "&sort=id", "&total=true"):
        with listening(app) as sent:
            alice.get(f"{URL}?repeat=true{query}")
        plans = [plan(app, *each) for each in sent if " FROM tasks" in each[0].replace("\n", " ")]
        assert plans
        assert all("ix_tasks_repeating" in found for found in plans), plans


def test_no_question_reads_every_task(app: Flask, alice: Client, bob: Client) -> None:
    crowd(app, alice)
    made(alice, "projects", name="Second")
    inbox = alice.get("/api/v1/projects").get_json()["items"][0]["id"]
    queries = [
        "total=true",
        "limit=1",
        *(f"sort={sign}{name}" for name in SORTS for sign in ("", "-")),
    ]
    queries += [f"project_id={inbox}&{query}" for query in queries]
    queries += ["status=todo", "status=done,todo&sort=due_at", "priority=high", "label=label7"]
    queries += ["label=label7,label8", "assignee=me", f"assignee={bob.user['id']}", "assignee=none"]
    queries += ["parent=none", "parent=1", "due=none", "due=overdue", "due=today", "q=rare77"]
    queries += ["due=week&tz=Asia/Kolkata", "repeat=true", "repeat=false", "external_id=crm-7"]
    queries += [f"{query}&total=true" for query in ("repeat=true", "due=week", "due=none")]
    queries += [f"{name}={WHEN}" for name in ("due_before", "due_after", "created_before")]
    queries += [f"{name}={WHEN}" for name in ("created_after", "updated_after")]
    queries += [f"{name}={WHEN}" for name in ("completed_after", "completed_before")]
    queries += ["q=word7", "q=fern%20wat", "q=rare77&sort=title", "q=50%25%20rare77"]
    for query in queries:
        with listening(app) as sent:
            page = alice.get(f"{URL}?{query}").get_json()
            if cursor := page["next_cursor"]:
                alice.get(f"{URL}?{query}&cursor={cursor}")
        asked = [each for each in sent if "FROM tasks" in each[0]]
        assert asked
        for statement, parameters in asked:
            explained = plan(app, statement, parameters)
            assert not reads_all(explained, "tasks"), f"{query}: {explained}"
            if "sort=-due_at" in query and "LIMIT" in statement:
                assert "ix_tasks_latest_due" in explained or "due_id" in explained, query
        if "rare77" in query:  # the nearest rows do not hold it
            found = [plan(app, *each) for each in asked]
            assert any(map(has_index_of_words, found)), found


def has_index_of_words(explained: str) -> bool:
    return "VIRTUAL TABLE INDEX" in explained or "ix_tasks_project_words" in explained


@pytest.mark.parametrize(
    "query",
    ["q=the", "due=overdue", "created_after=2025-01-01T00:00:00Z", "label=home&sort=-title"],
)
def test_a_page_of_what_many_have_is_among_the_nearest_rows(
    app: Flask, alice: Client, query: str
) -> None:
    """What is read is an index in the order of the list, of each project, and then single rows."""
    crowd(app, alice)
    second = made(alice, "projects", name="Second")["id"]
    for number in range(12):
        place = {"project_id": second} if number % 2 else {}
        add(alice, "Water the fern", due_on="2026-01-01", labels=["home"], **place)
    with listening(app) as sent:
        assert len(alice.get(f"{URL}?{query}&limit=5").get_json()["items"]) == 5

    (statement, parameters) = sent[-1]
    assert [each for each, _ in sent if "FROM tasks" in each] == [statement]
    explained = plan(app, statement, parameters)
    index = "ix_tasks_project_id_title_key_id" if "title" in query else "ix_tasks_project_id_id"
    assert index in explained, explained


def test_what_an_index_has_in_order_is_not_sorted(app: Flask, alice: Client) -> None:
    """Nor is a page of each project read first: their next rows are compared."""
    crowd(app, alice)
    made(alice, "projects", name="Second")
    queries = [f"sort={sign}{name}" for name in SORTS for sign in ("", "-")]
    with app.app_context():
        on_sqlite = db.engine.dialect.name == "sqlite"
    if on_sqlite:  # PostgreSQL joins few labels as it sees fit
        queries += ["label=label7", "label=label7,label8", "label=label7,label8&sort=id"]
    sorts = re.compile(r"USE TEMP B-TREE|\bSort\b  ")
    for query in queries:
        with listening(app) as sent:
            page = alice.get(f"{URL}?{query}&limit=2").get_json()
            if cursor := page["next_cursor"]:
                alice.get(f"{URL}?{query}&limit=2&cursor={cursor}")
        for statement, parameters in sent:
            if "FROM tasks" in statement:
                explained = plan(app, statement, parameters, small=True)
                assert not sorts.search(explained), f"{query}: {explained}"


def test_filters_by_due_read_their_part_of_an_index(app: Flask, alice: Client) -> None:
    """However many tasks there are, what is read is what is due then, of each project."""
    crowd(app, alice)
    made(alice, "projects", name="Second")
    zones = ("UTC", "Pacific/Auckland", "America/St_Johns")
    early, late = (
        "2026-01-03T00:00:00Z",
        "2026-07-01T00:00:00Z",
    )  # when few are due before, and after
    filters = ["due=today", "due=week", "due=overdue", f"due_before={early}", f"due_after={late}"]
    filters.append("due_after=2026-06-20T00:00:00Z&due_before=2026-06-22T00:00:00Z")
    for query, zone in itertools.product(filters, zones):
        with listening(app) as sent:
            assert alice.get(f"{URL}?{query}&tz={zone}&sort=due_at").status_code == 200
        statement, parameters = next(each for each in sent if "FROM tasks" in each[0])
        explained = plan(app, statement, parameters)
        found = [line for line in explained.splitlines() if bounded_by_due(line)]
        # Once in each of the two projects; PostgreSQL may read days and moments apart.
        assert len(found) >= 2, f"{query}: {explained}"


def bounded_by_due(line: str) -> bool:
    """SQLite says `(project_id=? AND due<?)`, PostgreSQL `Index Cond: (… AND (due < …))`."""
    is_search = "Index Cond" in line or line.startswith("SEARCH tasks USING INDEX")
    return is_search and "project_id" in line and re.search(r"\bdue *[<>]", line) is not None


def test_no_other_list_reads_a_whole_table(
    app: Flask, alice: Client, admin: Client, shared: Json
) -> None:
    cursor = admin.get("/api/v1/users?role=user&limit=1").get_json()["next_cursor"]
    for client, path, tables in (
        (admin, f"/api/v1/users?role=user&limit=1&cursor={cursor}", ["users"]),
        (alice, "/api/v1/projects", ["memberships", "projects"]),
        (alice, f"/api/v1/projects/{shared['id']}/members", ["memberships", "users"]),
        (alice, "/api/v1/auth/sessions", ["sessions"]),
        (alice, "/api/v1/auth/tokens", ["personal_tokens"]),
    ):
        with listening(app) as sent:
            assert client.get(path).status_code == 200
        for statement, parameters in sent:
            explained = plan(app, statement, parameters, small=True)
            assert not any(reads_all(explained, name) for name in tables), f"{path}: {explained}"


def test_a_session_asked_along_reads_no_whole_table(app: Flask, alice: Client) -> None:
    crowd(app, alice)
    task = add(alice)
    for path in (URL, f"{URL}/{task['id']}"):
        with listening(app) as sent:
            assert alice.get(path).status_code == 200
        statement, parameters = sent[0]
        assert "sessions" in statement
        assert "memberships" in statement
        explained = plan(app, statement, parameters, small=True)
        for table in ("tasks", "sessions", "users", "memberships", "projects"):
            assert not reads_all(explained, table), f"{path}: {explained}"


def test_a_whole_read_would_be_seen(app: Flask, alice: Client) -> None:
    crowd(app, alice)

    explained = plan(app, "SELECT id FROM tasks WHERE description = 'x'", ())

    assert reads_all(explained, "tasks")


def test_stats_read_indexes_alone(app: Flask, alice: Client) -> None:
    crowd(app, alice)
    made(alice, "projects", name="Second")
    with app.app_context(), db.engines["reads"].connect() as connection:
        if connection.dialect.name == "postgresql":  # says which pages an index need not visit
            connection.exec_driver_sql("VACUUM ANALYZE tasks")
    with listening(app) as sent:
        assert alice.get("/api/v1/stats").status_code == 200

    of_tasks = [each for each in sent if "tasks" in each[0]]
    assert len(of_tasks) == 3
    # SQLite calls a partial index covering only if its condition is asked for, too.
    alone = re.compile(r"Index Only|COVERING INDEX|USING INDEX ix_tasks_open_")
    of_rows = []
    for statement, parameters in of_tasks:
        explained = plan(app, statement, parameters, small=True)
        rows = [line for line in explained.splitlines() if re.search(r"(Scan|SEARCH).*tasks", line)]
        assert rows
        of_rows += [row for row in rows if not alone.search(row)]
    # Of what is due on a day that is today somewhere, PostgreSQL reads whether it is late.
    assert len(of_rows) <= 1
    assert all("ix_tasks_open_due" in row for row in of_rows), of_rows
