"""The second factor: /api/v1/auth/totp, and the second step of a sign-in"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from pyotp import TOTP
from werkzeug.test import TestResponse

from taskapp.auth import totp
from taskapp.database.session import now
from taskapp.extensions import db
from taskapp.schema import Base
from tests.auth.test_login import ALICE, pair_of
from tests.calls import codes_of
from tests.conftest import PASSWORD, Client, Json, made, named, refused
from tests.test_concurrency import wait_for_a_waiter

URL = "/api/v1/auth/totp"
LOGIN = "/api/v1/auth/login"
SECOND_STEP = f"{LOGIN}/totp"
PROOF = {"current_password": PASSWORD}
WRONG = (401, "wrong-credentials")
ENDED = (401, "invalid-token")


class Phone:
    """Alice's authenticator, and the recovery codes that she wrote down."""

    def __init__(self, alice: Client) -> None:
        response = alice.post(URL, json=PROOF)
        assert response.status_code == 200
        self.shown: Json = response.get_json()
        self.seed = str(self.shown["secret"])
        self.next_code: Callable[[], str] = codes_of(self.seed)
        confirmed = alice.post(f"{URL}/confirm", json={"code": self.next_code()})
        assert confirmed.status_code == 200, confirmed.get_json()
        self.recovery_codes: list[str] = confirmed.get_json()["recovery_codes"]

    def at(self, seconds: float) -> str:
        """The code of a moment so many seconds from now."""
        return TOTP(self.seed).at(int(time.time() + seconds))


@pytest.fixture
def phone(alice: Client) -> Phone:
    return Phone(alice)


def ticket_of(anonymous: Client) -> str:
    response = anonymous.post(LOGIN, json=ALICE)
    assert refused(response) == (401, "second-factor-required")
    return str(response.get_json()["ticket"])


def enter(anonymous: Client, ticket: str, code: str) -> TestResponse:
    return anonymous.post(SECOND_STEP, json={"ticket": ticket, "code": code})


def change(app: Flask, table: str, **values: Any) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.update(Base.metadata.tables[table]).values(values))


def rows(app: Flask, table: str) -> list[Json]:
    with app.app_context(), db.engine.connect() as connection:
        found = connection.execute(sa.select(Base.metadata.tables[table]))
        return [dict(row._mapping) for row in found]


# == Setting it up


def test_shows_the_seed_once_as_an_authenticator_reads_it(alice: Client, phone: Phone) -> None:
    address = urlsplit(phone.shown["uri"])
    parameters = parse_qs(address.query)

    assert phone.shown.keys() == {"secret", "uri"}
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert unquote(address.path) == "/taskapp:alice@example.com"
    assert parameters == {"secret": [phone.seed], "issuer": ["taskapp"]}
    assert len(phone.seed) == 32  # 160 bits (RFC 4226, section 4)
    assert phone.seed not in alice.get(URL).text


def test_asks_for_nothing_before_it_is_confirmed(alice: Client, anonymous: Client) -> None:
    assert alice.post(URL, json=PROOF).status_code == 200

    assert alice.get(URL).get_json() == {"enabled": False, "recovery_codes_left": 0}
    assert pair_of(anonymous)["token_type"] == "Bearer"


def test_a_second_try_makes_another_seed(alice: Client) -> None:
    first, second = (alice.post(URL, json=PROOF).get_json()["secret"] for _ in range(2))

    response = alice.post(f"{URL}/confirm", json={"code": codes_of(first)()})
    assert refused(response) == WRONG
    response = alice.post(f"{URL}/confirm", json={"code": codes_of(second)()})
    assert response.status_code == 200


def test_confirming_shows_ten_recovery_codes_and_ends_other_sessions(
    alice: Client, anonymous: Client
) -> None:
    elsewhere = anonymous.as_token(pair_of(anonymous)["access_token"])
    phone = Phone(alice)

    assert len(set(phone.recovery_codes)) == 10
    assert alice.get(URL).get_json() == {"enabled": True, "recovery_codes_left": 10}
    assert refused(elsewhere.get("/api/v1/tasks")) == (401, "token-revoked")
    assert alice.get("/api/v1/tasks").status_code == 200


def test_wants_the_password(alice: Client) -> None:
    assert refused(alice.post(URL, json={"current_password": "a wrong password"})) == WRONG
    assert named(alice.post(URL, json={})) == ["/current_password"]


