"""Every route once: who may use it, and a request that works.

The matrix of `test_access.py`, `test_contract.py` and `test_idempotency.py` come from here, and a
route that is missing here fails them. What ends something stands below what uses it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import sqlalchemy as sa
from pyotp import TOTP

from taskapp.database.session import transaction
from taskapp.extensions import db
from taskapp.ledger.access import EVENTS
from taskapp.mail import tokens
from tests.conftest import PASSWORD, Client, Json, add, invite, made, prove

ANYONE, SECRET, SIGNED_IN, SESSION = "anyone", "secret", "signed-in", "session"
AGENT = "agent"  # a POST for which the scope `read` is enough; it answers in JSON-RPC
OTHERS = "others"  # oneself, and everybody for admins
MEMBER = "member"  # of the project in any role, and admins
VIEWER, EDITOR, OWNER, ADMIN = "viewer", "editor", "owner", "admin"
EMAIL = "new@example.com"
NEW_USER = {"email": EMAIL, "password": PASSWORD, "name": "New"}
LOGIN = {"email": "alice@example.com", "password": PASSWORD}
PASSWORDS = {"current_password": PASSWORD, "new_password": PASSWORD}
PROOF = {"current_password": PASSWORD, "code": "{code}"}
COMMENT = {"body": "Twice a week"}
TASK = {"title": "Water the fern"}
HOOK = {"url": "https://example.com/hooks/tasks"}
API = "/api/v1"
STEP = 30  # seconds


class Call(NamedTuple):
    """A request; names in braces stand for ids of this very test."""

    level: str
    method: str
    path: str
    body: Json | None = None

    def filled(self, names: Json) -> Call:
        body = self.body and {name: _filled(value, names) for name, value in self.body.items()}
        return self._replace(path=self.path.format(**names), body=body)

    def send(self, client: Client, **options: Any) -> Any:
        uploads = self.path.partition("?")[0].endswith("/attachments")
        if uploads and self.method == "POST":
            options["data"] = {"file": (BytesIO(b"a fern"), "fern.txt")}
        return client.open(self.path, method=self.method, json=self.body, **options)


def _filled(value: Any, names: Json) -> Any:
    """A name alone stands for its value, whatever the type, or for what it gives when called."""
    if not isinstance(value, str):
        return value
    alone = value.startswith("{") and value[1:-1] in names
    named = names[value[1:-1]] if alone else value.format(**names)
    return named() if callable(named) else named


CALLS = [
    Call(ANYONE, "GET", "/"),
    Call(ANYONE, "GET", API),
    Call(ANYONE, "GET", "/health"),
    Call(ANYONE, "GET", "/health/startup"),
    Call(ANYONE, "GET", "/health/ready"),
    Call(ANYONE, "GET", "/metrics"),
    Call(ANYONE, "GET", "/docs"),
    Call(ANYONE, "GET", "/redoc"),
    Call(ANYONE, "GET", "/openapi.json"),
    Call(ANYONE, "GET", "/problems"),
    Call(ANYONE, "GET", "/problems/not-found"),
    Call(ANYONE, "GET", "/static/{static}"),
    Call(ANYONE, "GET", "/.well-known/security.txt"),
    Call(ANYONE, "POST", f"{API}/auth/register", NEW_USER),
    Call(ANYONE, "POST", f"{API}/auth/login", LOGIN),
    Call(ANYONE, "POST", f"{API}/auth/login/totp",
         {"ticket": "{ticket}", "code": "{recovery_code}"}),
    Call(ANYONE, "POST", f"{API}/auth/refresh", {"refresh_token": "{refresh}"}),
    Call(ANYONE, "POST", f"{API}/auth/password/forgot", {"email": "dora@example.com"}),
    Call(ANYONE, "POST", f"{API}/auth/password/reset", {"token": "{reset}", "password": PASSWORD}),
    Call(ANYONE, "POST", f"{API}/auth/email/verify", {"token": "{verification}"}),
    Call(ANYONE, "GET", f"{API}/auth/providers"),
    Call(SECRET, "GET", f"{API}/auth/oidc/login"),  # where no provider is set up
    Call(SECRET, "GET", f"{API}/auth/oidc/callback"),
    Call(SECRET, "POST", f"{API}/auth/oidc/token", {"code": "x"}),
    Call(SECRET, "GET", f"{API}/feeds/tsk_nobody.ics"),
    Call(SIGNED_IN, "GET", f"{API}/feeds/tasks.ics"),
    Call(AGENT, "POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"}),
    Call(SIGNED_IN, "GET", f"{API}/auth/token"),
    Call(SIGNED_IN, "GET", f"{API}/auth/tokens"),
    Call(SIGNED_IN, "GET", f"{API}/auth/tokens/{{token}}"),
    Call(SIGNED_IN, "GET", f"{API}/auth/sessions"),
    Call(SIGNED_IN, "GET", f"{API}/auth/totp"),
    Call(SIGNED_IN, "GET", f"{API}/users/me"),
    Call(SIGNED_IN, "GET", f"{API}/projects"),
    Call(SIGNED_IN, "GET", f"{API}/tasks"),
    Call(SIGNED_IN, "GET", f"{API}/labels"),
    Call(SIGNED_IN, "GET", f"{API}/stats"),
    Call(SIGNED_IN, "GET", f"{API}/changes"),
    Call(SIGNED_IN, "PATCH", f"{API}/users/me", {"name": "Ann"}),
    Call(SIGNED_IN, "POST", f"{API}/auth/email/verify/send"),
    Call(SESSION, "POST", f"{API}/auth/tokens", {"name": "nightly", "scopes": ["read"]}),
    Call(SIGNED_IN, "POST", f"{API}/projects", {"name": "Garden"}),
    Call(SIGNED_IN, "POST", f"{API}/tasks", TASK),
    Call(SIGNED_IN, "POST", f"{API}/tasks/batch", {"operations": [{"op": "create", "body": TASK}]}),
    Call(SIGNED_IN, "POST", f"{API}/tasks/import", {"items": [TASK]}),
    Call(SIGNED_IN, "GET", f"{API}/invitations"),
    Call(SIGNED_IN, "POST", f"{API}/invitations/{{accepted}}/accept"),
    Call(SIGNED_IN, "POST", f"{API}/invitations/{{declined}}/decline"),
    Call(ADMIN, "GET", "/health/detailed"),
    Call(ADMIN, "GET", f"{API}/users"),
    Call(OTHERS, "GET", f"{API}/users/{{user}}"),
    Call(ADMIN, "POST", f"{API}/users", {**NEW_USER, "email": f"2.{EMAIL}"}),
    Call(ADMIN, "PATCH", f"{API}/users/{{user}}", {"name": "Ann"}),
    Call(VIEWER, "GET", f"{API}/projects/{{project}}"),
    Call(VIEWER, "GET", f"{API}/projects/{{project}}/members"),
    Call(MEMBER, "GET", f"{API}/projects/{{project}}/events"),
    Call(VIEWER, "GET", f"{API}/projects/{{project}}/members/{{user}}"),
    Call(VIEWER, "GET", f"{API}/tasks/{{task}}"),
    Call(VIEWER, "GET", f"{API}/tasks/{{task}}/history"),
    Call(VIEWER, "GET", f"{API}/tasks/{{task}}/comments"),
    Call(VIEWER, "GET", f"{API}/tasks/{{task}}/comments/{{comment}}"),
    Call(VIEWER, "GET", f"{API}/tasks/{{task}}/attachments"),
    Call(VIEWER, "GET", f"{API}/tasks/{{task}}/attachments/{{attachment}}"),
    Call(EDITOR, "POST", f"{API}/tasks/{{task}}/comments", COMMENT),
    Call(EDITOR, "POST", f"{API}/tasks/{{task}}/attachments"),
    Call(OWNER, "PATCH", f"{API}/tasks/{{task}}/comments/{{comment}}", COMMENT),  # its author
    Call(OWNER, "DELETE", f"{API}/tasks/{{task}}/comments/{{comment}}"),
    Call(EDITOR, "DELETE", f"{API}/tasks/{{task}}/attachments/{{attachment}}"),
    Call(EDITOR, "PUT", f"{API}/projects/{{project}}/tasks/by-external-id/A", TASK),
    Call(VIEWER, "GET", f"{API}/projects/{{project}}/tasks/by-external-id/B"),
    Call(EDITOR, "PATCH", f"{API}/projects/{{project}}/tasks/by-external-id/B", TASK),
    Call(EDITOR, "DELETE", f"{API}/projects/{{project}}/tasks/by-external-id/B"),
    Call(EDITOR, "PATCH", f"{API}/tasks/{{task}}", {"title": "Water the yew"}),
    Call(EDITOR, "POST", f"{API}/tasks/{{deleted}}/restore"),
    Call(EDITOR, "DELETE", f"{API}/tasks/{{task}}"),
    Call(OWNER, "GET", f"{API}/projects/{{project}}/webhooks"),
    Call(OWNER, "POST", f"{API}/projects/{{project}}/webhooks", HOOK),
    Call(OWNER, "GET", f"{API}/projects/{{project}}/webhooks/{{webhook}}"),
    Call(OWNER, "PATCH", f"{API}/projects/{{project}}/webhooks/{{webhook}}", {"format": "text"}),
    Call(OWNER, "GET", f"{API}/projects/{{project}}/webhooks/{{webhook}}/deliveries"),
    Call(OWNER, "POST", f"{API}/projects/{{project}}/webhooks/{{webhook}}/test"),
    Call(OWNER, "POST", f"{API}/projects/{{project}}/webhooks/{{webhook}}/rotate"),
    Call(OWNER, "POST", f"{API}/projects/{{project}}/webhooks/{{webhook}}/skip"),
    Call(OWNER, "POST", f"{API}/projects/{{project}}/webhooks/{{webhook}}/replay",
         {"from_event": "{event}"}),
    Call(OWNER, "DELETE", f"{API}/projects/{{project}}/webhooks/{{webhook}}"),
    Call(OWNER, "GET", f"{API}/projects/{{project}}/invitations"),
    Call(OWNER, "DELETE", f"{API}/projects/{{project}}/invitations/{{invitation}}"),
    Call(OWNER, "PATCH", f"{API}/projects/{{project}}", {"name": "Yard"}),
    Call(OWNER, "POST", f"{API}/projects/{{project}}/members",
         {"email": "charlie@example.com", "role": "viewer"}),
    Call(OWNER, "PATCH", f"{API}/projects/{{project}}/members/{{user}}", {"role": "editor"}),
    Call(OWNER, "DELETE", f"{API}/projects/{{project}}/members/{{user}}"),
    Call(OWNER, "DELETE", f"{API}/projects/{{project}}"),
    Call(ADMIN, "DELETE", f"{API}/users/{{user}}"),
    Call(SESSION, "DELETE", f"{API}/auth/tokens/{{token}}"),
    Call(SESSION, "DELETE", f"{API}/auth/sessions/{{session}}"),
    Call(SESSION, "POST", f"{API}/auth/totp/confirm", {"code": "{code}"}),
    Call(SESSION, "POST", f"{API}/auth/totp/recovery-codes", PROOF),
    Call(SESSION, "POST", f"{API}/auth/totp/disable", PROOF),
    Call(SESSION, "POST", f"{API}/auth/totp", {"current_password": PASSWORD}),
    Call(SESSION, "POST", f"{API}/auth/password", PASSWORDS),
    Call(SESSION, "POST", f"{API}/auth/logout"),
    Call(SESSION, "DELETE", f"{API}/auth/sessions"),
    Call(SESSION, "DELETE", f"{API}/users/me", {"current_password": PASSWORD}),
]  # fmt: skip


def sign_in(client: Client, email: str) -> Json:
    body = {"email": email, "password": PASSWORD}
    response = client.post(f"{API}/auth/login", json=body)
    assert response.status_code == 200
    return dict(response.get_json())


def codes_of(seed: str) -> Callable[[], str]:
    """What an authenticator shows, each code once, and each good for ten seconds at least."""
    last = 0

    def next_code() -> str:
        nonlocal last
        oldest = int(time.time() - STEP + 10) // STEP
        last = max(oldest, last + 1)
        while last > time.time() // STEP + 1:
            time.sleep(0.5)
        return TOTP(seed).generate_otp(last)

    return next_code


def with_second_factor(client: Client, email: str) -> Json:
    """Switch somebody's second factor on; returns the ticket of a sign-in, and a recovery code."""
    own = client.as_token(sign_in(client, email)["access_token"])
    proof = {"current_password": PASSWORD}
    seed = own.post(f"{API}/auth/totp", json=proof).get_json()["secret"]
    confirmed = own.post(f"{API}/auth/totp/confirm", json={"code": codes_of(seed)()})
    asked = client.post(f"{API}/auth/login", json={"email": email, "password": PASSWORD})
    code = confirmed.get_json()["recovery_codes"][0]
    return {"ticket": asked.get_json()["ticket"], "recovery_code": code}


