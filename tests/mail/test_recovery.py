"""POST /auth/password/forgot and reset, POST /auth/email/verify: what a mail proves"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database.session import now, transaction
from taskapp.extensions import db
from taskapp.mail.tokens import TOKENS, VERIFICATION, issue
from taskapp.users.access import mailbox_key
from tests import servers
from tests.conftest import PASSWORD, Client, made, prove, refused
from tests.mail.conftest import PUBLIC_URL, PostOffice, mails_of, token_in

AUTH = "/api/v1/auth"
ALICE = "alice@example.com"
NEW_PASSWORD = "eleven quiet harbours"
Deliver = Callable[[], object]


def forgot(client: Client, email: str) -> int:
    response = client.post(f"{AUTH}/password/forgot", json={"email": email})
    assert response.get_data() == b""
    return response.status_code


def reset(client: Client, token: str, password: str = NEW_PASSWORD) -> tuple[int, str]:
    body = {"token": token, "password": password}
    response = client.post(f"{AUTH}/password/reset", json=body)
    return (204, "") if response.status_code == 204 else refused(response)


def sign_in(client: Client, password: str, email: str = ALICE) -> int:
    body = {"email": email, "password": password}
    return client.post(f"{AUTH}/login", json=body).status_code


@pytest.fixture
def token(anonymous: Client, office: PostOffice, deliver: Deliver) -> str:
    """A reset token of Alice's, out of her mail."""
    assert forgot(anonymous, "ALICE@example.com") == 202
    deliver()
    return token_in(office.taken[0][1])


def test_a_forgotten_password_is_changed_by_mail(
    alice: Client, anonymous: Client, office: PostOffice, token: str
) -> None:
    mail = office.taken[0][1]
    assert "List-Unsubscribe" not in mail
    assert f"https://tasks.example.com/#/reset/{token}" in mail.get_content()

    assert reset(anonymous, token) == (204, "")
    assert sign_in(anonymous, PASSWORD) == 401
    assert sign_in(anonymous, NEW_PASSWORD) == 200
    assert refused(alice.get("/api/v1/users/me")) == (401, "token-revoked")


def test_a_token_works_once_and_the_others_of_its_owner_not_at_all(
    anonymous: Client, office: PostOffice, token: str, deliver: Deliver
) -> None:
    forgot(anonymous, ALICE)
    deliver()
    second = token_in(office.taken[1][1])

    assert reset(anonymous, token) == (204, "")
    for used in (token, second, "never-mailed"):
        assert reset(anonymous, used) == (401, "invalid-token")


def test_of_many_at_once_one_is_used(app: Flask, token: str) -> None:
    def use(_: int) -> tuple[int, str]:
        client = app.test_client()
        assert isinstance(client, Client)
        return reset(client, token)

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(use, range(4)))

    assert answers == [(204, ""), *[(401, "invalid-token")] * 3]


def test_a_token_lasts_an_hour(app: Flask, anonymous: Client, token: str) -> None:
    with app.app_context(), transaction():
        expires_at = db.session.scalar(sa.select(TOKENS.c.expires_at))
        assert expires_at is not None
        lasts = expires_at - now()
        assert dt.timedelta(minutes=59) < lasts <= dt.timedelta(hours=1)
        db.session.execute(sa.update(TOKENS).values(expires_at=now()))

    assert reset(anonymous, token) == (401, "invalid-token")


def test_only_a_digest_is_stored(app: Flask, token: str) -> None:
    with app.app_context(), db.engine.connect() as connection:
        for name in ("mailed_tokens", "mails"):
            rows = connection.execute(sa.text(f"SELECT * FROM {name}")).all()  # noqa: S608
            assert rows
            assert token not in repr(rows)


def test_a_guessable_password_leaves_the_token_good(anonymous: Client, token: str) -> None:
    assert reset(anonymous, token, "password1234") == (422, "validation-error")
    assert reset(anonymous, token) == (204, "")


def test_whether_there_is_an_account_shows_nowhere(
    app: Flask, anonymous: Client, office: PostOffice, deliver: Deliver
) -> None:
    """The same answer, the same statements, and a row each; only the courier looks it up."""
    statements: list[list[str]] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        statements[-1].append(statement)

    with app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", note)
    for address in (ALICE, "nobody@example.com"):
        statements.append([])
        assert forgot(anonymous, address) == 202
    with app.app_context():
        sa.event.remove(db.engine, "before_cursor_execute", note)
    assert statements[0] == statements[1]

    deliver()
    assert [recipient for recipient, _ in office.taken] == [ALICE]
    assert mails_of(app) == [("password-reset", "sent", 0), ("password-reset", "dropped", 0)]