def test_confirming_wants_a_right_code(alice: Client) -> None:
    assert refused(alice.post(f"{URL}/confirm", json={"code": "123456"})) == (409, "conflict")
    seed = alice.post(URL, json=PROOF).get_json()["secret"]
    code = codes_of(seed)()
    wrong = "000000" if code != "000000" else "000001"

    assert refused(alice.post(f"{URL}/confirm", json={"code": wrong})) == WRONG
    assert alice.get(URL).get_json()["enabled"] is False
    assert alice.post(f"{URL}/confirm", json={"code": code}).status_code == 200


def test_is_set_up_once(alice: Client, phone: Phone) -> None:
    assert refused(alice.post(URL, json=PROOF)) == (409, "conflict")
    code = {"code": phone.next_code()}
    assert refused(alice.post(f"{URL}/confirm", json=code)) == (409, "conflict")


def test_keeps_neither_seed_nor_code_nor_ticket_in_clear(
    app: Flask, anonymous: Client, phone: Phone
) -> None:
    ticket = ticket_of(anonymous)
    tables = ("second_factors", "recovery_codes", "sign_in_tickets")
    kept = repr([rows(app, table) for table in tables])

    for secret in (phone.seed, ticket, *phone.recovery_codes):
        assert secret not in kept
        assert secret.replace("-", "") not in kept


@pytest.mark.parametrize("stage", ["postgresql"], indirect=True)
@pytest.mark.parametrize("path", ["recovery-codes", "disable"])
def test_who_uses_a_recovery_code_for_new_ones_locks_the_user_first(
    alice: Client, phone: Phone, app: Flask, path: str
) -> None:
    """Two with a code each waited for each other's, for many seconds"""
    body = {**PROOF, "code": phone.recovery_codes[0]}
    users, codes = Base.metadata.tables["users"], Base.metadata.tables["recovery_codes"]
    with ThreadPoolExecutor(1) as pool, app.app_context():
        with db.engine.begin() as others:
            others.execute(sa.select(users.c.id).with_for_update(key_share=True))
            sent = pool.submit(alice.post, f"{URL}/{path}", json=body)
            wait_for_a_waiter(others)
            free = others.execute(sa.select(codes.c.id).with_for_update(skip_locked=True)).all()
        assert sent.result().status_code < 300
    assert len(free) == 10


# == Signing in


def test_a_right_code_begins_the_session(anonymous: Client, phone: Phone) -> None:
    response = enter(anonymous, ticket_of(anonymous), phone.next_code())
    pair = response.get_json()

    assert response.status_code == 200
    assert pair.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert response.headers["Cache-Control"] == "no-store"
    assert anonymous.as_token(pair["access_token"]).get("/api/v1/tasks").status_code == 200


def test_a_wrong_password_says_nothing_of_it(anonymous: Client, phone: Phone) -> None:
    response = anonymous.post(LOGIN, json={**ALICE, "password": "a wrong password"})

    assert refused(response) == WRONG
    assert "ticket" not in response.get_json()


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_a_phone_may_go_half_a_minute_wrong(
    anonymous: Client, phone: Phone, app: Flask, seconds: int
) -> None:
    change(app, "second_factors", last_step=0)

    assert enter(anonymous, ticket_of(anonymous), phone.at(seconds)).status_code == 200


@pytest.mark.parametrize("seconds", [-95, -3600, 95, 86400])
def test_and_no_more(anonymous: Client, phone: Phone, app: Flask, seconds: int) -> None:
    change(app, "second_factors", last_step=0)

    assert refused(enter(anonymous, ticket_of(anonymous), phone.at(seconds))) == WRONG


def test_a_code_works_once(anonymous: Client, phone: Phone) -> None:
    code = phone.next_code()
    assert enter(anonymous, ticket_of(anonymous), code).status_code == 200

    again = enter(anonymous, ticket_of(anonymous), code)

    assert refused(again) == WRONG
    assert again.get_json()["detail"] == "The code is wrong, or was used before."


def test_a_code_that_is_older_than_a_used_one_does_not_work(
    anonymous: Client, phone: Phone, app: Flask
) -> None:
    change(app, "second_factors", last_step=0)
    assert enter(anonymous, ticket_of(anonymous), phone.at(30)).status_code == 200

    assert refused(enter(anonymous, ticket_of(anonymous), phone.at(0))) == WRONG


def enter_at_once(anonymous: Client, code: str) -> list[int]:
    """The statuses of six tickets that are used with one code at the same time."""
    tickets = [ticket_of(anonymous) for _ in range(6)]

    def sign_in(ticket: str) -> int:
        client = anonymous.application.test_client()
        assert isinstance(client, Client)
        return enter(client, ticket, code).status_code

    with ThreadPoolExecutor(6) as pool:
        return sorted(pool.map(sign_in, tickets))


