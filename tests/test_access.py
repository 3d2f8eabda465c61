"""Who may do what: every route, with every kind of caller"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from tests.auth.test_proxy import SETTINGS, configure, proxied
from tests.calls import (
    ADMIN,
    AGENT,
    ANYONE,
    API,
    CALLS,
    EDITOR,
    MEMBER,
    OTHERS,
    OWNER,
    SECRET,
    SESSION,
    VIEWER,
    Call,
    names_for,
    sign_in,
)
from tests.conftest import Client, Json, made, refused

pytestmark = pytest.mark.usefixtures("with_mail")
RANK = [VIEWER, EDITOR, OWNER]
READ, WRITE = frozenset({"read"}), frozenset({"read", "write"})
ALL = WRITE | {ADMIN}
FINE = (200, "")
ENDS_THE_SESSION = {("POST", f"{API}/auth/logout"), ("DELETE", f"{API}/auth/sessions")}


@dataclass(frozen=True)
class Who:
    """A kind of caller: whose credential, in which role on the project, with which scopes."""

    name: str = "alice"
    role: str | None = None
    scopes: frozenset[str] = WRITE
    token: str | None = None
    proxied: bool = False  # a proxy in front says who it is
    refusal: str | None = None


CALLERS = {
    "anonymous": Who(refusal="unauthorized"),
    "disabled": Who("bob", EDITOR, refusal="token-revoked"),
    "disabled, with a token": Who("bob", EDITOR, token="write", refusal="token-revoked"),
    "outsider": Who("charlie"),
    "viewer": Who("bob", VIEWER),
    "editor": Who("bob", EDITOR),
    "owner": Who("alice", OWNER),
    "admin": Who("admin", scopes=ALL),
    "owner's read token": Who("alice", OWNER, READ, token="read"),
    "owner's write token": Who("alice", OWNER, token="write"),
    "owner's feed token": Who("alice", OWNER, frozenset(), token="feed"),
    "admin's write token": Who("admin", token="write"),
    "editor behind a proxy": Who("bob", EDITOR, proxied=True),
    "owner behind a proxy": Who("alice", OWNER, proxied=True),
    "admin behind a proxy": Who("admin", scopes=ALL, proxied=True),
    "disabled, behind a proxy": Who("bob", EDITOR, proxied=True, refusal="token-revoked"),
    "admin's admin token": Who("admin", scopes=ALL, token="admin"),
}


def may_do(role: str | None) -> list[str]:
    return RANK[: RANK.index(role) + 1] if role else []


def expected(who: Who, call: Call) -> tuple[int, str]:
    """The rule: a credential, then its scope, then whether the caller sees it, then the role."""
    ends_a_token = call.method == "DELETE" and "/auth/tokens/" in call.path  # or itself
    reads = call.method == "GET" or call.level == AGENT or ends_a_token
    needed = ADMIN if call.level == ADMIN else "read" if reads else "write"
    has_session = not who.token and not who.proxied
    signed_out = who.refusal == "token-revoked" and has_session
    on_project = call.level in RANK
    checks: list[tuple[bool, tuple[int, str]]] = [
        (call.level == SECRET, (404, "not-found")),
        (call.level == ANYONE, FINE),
        (signed_out and call.path.endswith("/logout"), FINE),
        (who.refusal is not None, (401, str(who.refusal))),
        (call.level == ADMIN != who.name, (403, "forbidden")),
        (call.path.endswith("/feeds/tasks.ics"), FINE),  # by any credential
        (needed not in who.scopes, (403, "insufficient-scope")),
        (call.level == OTHERS and who.name != ADMIN, (403, "forbidden")),
        (call.level == OTHERS and ADMIN not in who.scopes, (403, "insufficient-scope")),
        (call.level == SESSION and not has_session, (403, "forbidden")),
        (on_project and who.role is None, (404, "not-found")),
        (call.level == MEMBER and who.role is None and ADMIN not in who.scopes, (404, "not-found")),
        (on_project and call.level not in may_do(who.role), (403, "forbidden")),
    ]
    return next((answer for meets, answer in checks if meets), FINE)


@pytest.fixture
def cast(alice: Client, bob: Client, charlie: Client, admin: Client) -> dict[str, Client]:
    return {"alice": alice, "bob": bob, "charlie": charlie, "admin": admin}


def equip(who: Who, cast: dict[str, Client], shared: Json) -> tuple[Client, Client]:
    """Give the caller its role and token; also returns a client that signs it in anew."""
    client, members = cast[who.name], f"{API}/projects/{shared['id']}/members"
    if who.role == VIEWER:
        cast["alice"].patch(f"{members}/{client.user['id']}", json={"role": VIEWER})
    if who.name == "admin":  # so that the last one may leave
        cast["admin"].patch(f"{API}/users/{cast['charlie'].user['id']}", json={"role": "admin"})
    nobody = client.application.test_client()
    assert isinstance(nobody, Client)
    if who.refusal == "unauthorized":
        return nobody, nobody
    if who.token:
        token = made(client, "auth/tokens", name="x", scopes=[who.token])["token"]
        client = nobody.as_token(token)
    if who.proxied:
        proved = cast["admin"].patch(
            f"{API}/users/{client.user['id']}", json={"email_verified": True}
        )
        assert proved.status_code == 200
        client = proxied(client.application, client.user["email"])
    return client, nobody


@pytest.mark.parametrize("kind", CALLERS)
def test_every_route_knows_its_callers(
    kind: str, cast: dict[str, Client], shared: Json, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = CALLERS[kind]
    if who.proxied:
        configure(app, monkeypatch, **SETTINGS)
    names = names_for(cast[who.name], cast["alice"], shared)
    client, nobody = equip(who, cast, shared)
    if who.refusal == "token-revoked":
        user = cast[who.name].user["id"]
        cast["admin"].patch(f"{API}/users/{user}", json={"is_active": False})
    for call in CALLS:
        response = call.filled(names).send(client)
        right = expected(who, call)
        found: Any = refused(response) if response.status_code >= 400 else FINE
        assert found == right, f"{kind}: {call.method} {call.path}"
        ended = (call.method, call.path) in ENDS_THE_SESSION and found == FINE
        if ended and not (who.token or who.proxied or who.refusal):
            pair = sign_in(nobody, cast[who.name].user["email"])
            client = nobody.as_token(pair["access_token"])


def test_every_route_has_a_rule(app: Flask) -> None:
    urls = app.url_map.bind("localhost")
    names = dict.fromkeys(
        (
            "project",
            "task",
            "deleted",
            "user",
            "session",
            "token",
            "comment",
            "attachment",
            "webhook",
            "invitation",
            "accepted",
            "declined",
        ),
        1,
    ) | {"static": "x"}
    ruled = {(urls.match(call.path.format(**names), call.method)[0], call.method) for call in CALLS}
    routes = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert routes == ruled