def test_a_disabled_account_gets_none(
    admin: Client, bob: Client, anonymous: Client, office: PostOffice, token: str, deliver: Deliver
) -> None:
    me = sign_in(anonymous, PASSWORD)
    assert me == 200
    alice_id = admin.get(f"/api/v1/users?q={ALICE}").get_json()["items"][0]["id"]
    assert admin.patch(f"/api/v1/users/{alice_id}", json={"is_active": False}).status_code == 200
    forgot(anonymous, ALICE)
    deliver()

    assert len(office.taken) == 1
    assert reset(anonymous, token) == (401, "invalid-token")


def test_an_address_that_was_given_up_resets_nothing(
    alice: Client, anonymous: Client, token: str
) -> None:
    body = {"email": "alice@new.example", "current_password": PASSWORD}
    assert alice.patch("/api/v1/users/me", json=body).status_code == 200

    assert reset(anonymous, token) == (401, "invalid-token")


def test_three_an_hour_are_mailed_to_an_address(tmp_path: Path) -> None:
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "PUBLIC_URL": PUBLIC_URL}
    variables |= {"SMTP_URL": "smtp://127.0.0.1:9?tls=none", "MAIL_FROM": "tasks@example.com"}
    servers.migrate(**variables)
    with servers.gunicorn(**variables) as base:
        for address in ["dora@example.com", "DORA@example.com"] * 3:
            answer = servers.ask(f"{base}{AUTH}/password/forgot", {"email": address})
            assert answer[0] == 202

    with closing(sqlite3.connect(tmp_path / "taskapp.db")) as database:
        assert database.execute("SELECT count(*) FROM mails").fetchone() == (3,)


def test_sixty_an_hour_are_mailed_to_strangers_for_one_account(tmp_path: Path) -> None:
    """Else an account, which is free, would send what it likes to whom it likes."""
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "PUBLIC_URL": PUBLIC_URL, "INVITATIONS": "true"}
    variables |= {"SMTP_URL": "smtp://127.0.0.1:9?tls=none", "MAIL_FROM": "tasks@example.com"}
    servers.migrate(**variables)
    with servers.gunicorn(**variables) as base:
        token = servers.sign_up(base, "dora@example.com")
        verify = f"{base}{AUTH}/email/verify/send"
        for letter in "ab":
            project = servers.ask(f"{base}/api/v1/projects", {"name": letter}, token=token)[2]
            members = f"{base}/api/v1/projects/{project['id']}/members"
            for number in range(35):
                body = {"email": f"{letter}{number}@x.example", "role": "viewer"}
                assert servers.ask(members, body, token=token)[0] == 202
        assert servers.ask(verify, method="POST", token=token)[0] == 202

    with closing(sqlite3.connect(tmp_path / "taskapp.db")) as database:
        assert database.execute("SELECT count(*) FROM invitations").fetchone() == (70,)
        assert database.execute("SELECT count(*) FROM mails").fetchone() == (60,)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("password/forgot", {"email": ALICE}),
        ("password/reset", {"token": "x", "password": NEW_PASSWORD}),
        ("email/verify/send", None),
        ("email/verify", {"token": "x"}),
    ],
)
def test_is_not_there_where_no_mail_is_set_up(
    alice: Client, path: str, body: dict[str, str] | None
) -> None:
    response = alice.post(f"{AUTH}/{path}", json=body)

    assert refused(response) == (404, "not-found")
    assert "SMTP_URL" in response.get_json()["detail"]


def test_an_address_is_proved_by_mail(
    alice: Client, anonymous: Client, office: PostOffice, deliver: Deliver
) -> None:
    me = "/api/v1/users/me"
    assert alice.get(me).get_json()["email_verified"] is False
    assert alice.post(f"{AUTH}/email/verify/send").status_code == 202
    deliver()
    token = token_in(office.mails_to(ALICE)[0])

    assert reset(anonymous, token) == (401, "invalid-token")  # it is for nothing else
    assert anonymous.post(f"{AUTH}/email/verify", json={"token": token}).status_code == 204
    assert alice.get(me).get_json()["email_verified"] is True
    again = anonymous.post(f"{AUTH}/email/verify", json={"token": token})
    assert refused(again) == (401, "invalid-token")
    assert alice.post(f"{AUTH}/email/verify/send").status_code == 202
    deliver()
    assert len(office.taken) == 1  # there is nothing to prove any more