def test_of_many_at_once_one_uses_a_code(anonymous: Client, phone: Phone) -> None:
    statuses = enter_at_once(anonymous, phone.next_code())

    assert statuses == [200] + [401] * 5


def test_a_clock_that_was_put_back_locks_nobody_out(
    anonymous: Client, phone: Phone, app: Flask
) -> None:
    tomorrow = int(time.time() + 86400) // totp.STEP
    change(app, "second_factors", last_step=tomorrow)
    code = phone.next_code()

    assert enter(anonymous, ticket_of(anonymous), code).status_code == 200
    assert refused(enter(anonymous, ticket_of(anonymous), code)) == WRONG


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "-12345", "é" * 6])
def test_what_is_no_code_is_refused(anonymous: Client, phone: Phone, code: str) -> None:
    response = enter(anonymous, ticket_of(anonymous), code)

    assert response.status_code == (401 if code else 422)


def test_blanks_inside_a_code_do_not_count(anonymous: Client, phone: Phone) -> None:
    code = phone.next_code()

    assert enter(anonymous, ticket_of(anonymous), f" {code[:3]} {code[3:]} ").status_code == 200


# == Tickets


def test_a_ticket_has_five_tries(anonymous: Client, phone: Phone) -> None:
    ticket = ticket_of(anonymous)
    wrong = [refused(enter(anonymous, ticket, "nothing")) for _ in range(5)]

    assert wrong == [WRONG] * 5
    assert refused(enter(anonymous, ticket, phone.next_code())) == ENDED
    assert enter(anonymous, ticket_of(anonymous), phone.next_code()).status_code == 200


def test_tries_at_once_count_each(anonymous: Client, phone: Phone) -> None:
    ticket = ticket_of(anonymous)

    def guess(_: int) -> str:
        client = anonymous.application.test_client()
        assert isinstance(client, Client)
        return refused(enter(client, ticket, "nothing"))[1]

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(guess, range(12)))

    assert codes == ["invalid-token"] * 7 + ["wrong-credentials"] * 5


def test_a_ticket_opens_once_and_for_five_minutes(
    anonymous: Client, phone: Phone, app: Flask
) -> None:
    ticket, unused = ticket_of(anonymous), phone.recovery_codes[0]  # good without a wait
    assert enter(anonymous, ticket, phone.next_code()).status_code == 200
    assert refused(enter(anonymous, ticket, unused)) == ENDED

    late = ticket_of(anonymous)
    (kept,) = rows(app, "sign_in_tickets")
    assert 280 < (kept["expires_at"] - now()).total_seconds() <= 300
    change(app, "sign_in_tickets", expires_at=now() - dt.timedelta(seconds=1))
    assert refused(enter(anonymous, late, unused)) == ENDED
    assert enter(anonymous, ticket_of(anonymous), unused).status_code == 200


@pytest.mark.parametrize("ticket", ["x", "A" * 43, "ü", "eyJ.x.y"])
def test_refuses_what_is_no_ticket(anonymous: Client, phone: Phone, ticket: str) -> None:
    assert refused(enter(anonymous, ticket, phone.next_code())) == ENDED


def test_a_new_password_ends_what_was_begun_with_the_old_one(
    alice: Client, anonymous: Client, phone: Phone
) -> None:
    ticket = ticket_of(anonymous)
    body = {"current_password": PASSWORD, "new_password": "eleven quiet harbours"}
    assert alice.post("/api/v1/auth/password", json=body).status_code == 204

    assert refused(enter(anonymous, ticket, phone.next_code())) == ENDED


def test_whoever_is_disabled_meanwhile_stays_out(
    admin: Client, alice: Client, anonymous: Client, phone: Phone
) -> None:
    ticket = ticket_of(anonymous)
    url = f"/api/v1/users/{alice.user['id']}"
    assert admin.patch(url, json={"is_active": False}).status_code == 200

    assert refused(enter(anonymous, ticket, phone.next_code())) == ENDED


def test_purge_forgets_tickets_that_are_over(app: Flask, anonymous: Client, phone: Phone) -> None:
    ticket_of(anonymous)
    change(app, "sign_in_tickets", expires_at=now() - dt.timedelta(seconds=1))
    ticket_of(anonymous)

    purged = app.test_cli_runner().invoke(args=["purge"])

    assert "1 tickets of sign-ins\n" in purged.output
    assert len(rows(app, "sign_in_tickets")) == 1


# == Recovery codes


