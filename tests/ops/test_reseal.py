"""flask reseal and the doctor, after SECRET_KEY was changed"""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database.sealing import is_current, unseal
from taskapp.extensions import db
from taskapp.ops import checks, reseal
from taskapp.webhooks.service import WEBHOOKS
from tests.conftest import Client, Json
from tests.database.test_sealing import NEW, OLD, keyed, use

__all__ = ["keyed"]  # a fixture


def hook(alice: Client, shared: Json, number: int) -> None:
    body = {"url": f"https://example.com/{number}"}
    response = alice.post(f"/api/v1/projects/{shared['id']}/webhooks", json=body)
    assert response.status_code == 201


@pytest.fixture
def sealed_with_old(keyed: Flask, alice: Client, shared: Json) -> Flask:
    """Three webhooks, each with an address and a secret that the old key has sealed."""
    first = keyed.extensions["taskapp"].secret_key
    for number in range(3):
        hook(alice, shared, number)
    use(keyed, OLD, first)
    assert keyed.test_cli_runner().invoke(args=["reseal"]).output == "6 resealed\n"
    return keyed


def texts() -> list[str]:
    with db.engine.connect() as connection:
        rows = connection.execute(sa.select(WEBHOOKS.c.sealed_url, WEBHOOKS.c.sealed_secret))
        return [text for row in rows for text in row]


def test_the_new_key_opens_everything_afterwards(
    sealed_with_old: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reseal, "ROWS_AT_ONCE", 2)  # in several pieces
    use(sealed_with_old, NEW, OLD)
    assert checks.sealed().status == "degraded"
    assert "6 secrets are sealed with the previous key" in checks.sealed().detail

    again = sealed_with_old.test_cli_runner()
    assert again.invoke(args=["reseal"]).output == "6 resealed\n"
    assert again.invoke(args=["reseal"]).output == "0 resealed\n"

    use(sealed_with_old, NEW)
    assert all(is_current(text) for text in texts())
    assert "https://example.com/1" in [unseal(text) for text in texts()]
    assert checks.sealed() == ("ok", "6 sealed secrets can be opened", "")


def test_what_no_key_opens_is_counted_and_left_alone(sealed_with_old: Flask) -> None:
    use(sealed_with_old, NEW)
    before = texts()
    resealed = sealed_with_old.test_cli_runner().invoke(args=["reseal"])

    assert (resealed.exit_code, texts()) == (1, before)
    assert "6 cannot be opened: set SECRET_KEY_PREVIOUS" in resealed.output
    finding = checks.sealed()
    assert (finding.status, finding.detail) == ("degraded", "6 secrets cannot be opened")
    assert "flask --app wsgi reseal" in finding.remedy
