"""Secrets at rest are sealed with a key made from SECRET_KEY, today's or the previous one"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from flask import Flask

from taskapp.database import sealing

OLD, NEW = "o" * 64, "n" * 64


@pytest.fixture
def keyed(app: Flask) -> Iterator[Flask]:
    before = app.extensions["taskapp"]
    with app.app_context():
        yield app
    app.extensions["taskapp"] = before


def use(app: Flask, key: str, previous: str | None = None) -> None:
    settings = app.extensions["taskapp"]
    changed = replace(settings, secret_key=key, secret_key_previous=previous)
    app.extensions["taskapp"] = changed


def test_what_is_sealed_can_be_opened_again(keyed: Flask) -> None:
    sealed = sealing.seal("whsec_fern")

    assert "fern" not in sealed
    assert sealing.unseal(sealed) == "whsec_fern"
    assert sealing.is_current(sealed)


def test_the_previous_key_opens_while_keys_are_exchanged(keyed: Flask) -> None:
    use(keyed, OLD)
    sealed = sealing.seal("whsec_fern")
    use(keyed, NEW, OLD)

    assert sealing.unseal(sealed) == "whsec_fern"
    assert not sealing.is_current(sealed)


def test_what_no_key_opens_is_said(keyed: Flask) -> None:
    use(keyed, OLD)
    sealed = sealing.seal("whsec_fern")
    use(keyed, NEW)

    for text in (sealed, "", "no key:nothing", f"{sealing.key_id(NEW)}:damaged"):
        with pytest.raises(sealing.CannotOpen):
            sealing.unseal(text)


def test_what_an_older_version_sealed_can_be_opened(keyed: Flask) -> None:
    use(keyed, OLD)
    key = sealing.key_id(OLD)
    fernet = Fernet(urlsafe_b64encode(sealing._derived(OLD)))
    sealed = f"{key}:{fernet.encrypt(b'whsec_fern').decode()}"

    assert sealing.unseal(sealed) == "whsec_fern"
    use(keyed, NEW, OLD)
    assert sealing.unseal(sealed) == "whsec_fern"


def test_what_was_changed_on_the_way_is_not_opened(keyed: Flask) -> None:
    """AES-GCM (NIST SP 800-38D) authenticates what it encrypts; each has a nonce of its own."""
    sealed = sealing.seal("whsec_fern")

    assert sealed != sealing.seal("whsec_fern")
    for place in range(sealed.index(".") + 1, len(sealed)):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(sealing.CannotOpen):
            sealing.unseal(f"{sealed[:place]}{other}{sealed[place + 1 :]}")
    last = sealed.index("=") - 1  # its lowest bits stand for nothing
    for sign in "ABCDEFGHIJKLMNOPQRSTUVWXYZ".replace(sealed[last], ""):
        with pytest.raises(sealing.CannotOpen):
            sealing.unseal(f"{sealed[:last]}{sign}{sealed[last + 1 :]}")
    for cut in (sealed[:-4], sealed.partition(".")[0] + ".", sealed.replace("gcm.", "")):
        with pytest.raises(sealing.CannotOpen):
            sealing.unseal(cut)