def test_a_recovery_code_signs_in_once(alice: Client, anonymous: Client, phone: Phone) -> None:
    first, second, *_ = phone.recovery_codes
    assert enter(anonymous, ticket_of(anonymous), first).status_code == 200
    assert refused(enter(anonymous, ticket_of(anonymous), first)) == WRONG
    spelled = second.upper().replace("-", " ")
    assert enter(anonymous, ticket_of(anonymous), spelled).status_code == 200

    assert alice.get(URL).get_json()["recovery_codes_left"] == 8


def test_of_many_at_once_one_uses_a_recovery_code(anonymous: Client, phone: Phone) -> None:
    statuses = enter_at_once(anonymous, phone.recovery_codes[0])

    assert statuses == [200] + [401] * 5


def test_new_recovery_codes_end_the_old_ones(
    alice: Client, anonymous: Client, phone: Phone
) -> None:
    body = {**PROOF, "code": phone.next_code()}
    fresh = alice.post(f"{URL}/recovery-codes", json=body).get_json()["recovery_codes"]

    assert not set(fresh) & set(phone.recovery_codes)
    assert refused(enter(anonymous, ticket_of(anonymous), phone.recovery_codes[0])) == WRONG
    assert enter(anonymous, ticket_of(anonymous), fresh[0]).status_code == 200


def test_recovery_codes_of_others_open_nothing(
    bob: Client, anonymous: Client, phone: Phone
) -> None:
    code = Phone(bob).recovery_codes[0]

    assert refused(enter(anonymous, ticket_of(anonymous), code)) == WRONG


# == Switching it off


@pytest.mark.parametrize("action", ["disable", "recovery-codes"])
def test_changing_it_wants_password_and_code(alice: Client, phone: Phone, action: str) -> None:
    url = f"{URL}/{action}"
    right = {**PROOF, "code": phone.next_code()}

    assert refused(alice.post(url, json={**right, "current_password": "a wrong one"})) == WRONG
    assert refused(alice.post(url, json={**right, "code": "nothing"})) == WRONG
    assert named(alice.post(url, json=PROOF)) == ["/code"]
    assert alice.get(URL).get_json() == {"enabled": True, "recovery_codes_left": 10}
    assert alice.post(url, json=right).status_code in {200, 204}
    assert alice.get(URL).get_json()["enabled"] is (action != "disable")


def test_switched_off_the_password_is_enough_again(
    alice: Client, anonymous: Client, phone: Phone, app: Flask
) -> None:
    body = {**PROOF, "code": phone.recovery_codes[0]}
    assert alice.post(f"{URL}/disable", json=body).status_code == 204

    assert pair_of(anonymous)["token_type"] == "Bearer"
    assert refused(alice.post(f"{URL}/disable", json=body)) == (409, "conflict")
    assert rows(app, "second_factors") == rows(app, "recovery_codes") == []


def test_the_operator_takes_it_away(
    alice: Client, anonymous: Client, phone: Phone, app: Flask
) -> None:
    run = app.test_cli_runner().invoke
    assert run(args=["users", "reset-totp", "Alice@example.com"]).exit_code == 0

    assert refused(alice.get("/api/v1/tasks")) == (401, "token-revoked")
    assert pair_of(anonymous)["token_type"] == "Bearer"
    assert run(args=["users", "reset-totp", "nobody@example.com"]).exit_code == 1


def test_a_personal_token_neither_needs_nor_changes_it(
    alice: Client, anonymous: Client, phone: Phone
) -> None:
    script = anonymous.as_token(made(alice, "auth/tokens", name="x", scopes=["write"])["token"])

    assert script.get(URL).get_json()["enabled"] is True
    body = {**PROOF, "code": phone.next_code()}
    assert refused(script.post(f"{URL}/disable", json=body)) == (403, "forbidden")


def test_goes_with_its_user(alice: Client, phone: Phone, app: Flask) -> None:
    assert alice.delete("/api/v1/users/me", json=PROOF).status_code == 204

    assert rows(app, "second_factors") == rows(app, "recovery_codes") == []


def test_a_sign_in_that_began_before_the_factor_does_not_outlive_it(
    alice: Client, anonymous: Client
) -> None:
    """Sign-ins and the confirmation at once: whoever has a session has given a code."""
    seed = alice.post(URL, json=PROOF).get_json()["secret"]
    code = codes_of(seed)()

    def sign_in(number: int) -> TestResponse:
        client = anonymous.application.test_client()
        assert isinstance(client, Client)
        if number == 3:
            return alice.post(f"{URL}/confirm", json={"code": code})
        return client.post(LOGIN, json=ALICE)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(sign_in, range(8)))

    assert answers[3].status_code == 200
    pairs = [answer.get_json() for answer in answers[:3] + answers[4:]]
    tokens = [pair["access_token"] for pair in pairs if "access_token" in pair]
    for token in tokens:
        assert refused(anonymous.as_token(token).get("/api/v1/tasks")) == (401, "token-revoked")


