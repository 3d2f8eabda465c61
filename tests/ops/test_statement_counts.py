"""What each route asks of the database, exactly; docs/performance.md promises it in a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from taskapp.extensions import db
from taskapp.mail import tokens
from taskapp.web import openapi
from tests.calls import HOOK, codes_of, mailed, newest_event, with_second_factor
from tests.conftest import PASSWORD, Client, Json, invite

pytestmark = pytest.mark.usefixtures("with_mail")
DOCS = Path(__file__).parents[2] / "docs" / "performance.md"
ROW = re.compile(
    r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`]+)` \|([^|]*)\| (\d+) \| (\d+) \|$", re.MULTILINE
)
NAMED = r"{\2}"  # as the document writes an argument of a path


@dataclass
class Counts:
    """SQL statements that were sent, and commits; BEGIN and ROLLBACK are not counted."""

    statements: int = 0
    commits: int = 0


@contextmanager
def counted(app: Flask) -> Iterator[Counts]:
    """Count on every engine of the app, through SQLAlchemy's own events."""
    counts, hooks = Counts(), []

    def count_statement(_: Any, __: Any, statement: str, *___: Any) -> None:
        counts.statements += not statement.startswith("BEGIN")

    def count_commit(_: Any) -> None:
        counts.commits += 1

    with app.app_context():
        for engine in db.engines.values():
            hooks.append((engine, "before_cursor_execute", count_statement))
            hooks.append((engine, "commit", count_commit))
    for hook in hooks:
        sa.event.listen(*hook)
    try:
        yield counts
    finally:
        for hook in hooks:
            sa.event.remove(*hook)


def promised() -> dict[str, tuple[int, int]]:
    """The table: {"GET /tasks (unchanged: 304)": (statements, commits)}."""
    rows = ROW.findall(DOCS.read_text(encoding="utf-8"))
    return {f"{route} {note.strip()}".strip(): (int(n), int(c)) for route, note, n, c in rows}


@dataclass
class Scene:
    """What the calls below start from: Alice's task, a shared project, Bob in it."""

    alice: Client
    bob: Client
    charlie: Client
    admin: Client
    anonymous: Client
    shared: Json
    task: Json
    pair: Json
    dora: Json
    next_code: Callable[[], str] = str  # of Alice's authenticator, once it is set up

    @property
    def tasks(self) -> str:
        return f"/api/v1/tasks/{self.task['id']}"

    @property
    def project(self) -> str:
        return f"/api/v1/projects/{self.shared['id']}"

    @property
    def member(self) -> str:
        return f"{self.project}/members/{self.bob.user['id']}"

    def again(self, url: str) -> TestResponse:
        """What was asked before, with the ETag it came with."""
        tag = self.alice.get(url).headers["ETag"]
        return self.alice.get(url, headers={"If-None-Match": tag})

    def token(self) -> Json:
        made: Json = self.alice.post(f"{AUTH}/tokens", json=SCRIPT).get_json()
        return made

    def second_step(self) -> Json:
        names = with_second_factor(self.anonymous, self.dora["email"])
        return {"ticket": names["ticket"], "code": names["recovery_code"]}

    def first_code(self) -> Json:
        seed = self.alice.post(f"{AUTH}/totp", json=PROOF).get_json()["secret"]
        self.next_code = codes_of(seed)
        return {"code": self.next_code()}

    def mailed(self, purpose: str) -> str:
        return mailed(self.alice, purpose, self.dora["id"], self.dora["email"])

    @property
    def hooks(self) -> str:
        return f"{self.project}/webhooks"

    def hook(self) -> str:
        return str(self.alice.post(self.hooks, json=HOOK).headers["Location"])

    def invited(self) -> int:
        """Admins' addresses are proved."""
        return int(invite(self.alice, self.shared["id"], self.admin.user["email"])["id"])

    def comment(self) -> str:
        return str(self.alice.post(f"{self.tasks}/comments", json=SAID).headers["Location"])

    def attach(self) -> TestResponse:
        file = {"file": (BytesIO(b"fern"), "fern.txt")}
        return self.alice.post(f"{self.tasks}/attachments", data=file)


