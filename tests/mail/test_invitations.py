"""An invitation is mailed to its address, whether or not it has an account"""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from tests.conftest import Client, Json, invite
from tests.mail.conftest import PostOffice, mails_of

NOBODY = "nobody@example.com"
Deliver = Callable[[], object]


def test_says_who_invites_and_how_to_accept(
    alice: Client, shared: Json, office: PostOffice, deliver: Deliver
) -> None:
    addresses = (NOBODY, "charlie@example.com")
    ids = [invite(alice, shared["id"], address, "editor")["id"] for address in addresses]
    deliver()

    for address, invitation_id in zip(addresses, ids, strict=True):
        (mail,) = office.mails_to(address)
        assert mail["Subject"] == "Alice invites you into Garden"
        text = mail.get_content()
        assert "as editor" in text
        assert f"https://tasks.example.com/api/v1/invitations/{invitation_id}/accept" in text


def test_one_that_was_withdrawn_by_then_is_not_mailed(
    app: Flask, alice: Client, shared: Json, office: PostOffice, deliver: Deliver
) -> None:
    invitation = invite(alice, shared["id"], NOBODY)
    url = f"/api/v1/projects/{shared['id']}/invitations/{invitation['id']}"
    assert alice.delete(url).status_code == 204
    deliver()

    assert office.taken == []
    assert mails_of(app) == [("invitation", "dropped", 0)]


def test_a_refused_one_leaves_no_mail(
    app: Flask, alice: Client, bob: Client, shared: Json, office: PostOffice
) -> None:
    body = {"email": bob.user["email"], "role": "editor"}
    members = f"/api/v1/projects/{shared['id']}/members"
    assert alice.post(members, json=body).status_code == 409

    assert mails_of(app) == []