# == Accounts without a password, as a provider makes them


def test_without_a_password_a_moment_after_signing_in_is_proof(alice: Client, app: Flask) -> None:
    change(app, "users", password_hash="")
    change(app, "sessions", created_at=now() - dt.timedelta(minutes=4))

    assert alice.post(URL, json={}).status_code == 200
    assert refused(alice.post(URL, json=PROOF)) == WRONG
    body = {"new_password": "eleven quiet harbours"}
    assert alice.post("/api/v1/auth/password", json=body).status_code == 204
    assert named(alice.post("/api/v1/auth/password", json=body)) == ["/current_password"]


def test_and_later_it_is_not(alice: Client, app: Flask) -> None:
    change(app, "users", password_hash="")
    change(app, "sessions", created_at=now() - dt.timedelta(minutes=6))
    body = {"new_password": "eleven quiet harbours"}
    address = {"email": "new@example.com"}

    for response in (
        alice.post(URL, json={}),
        alice.post("/api/v1/auth/password", json=body),
        alice.patch("/api/v1/users/me", json=address),
        alice.delete("/api/v1/users/me", json={}),
    ):
        assert refused(response) == WRONG
        assert "sign in again" in response.get_json()["detail"]


@pytest.mark.parametrize("password", ["no account has this password", "x", " "])
def test_no_password_opens_an_account_that_has_none(
    anonymous: Client, app: Flask, password: str
) -> None:
    change(app, "users", password_hash="")

    response = anonymous.post(LOGIN, json={**ALICE, "password": password})

    assert refused(response) == WRONG


@pytest.mark.parametrize("proof", [{}, {"current_password": None}, {"current_password": ""}])
def test_who_has_a_password_must_send_it(alice: Client, proof: Json) -> None:
    """Also a moment after the sign-in: only an account without a password may leave it out."""
    new = {"new_password": "eleven quiet harbours"}

    assert named(alice.post(URL, json=proof)) == ["/current_password"]
    assert named(alice.post("/api/v1/auth/password", json={**proof, **new})) == [
        "/current_password"
    ]
    assert named(alice.delete("/api/v1/users/me", json=proof)) == ["/current_password"]
    assert named(alice.patch("/api/v1/users/me", json={**proof, "email": "al@example.com"})) == [
        "/current_password"
    ]


def test_a_seed_that_no_key_opens_leaves_the_recovery_codes(
    anonymous: Client, phone: Phone, app: Flask
) -> None:
    """As after the loss of SECRET_KEY: what was written down still works."""
    change(app, "second_factors", sealed_seed="0123456789ab:gAAAA")
    ticket = ticket_of(anonymous)

    assert refused(enter(anonymous, ticket, phone.next_code())) == WRONG
    assert enter(anonymous, ticket, phone.recovery_codes[0]).status_code == 200


def test_a_retried_confirmation_shows_the_same_codes(alice: Client) -> None:
    seed = alice.post(URL, json=PROOF).get_json()["secret"]
    code = {"code": codes_of(seed)()}
    key = {"Idempotency-Key": "confirm-this-once"}
    first, second = (alice.post(f"{URL}/confirm", json=code, headers=key) for _ in range(2))

    assert first.status_code == 200
    assert second.data == first.data
    assert second.headers["Idempotency-Replayed"] == "true"


def test_the_second_step_takes_no_key(anonymous: Client, phone: Phone) -> None:
    """It gives out credentials once: a retry begins the sign-in again."""
    ticket, key = ticket_of(anonymous), {"Idempotency-Key": "sign-me-in-twice"}
    body = {"ticket": ticket, "code": phone.next_code()}

    answers = [anonymous.post(SECOND_STEP, json=body, headers=key) for _ in range(2)]

    assert answers[0].status_code == 200
    assert refused(answers[1]) == ENDED


def test_the_log_names_the_account_and_no_code(
    anonymous: Client, alice: Client, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ticket, code = ticket_of(anonymous), phone.next_code()
    enter(anonymous, ticket, "424242")
    enter(anonymous, ticket, code)
    messages = {
        record.message: vars(record)["fields"]["account"]
        for record in caplog.records
        if "second factor" in record.message
    }

    account = alice.user["id"]
    assert messages["second factor refused"] == account
    assert messages["signed in with a second factor"] == account
    for secret in (ticket, code, "424242", phone.seed):
        assert secret not in caplog.text