def test_a_reset_by_mail_proves_the_address(
    anonymous: Client, admin: Client, office: PostOffice, token: str
) -> None:
    assert reset(anonymous, token) == (204, "")

    assert admin.get(f"/api/v1/users?q={ALICE}").get_json()["items"][0]["email_verified"] is True


def test_who_made_the_account_without_the_mailbox_is_out_after_a_reset(
    alice: Client, anonymous: Client, token: str
) -> None:
    """Else somebody could prepare an account for a victim, and keep a token of it."""
    personal = made(alice, "auth/tokens", name="x", scopes=["write"])["token"]

    assert reset(anonymous, token) == (204, "")

    answer = anonymous.as_token(personal).get("/api/v1/tasks")
    assert refused(answer) == (401, "token-revoked")


def test_whose_mailbox_it_was_keeps_tokens_through_a_reset(
    alice: Client, anonymous: Client, token: str
) -> None:
    prove(alice)
    personal = made(alice, "auth/tokens", name="x", scopes=["write"])["token"]

    assert reset(anonymous, token) == (204, "")

    assert anonymous.as_token(personal).get("/api/v1/tasks").status_code == 200


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("wei\u00df@x.example", "weiss@x.example"), ("\u017fam@x.example", "sam@x.example")],
)
def test_another_mailbox_gets_no_token_of_an_address_that_looks_alike(
    admin: Client,
    anonymous: Client,
    office: PostOffice,
    deliver: Deliver,
    app: Flask,
    theirs: str,
    ours: str,
) -> None:
    made(admin, "users", email=ours, name="Somebody", password=PASSWORD)
    for address in (theirs, ours.upper()):
        assert forgot(anonymous, address) == 202
    deliver()

    assert [recipient for recipient, _ in office.taken] == [ours.upper()]
    assert mails_of(app) == [("password-reset", "dropped", 0), ("password-reset", "sent", 0)]


def test_an_address_that_looks_alike_is_a_changed_one(
    alice: Client, anonymous: Client, office: PostOffice, deliver: Deliver
) -> None:
    me, change = "/api/v1/users/me", {"current_password": PASSWORD}
    change["email"] = "wei\u00df@x.example"
    assert alice.patch(me, json=change).status_code == 200
    prove(alice)
    change["email"] = "weiss@x.example"

    assert alice.patch(me, json=change).get_json()["email_verified"] is False

    assert alice.post(f"{AUTH}/email/verify/send").status_code == 202
    deliver()
    verification = token_in(office.mails_to("weiss@x.example")[0])
    change["email"] = "wei\u00df@x.example"
    assert alice.patch(me, json=change).status_code == 200
    answer = anonymous.post(f"{AUTH}/email/verify", json={"token": verification})
    assert refused(answer) == (401, "invalid-token")


def test_a_token_that_was_mailed_while_the_address_changed_proves_nothing(
    app: Flask, alice: Client, anonymous: Client, office: PostOffice
) -> None:
    change = {"email": "weiss@x.example", "current_password": PASSWORD}
    assert alice.patch("/api/v1/users/me", json=change).status_code == 200
    with app.app_context(), transaction():
        token = issue(VERIFICATION, alice.user["id"], mailbox_key("wei\u00df@x.example"))

    response = anonymous.post(f"{AUTH}/email/verify", json={"token": token})

    assert refused(response) == (401, "invalid-token")
    assert alice.get("/api/v1/users/me").get_json()["email_verified"] is False


def test_a_changed_address_is_unproved_and_the_old_one_is_told(
    alice: Client, anonymous: Client, office: PostOffice, token: str, deliver: Deliver
) -> None:
    reset(anonymous, token)
    body = {"email": ALICE, "password": NEW_PASSWORD}
    pair = anonymous.post(f"{AUTH}/login", json=body).get_json()
    alice = anonymous.as_token(pair["access_token"])
    change = {"email": "Alice@example.com", "current_password": NEW_PASSWORD}
    assert alice.patch("/api/v1/users/me", json=change).get_json()["email_verified"] is True
    change["email"] = "alice@new.example"
    assert alice.patch("/api/v1/users/me", json=change).get_json()["email_verified"] is False
    deliver()

    told = office.mails_to("Alice@example.com")
    assert [mail["Subject"] for mail in told] == ["Your address was changed"]
    assert "to alice@new.example" in told[0].get_content()