@pytest.fixture
def scene(
    alice: Client,
    bob: Client,
    charlie: Client,
    admin: Client,
    anonymous: Client,
    shared: Json,
    task: Json,
) -> Scene:
    login = {"email": alice.user["email"], "password": PASSWORD}
    pair = anonymous.post("/api/v1/auth/login", json=login).get_json()
    dora = admin.post("/api/v1/users", json={**NEW, "email": "dora@example.com"}).get_json()
    return Scene(alice, bob, charlie, admin, anonymous, shared, task, pair, dora)


def creating(tasks: int) -> Json:
    return {"operations": [{"op": "create", "body": {"title": f"Fern {n}"}} for n in range(tasks)]}


def upserting(project_id: int, title: str) -> Json:
    key = {"op": "upsert", "project_id": project_id}
    return {
        "operations": [
            {**key, "external_id": f"{number}", "body": {"title": title}} for number in range(100)
        ]
    }


def with_all_ids(client: Client, **operation: Any) -> Json:
    """A batch with this operation for each of a hundred tasks."""
    made = client.post(f"{TASKS}/batch", json=creating(100)).get_json()["results"]
    return {"operations": [{**operation, "id": result["id"]} for result in made]}


NEW = {"email": "finn@example.com", "password": PASSWORD, "name": "Dora"}
SCRIPT, SAID = {"name": "cron", "scopes": ["read"]}, {"body": "At noon."}
AT_A_PROVIDER = {f"oidc.{step}" for step in ("begin_oidc", "finish_oidc", "swap_code")}
PROOF = {"current_password": PASSWORD}
SIGN_IN = {"email": "alice@example.com", "password": PASSWORD}
USERS, AUTH, TASKS, PROJECTS = (
    f"/api/v1/{room}" for room in ("users", "auth", "tasks", "projects")
)
Call = Callable[[Scene], TestResponse]
# Each row of the table, and how it is asked, one after the other: what ends something is last.
CALLS: dict[str, Call] = {
    "POST /auth/register": lambda s: s.anonymous.post(f"{AUTH}/register", json=NEW),
    "POST /auth/login": lambda s: s.anonymous.post(f"{AUTH}/login", json=SIGN_IN),
    "POST /auth/refresh": lambda s: s.anonymous.post(
        f"{AUTH}/refresh", json={"refresh_token": s.pair["refresh_token"]}
    ),
    "POST /auth/login/totp": lambda s: s.anonymous.post(f"{AUTH}/login/totp", json=s.second_step()),
    "GET /auth/providers": lambda s: s.anonymous.get(f"{AUTH}/providers"),
    "GET /auth/totp": lambda s: s.alice.get(f"{AUTH}/totp"),
    "POST /auth/totp": lambda s: s.alice.post(f"{AUTH}/totp", json=PROOF),
    "POST /auth/totp/confirm": lambda s: s.alice.post(f"{AUTH}/totp/confirm", json=s.first_code()),
    "POST /auth/totp/recovery-codes": lambda s: s.alice.post(
        f"{AUTH}/totp/recovery-codes", json={**PROOF, "code": s.next_code()}
    ),
    "POST /auth/totp/disable": lambda s: s.alice.post(
        f"{AUTH}/totp/disable", json={**PROOF, "code": s.next_code()}
    ),
    "POST /auth/password/forgot": lambda s: s.anonymous.post(
        f"{AUTH}/password/forgot", json={"email": "dora@example.com"}
    ),
    "POST /auth/password/reset": lambda s: s.anonymous.post(
        f"{AUTH}/password/reset", json={"token": s.mailed(tokens.RESET), "password": PASSWORD}
    ),
    "POST /auth/email/verify/send": lambda s: s.alice.post(f"{AUTH}/email/verify/send"),
    "POST /auth/email/verify": lambda s: s.anonymous.post(
        f"{AUTH}/email/verify", json={"token": s.mailed(tokens.VERIFICATION)}
    ),
    "GET /auth/sessions": lambda s: s.alice.get(f"{AUTH}/sessions"),
    "GET /auth/token": lambda s: s.alice.get(f"{AUTH}/token"),
    "GET /auth/tokens": lambda s: s.alice.get(f"{AUTH}/tokens"),
    "POST /auth/tokens": lambda s: s.alice.post(f"{AUTH}/tokens", json=SCRIPT),
    "GET /auth/tokens/{token_id}": lambda s: s.alice.get(f"{AUTH}/tokens/{s.token()['id']}"),
    "DELETE /auth/tokens/{token_id}": lambda s: s.alice.delete(f"{AUTH}/tokens/{s.token()['id']}"),
    "GET /users/me": lambda s: s.alice.get(f"{USERS}/me"),
    "PATCH /users/me": lambda s: s.alice.patch(f"{USERS}/me", json={"name": "Ally"}),
    "GET /users": lambda s: s.admin.get(USERS),
    "POST /users": lambda s: s.admin.post(USERS, json={**NEW, "email": "emil@example.com"}),
    "GET /users/{user_id}": lambda s: s.admin.get(f"{USERS}/{s.bob.user['id']}"),
    "PATCH /users/{user_id}": lambda s: s.admin.patch(
        f"{USERS}/{s.bob.user['id']}", json={"name": "Bobby"}
    ),
    "GET /projects": lambda s: s.alice.get(PROJECTS),
    "POST /projects": lambda s: s.alice.post(PROJECTS, json={"name": "Attic"}),
    "GET /projects/{project_id}": lambda s: s.alice.get(s.project),
    "PATCH /projects/{project_id}": lambda s: s.alice.patch(s.project, json={"name": "Yard"}),
    "GET /projects/{project_id}/members": lambda s: s.alice.get(f"{s.project}/members"),
    "POST /projects/{project_id}/members": lambda s: s.alice.post(
        f"{s.project}/members", json={"email": "charlie@example.com", "role": "viewer"}
    ),
    "GET /projects/{project_id}/members/{user_id}": lambda s: s.alice.get(s.member),
    "PATCH /projects/{project_id}/members/{user_id}": lambda s: s.alice.patch(
        s.member, json={"role": "viewer"}
    ),
    "GET /projects/{project_id}/invitations": lambda s: s.alice.get(f"{s.project}/invitations"),
    "DELETE /projects/{project_id}/invitations/{invitation_id}": lambda s: s.alice.delete(
        f"{s.project}/invitations/{s.invited()}"
    ),
    "GET /invitations": lambda s: s.admin.get("/api/v1/invitations"),
    "POST /invitations/{invitation_id}/decline": lambda s: s.admin.post(
        f"/api/v1/invitations/{s.invited()}/decline"
    ),
    "POST /invitations/{invitation_id}/accept": lambda s: s.admin.post(
        f"/api/v1/invitations/{s.invited()}/accept"
    ),
    "GET /tasks": lambda s: s.alice.get(TASKS),
    "GET /tasks remembered": lambda s: [s.alice.get(TASKS) for _ in range(2)][1],
    "GET /tasks unchanged: 304": lambda s: s.again(TASKS),
    "GET /tasks filters, search and `total`": lambda s: s.alice.get(
        f"{TASKS}?q=fern&label=home&sort=-priority,due_at&total=true"
    ),
    "POST /tasks": lambda s: s.alice.post(TASKS, json={"title": "Prune"}),
    "POST /tasks labels, assignee, parent": lambda s: s.alice.post(
        TASKS,
        json={
            "title": "Prune",
            "labels": ["home", "garden"],
            "assignee_id": s.alice.user["id"],
            "parent_id": s.task["id"],
        },
    ),
    "GET /tasks/{task_id}": lambda s: s.alice.get(s.tasks),
    "GET /tasks/{task_id} unchanged: 304": lambda s: s.again(s.tasks),
    "PATCH /tasks/{task_id}": lambda s: s.alice.patch(s.tasks, json={"status": "done"}),
    "PATCH /tasks/{task_id} nothing to change": lambda s: s.alice.patch(s.tasks, json={}),
    "PATCH /tasks/{task_id} another project": lambda s: s.alice.patch(
        s.tasks, json={"project_id": s.shared["id"]}
    ),
    "PUT /projects/{project_id}/tasks/by-external-id/{external_id} made": lambda s: s.alice.put(
        f"{s.project}/tasks/by-external-id/crm-1", json={"title": "Prune"}
    ),
    "PUT /projects/{project_id}/tasks/by-external-id/{external_id} changed": lambda s: [
        s.alice.put(f"{s.project}/tasks/by-external-id/crm-1", json={"title": title})
        for title in ("Prune", "Rake")
    ][1],
    "GET /projects/{project_id}/tasks/by-external-id/{external_id}": lambda s: s.alice.get(
        f"{s.project}/tasks/by-external-id/crm-1"
    ),
    "PATCH /projects/{project_id}/tasks/by-external-id/{external_id}": lambda s: s.alice.patch(
        f"{s.project}/tasks/by-external-id/crm-1", json={"title": "Mow"}
    ),
    "DELETE /projects/{project_id}/tasks/by-external-id/{external_id}": lambda s: s.alice.delete(
        f"{s.project}/tasks/by-external-id/crm-1"
    ),
    "GET /changes the present": lambda s: s.alice.get("/api/v1/changes"),
    "GET /changes since a cursor": lambda s: s.alice.get(
        f"/api/v1/changes?cursor={s.alice.get('/api/v1/changes').get_json()['next_cursor']}"
    ),
    "POST /tasks/batch 1 create": lambda s: s.alice.post(f"{TASKS}/batch", json=creating(1)),
    "POST /tasks/batch 100 creates": lambda s: s.alice.post(f"{TASKS}/batch", json=creating(100)),
    "POST /tasks/batch 100 upserts, made": lambda s: s.alice.post(
        f"{TASKS}/batch", json=upserting(s.task["project_id"], "Moss")
    ),
    "POST /tasks/batch 100 upserts, changed": lambda s: s.alice.post(
        f"{TASKS}/batch", json=upserting(s.task["project_id"], "Fern")
    ),
    "POST /tasks/batch 100 updates": lambda s: s.alice.post(
        f"{TASKS}/batch", json=with_all_ids(s.alice, op="update", body={"title": "Rake"})
    ),
    "POST /tasks/batch 100 deletes": lambda s: s.alice.post(
        f"{TASKS}/batch", json=with_all_ids(s.alice, op="delete")
    ),
    "GET /tasks/{task_id}/history": lambda s: s.alice.get(f"{s.tasks}/history"),
    "GET /projects/{project_id}/events": lambda s: s.alice.get(f"{s.project}/events"),
    "POST /tasks/import 2 rows": lambda s: s.alice.post(
        f"{TASKS}/import", data="title\nPrune\nRake\n", content_type="text/csv"
    ),
    "GET /feeds/{secret}.ics": lambda s: s.anonymous.get(
        s.alice.post(f"{AUTH}/tokens", json={"name": "c", "scopes": ["feed"]}).get_json()[
            "feed_url"
        ]
    ),
    "GET /feeds/tasks.ics": lambda s: s.alice.get("/api/v1/feeds/tasks.ics"),
    "GET /labels": lambda s: s.alice.get("/api/v1/labels"),
    "GET /stats": lambda s: s.alice.get("/api/v1/stats"),
    "GET /tasks/{task_id}/comments": lambda s: s.alice.get(f"{s.tasks}/comments"),
    "POST /tasks/{task_id}/comments": lambda s: s.alice.post(f"{s.tasks}/comments", json=SAID),
    "GET /tasks/{task_id}/comments/{comment_id}": lambda s: s.alice.get(s.comment()),
    "PATCH /tasks/{task_id}/comments/{comment_id}": lambda s: s.alice.patch(
        s.comment(), json={"body": "Done."}
    ),
    "DELETE /tasks/{task_id}/comments/{comment_id}": lambda s: s.alice.delete(s.comment()),
    "GET /tasks/{task_id}/attachments": lambda s: s.alice.get(f"{s.tasks}/attachments"),
    "POST /tasks/{task_id}/attachments": lambda s: s.attach(),
    "GET /tasks/{task_id}/attachments/{attachment_id}": lambda s: s.alice.get(
        s.attach().headers["Location"]
    ),
    "DELETE /tasks/{task_id}/attachments/{attachment_id}": lambda s: s.alice.delete(
        s.attach().headers["Location"]
    ),
    "DELETE /tasks/{task_id}": lambda s: s.alice.delete(s.tasks),
    "POST /tasks/{task_id}/restore": lambda s: s.alice.post(f"{s.tasks}/restore"),
    "GET /projects/{project_id}/webhooks": lambda s: s.alice.get(s.hooks),
    "POST /projects/{project_id}/webhooks": lambda s: s.alice.post(s.hooks, json=HOOK),
    "GET /projects/{project_id}/webhooks/{webhook_id}": lambda s: s.alice.get(s.hook()),
    "PATCH /projects/{project_id}/webhooks/{webhook_id}": lambda s: s.alice.patch(
        s.hook(), json={"format": "text"}
    ),
    "GET /projects/{project_id}/webhooks/{webhook_id}/deliveries": lambda s: s.alice.get(
        f"{s.hook()}/deliveries"
    ),
    "POST /projects/{project_id}/webhooks/{webhook_id}/test": lambda s: s.alice.post(
        f"{s.hook()}/test"
    ),
    "POST /projects/{project_id}/webhooks/{webhook_id}/rotate": lambda s: s.alice.post(
        f"{s.hook()}/rotate"
    ),
    "POST /projects/{project_id}/webhooks/{webhook_id}/skip": lambda s: s.alice.post(
        f"{s.hook()}/skip"
    ),
    "POST /projects/{project_id}/webhooks/{webhook_id}/replay": lambda s: s.alice.post(
        f"{s.hook()}/replay", json={"from_event": newest_event(s.alice)}
    ),
    "DELETE /projects/{project_id}/webhooks/{webhook_id}": lambda s: s.alice.delete(s.hook()),
    "DELETE /projects/{project_id}/members/{user_id}": lambda s: s.alice.delete(s.member),
    "DELETE /projects/{project_id}": lambda s: s.alice.delete(s.project),
    "DELETE /users/{user_id}": lambda s: s.admin.delete(f"{USERS}/{s.dora['id']}"),
    "DELETE /auth/sessions/{session_id}": lambda s: s.admin.delete(
        f"{AUTH}/sessions/{s.admin.get(f'{AUTH}/sessions').get_json()['items'][0]['id']}"
    ),
    "POST /auth/password": lambda s: s.alice.post(
        f"{AUTH}/password",
        json={"current_password": PASSWORD, "new_password": "eleven dry sparrows"},
    ),
    "DELETE /users/me": lambda s: s.bob.delete(f"{USERS}/me", json={"current_password": PASSWORD}),
    "POST /auth/logout": lambda s: s.charlie.post(f"{AUTH}/logout"),
    "DELETE /auth/sessions": lambda s: s.alice.delete(f"{AUTH}/sessions"),
}


