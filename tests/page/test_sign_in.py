"""A second factor on the page; somebody else who knows who it is: a provider, a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

import config
from taskapp import create_app
from taskapp.database.session import transaction
from taskapp.mail import tokens
from tests import servers
from tests.calls import codes_of
from tests.page.conftest import PASSWORD, SAID, Open, quick_add, register, row, wait_until_said
from tests.page.test_people import account_part, open_account
from tests.provider import CLIENT, SECRET, Provider, provider

PROXY_SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def sign_out(page: Any) -> None:
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out").click()


def enter_password(page: Any) -> None:
    page.get_by_label("E-mail").fill("alice@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_second_factor_is_set_up_and_asked_for(visit: Open) -> None:
    page = register(visit())
    quick_add(page, "Water the fern")
    dialog = account_part(page, "Second factor")
    section = dialog.locator("details[open]")
    section.get_by_label("Current password").fill(PASSWORD)
    section.get_by_role("button", name="Set up").click()
    secret = section.locator("code.secret")
    address = section.get_by_role("link").get_attribute("href")
    assert address.startswith("otpauth://totp/")
    next_code = codes_of(secret.inner_text().replace(" ", ""))
    section.locator("input[name=code]").fill(next_code())
    section.get_by_role("button", name="Confirm").click()
    codes = section.locator("ul.codes li")
    expect(codes).to_have_count(10)
    old_code = codes.first.inner_text()
    section.get_by_role("button", name="I have written them down").click()
    section.get_by_label("Current password").fill(PASSWORD)
    section.get_by_label("Code from your app").fill(old_code)
    section.get_by_role("button", name="New recovery codes").click()
    expect(codes).to_have_count(10)
    recovery_code = codes.first.inner_text()
    assert recovery_code != old_code
    page.keyboard.press("Escape")

    for code in (next_code(), recovery_code):
        sign_out(page)
        enter_password(page)
        if code == recovery_code:
            page.get_by_role("button", name="Use a recovery code").click()
        page.locator("#door input[name=code]").fill(code)
        page.get_by_role("button", name="Sign in").click()
        expect(row(page, "Water the fern")).to_be_visible()


MAIL = {"SMTP_URL": "smtp://127.0.0.1:1?tls=none", "MAIL_FROM": "tasks@example.com"}
MAIL |= {"PUBLIC_URL": "http://localhost", "TRUSTED_HOSTS": "127.0.0.1"}


def _mailed_token(environment: dict[str, str], email: str) -> str:
    """As the courier makes it when it sends the mail."""
    app = create_app(config.load({**environment, **MAIL}))
    with app.app_context(), transaction():
        token = tokens.issue(tokens.VERIFICATION, 1, email)
    servers.close(app)
    return token


def test_an_address_is_proved_and_mail_is_chosen(
    browser: Any, fresh_environment: dict[str, str]
) -> None:
    with servers.gunicorn(**fresh_environment, **MAIL) as base:
        context = browser.new_context(locale="en-GB")
        context.add_init_script(SAID)
        page = context.new_page()
        page.goto(base)
        register(page)
        dialog = open_account(page)
        dialog.get_by_label("every day at").fill("07:30")
        dialog.get_by_label("tasks that are given to me").uncheck()
        dialog.get_by_role("button", name="Prove this address").click()
        wait_until_said(page, "A mail is on its way.")

        page.goto(f"{base}/#/verify/{_mailed_token(fresh_environment, 'alice@example.com')}")
        page.reload()
        page.get_by_role("button", name="Prove this address").click()
        expect(page.get_by_text("Your address is proved.")).to_be_visible()
        page.get_by_role("button", name="Back").click()
        dialog = open_account(page)
        expect(dialog.get_by_label("every day at")).to_have_value("07:30")
        expect(dialog.get_by_label("tasks that are given to me")).not_to_be_checked()
        expect(dialog.get_by_role("button", name="Prove this address")).to_have_count(0)
        context.close()


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as running:
        yield running


def test_the_provider_lets_somebody_in(
    browser: Any, idp: Provider, fresh_environment: dict[str, str]
) -> None:
    settings = {"OIDC_ISSUER": idp.issuer, "OIDC_NAME": "Acme"}
    settings |= {"OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}
    with servers.gunicorn(**fresh_environment, **settings) as base:
        context = browser.new_context(locale="en-GB")
        page = context.new_page()
        page.goto(base)
        page.get_by_role("link", name="Continue with Acme").click()
        quick_add(page, "Water the fern")
        expect(row(page, "Water the fern")).to_be_visible()
        assert "code" not in page.url
        page.goto(f"{base}/api/v1/auth/oidc/callback?error=access_denied&state=x")
        expect(page.get_by_text("You are not signed in")).to_be_visible()
        page.get_by_role("link", name="Back to the sign-in").click()
        expect(row(page, "Water the fern")).to_have_count(1)
        page.reload()
        expect(row(page, "Water the fern")).to_have_count(1)
        context.close()


def test_behind_a_proxy_nobody_signs_in_twice(
    browser: Any, fresh_environment: dict[str, str]
) -> None:
    settings = {"PROXY_AUTH_HEADER": "X-Forwarded-Email", "PROXY_AUTH_SECRET": PROXY_SECRET}
    with servers.gunicorn(**fresh_environment, **settings, PROXY_AUTH_CREATE="true") as base:
        headers = {"X-Forwarded-Email": "finn@example.com", "X-Proxy-Auth-Secret": PROXY_SECRET}
        context = browser.new_context(locale="en-GB", extra_http_headers=headers)
        page = context.new_page()
        page.goto(base)
        quick_add(page, "Water the fern")
        expect(row(page, "Water the fern")).to_be_visible()
        context.close()