def newest_event(client: Client) -> int:
    with client.application.app_context():
        event_id = db.session.scalar(sa.select(sa.func.max(EVENTS.c.id)))
    assert event_id is not None
    return int(event_id)


def invitations_of(caller: Client, alice: Client) -> Json:
    """The caller is invited into two projects of somebody who does nothing else here."""
    host_email = "host@example.com"
    made(alice, "auth/register", **{**NEW_USER, "email": host_email})
    host = alice.as_token(sign_in(alice, host_email)["access_token"])
    prove(caller)
    address = caller.user["email"]
    names = {}
    for name in ("accepted", "declined"):
        project = made(host, "projects", name=name)
        names[name] = invite(host, project["id"], address)["id"]
    return names


def mailed(client: Client, purpose: str, user_id: int, email: str) -> str:
    """A token as it stands in a mail."""
    with client.application.app_context(), transaction():
        return tokens.issue(purpose, user_id, email)


def names_for(caller: Client, alice: Client, shared: Json) -> Json:
    """What stands for the names in braces: Alice's project, and the caller's own session."""
    dora = {**NEW_USER, "email": "dora@example.com"}
    user = made(alice, "auth/register", **dora)["id"]
    invited = invitations_of(caller, alice)
    made(alice, f"projects/{shared['id']}/members", email=dora["email"], role="viewer")
    refresh = sign_in(alice, LOGIN["email"])["refresh_token"]
    sign_in(caller, caller.user["email"])
    task = add(alice, project_id=shared["id"])["id"]
    add(alice, project_id=shared["id"], external_id="B")
    proof = {"current_password": PASSWORD}
    seed = caller.post(f"{API}/auth/totp", json=proof).get_json()["secret"]
    deleted = add(alice, project_id=shared["id"])["id"]
    assert alice.delete(f"{API}/tasks/{deleted}").status_code == 204
    attach = Call(EDITOR, "POST", f"{API}/tasks/{task}/attachments")
    return {
        "project": shared["id"],
        "task": task,
        "deleted": deleted,
        "comment": made(alice, f"tasks/{task}/comments", **COMMENT)["id"],
        "attachment": attach.send(alice).get_json()["id"],
        "user": user,
        "webhook": made(alice, f"projects/{shared['id']}/webhooks", **HOOK)["id"],
        "refresh": refresh,
        "reset": mailed(alice, tokens.RESET, user, dora["email"]),
        "verification": mailed(alice, tokens.VERIFICATION, user, dora["email"]),
        "session": caller.get(f"{API}/auth/sessions").get_json()["items"][-1]["id"],
        "token": made(caller, "auth/tokens", name="x", scopes=["read"])["id"],
        "invitation": invite(alice, shared["id"], "somebody@example.com")["id"],
        "event": newest_event(alice),
        **invited,
        "static": "README.txt",
        "code": codes_of(seed),
        **with_second_factor(alice.application.test_client(), dora["email"]),
    }