def test_each_route_sends_as_many_statements_as_the_table_says(app: Flask, scene: Scene) -> None:
    asked: list[tuple[int, int]] = []

    class Counting(Client):
        """Counts each request on its own: the last one of a row is the one that is meant."""

        def open(self, *args: Any, **kwargs: Any) -> TestResponse:
            with counted(app) as counts:
                response = super().open(*args, **kwargs)
            asked.append((counts.statements, counts.commits))
            return response

    for client in (scene.alice, scene.bob, scene.charlie, scene.admin, scene.anonymous):
        client.__class__ = Counting
    found = {}
    for row, call in CALLS.items():
        response = call(scene)
        assert response.status_code < 400, (row, response.get_json())
        assert (response.status_code == 304) == ("304" in row), row
        found[row] = asked[-1]

    assert found == promised()


def test_the_table_names_every_route_and_no_other(app: Flask) -> None:
    routes = {
        f"{method} {openapi.ARGUMENT.sub(NAMED, rule.rule).removeprefix('/api/v1')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/") and rule.endpoint not in AT_A_PROVIDER
    }

    assert {" ".join(row.split()[:2]) for row in CALLS} == routes
    assert set(promised()) == set(CALLS)


def test_a_route_commits_at_most_once() -> None:
    assert {commits for _, commits in promised().values()} == {0, 1}
