"""Invitations: nobody comes into a project unasked, and nobody learns who has an account"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from taskapp.database.quotas import wrong_counts
from taskapp.extensions import db
from taskapp.projects.invitations import INVITATIONS
from tests.conftest import PASSWORD, Client, Json, events, invite, inviting, made, prove, refused

URL = "/api/v1/invitations"
NOBODY = "nobody@example.com"


@pytest.fixture(autouse=True)
def invited(app: Flask, shared: Json) -> Iterator[None]:
    """Members are invited here, but for Bob, who is one already; whatever happens, counts hold."""
    with inviting(app):
        yield
    with app.app_context():
        assert wrong_counts() == 0


@pytest.fixture
def charlie(charlie: Client) -> Client:
    prove(charlie)
    return charlie


def members_url(project: Json, *client: Client) -> str:
    ids = "".join(f"/{who.user['id']}" for who in client)
    return f"/api/v1/projects/{project['id']}/members{ids}"


def pending(client: Client) -> list[Json]:
    return list(client.get(URL).get_json()["items"])


def accept(client: Client, invitation: Json) -> int:
    return client.post(f"{URL}/{invitation['id']}/accept").status_code


def age(app: Flask, days: int) -> None:
    """Let all invitations be older."""
    with app.app_context(), db.engine.begin() as connection:
        for invitation in connection.execute(sa.select(INVITATIONS)).all():
            ends = invitation.expires_at - dt.timedelta(days=days)
            this_one = INVITATIONS.c.id == invitation.id
            connection.execute(sa.update(INVITATIONS).where(this_one).values(expires_at=ends))


def test_says_the_same_whether_or_not_there_is_such_an_account(
    alice: Client, admin: Client, charlie: Client, shared: Json
) -> None:
    answers = set()
    for email in (NOBODY, charlie.user["email"], admin.user["email"]):
        response = alice.post(members_url(shared), json={"email": email, "role": "viewer"})
        assert response.status_code == 202
        assert response.get_json() == {"email": email, "role": "viewer", "state": "invited"}
        names = [name for name, _ in response.headers if name != "X-Request-ID"]
        answers.add((response.get_data(as_text=True).replace(email, ""), tuple(names)))

    assert len(answers) == 1
    listed = alice.get(f"/api/v1/projects/{shared['id']}/invitations").get_json()["items"]
    assert [each["email"] for each in listed] == [
        NOBODY,
        charlie.user["email"],
        admin.user["email"],
    ]
    assert not any("ame" in name for each in listed for name in each.keys() - {"project_name"})
    members = alice.get(members_url(shared)).get_json()["items"]
    assert [member["name"] for member in members] == ["Alice", "Bob"]


def test_who_is_invited_accepts_and_is_a_member(
    alice: Client, charlie: Client, shared: Json, app: Flask
) -> None:
    invitation = invite(alice, shared["id"], "Charlie@Example.com", "editor")

    assert pending(charlie) == [invitation]
    assert invitation.keys() == {
        *("id", "project_id", "project_name", "email", "role"),
        *("invited_by", "created_at", "expires_at"),
    }
    assert (invitation["project_name"], invitation["invited_by"]) == ("Garden", alice.user["id"])
    ends = dt.datetime.fromisoformat(invitation["expires_at"])
    begins = dt.datetime.fromisoformat(invitation["created_at"])
    assert ends - begins == dt.timedelta(days=14)
    assert refused(charlie.get(f"/api/v1/projects/{shared['id']}")) == (404, "not-found")

    response = charlie.post(f"{URL}/{invitation['id']}/accept")

    assert (response.status_code, response.get_json()["role"]) == (200, "editor")
    project = charlie.get(f"/api/v1/projects/{shared['id']}")
    assert (project.get_json(), project.headers["ETag"]) == (
        response.get_json(),
        response.headers["ETag"],
    )
    assert response.get_json()["revision"] == shared["revision"] + 1
    assert pending(charlie) == []
    assert accept(charlie, invitation) == 404
    event = events(app, "member-added")[-1]
    assert (event["user_id"], event["changes"]) == (
        charlie.user["id"],
        {
            "member": [None, charlie.user["id"]],
            "role": [None, "editor"],
            "invited_by": [None, alice.user["id"]],
        },
    )


def test_who_joins_is_told_of_the_tasks_in_it(alice: Client, charlie: Client, shared: Json) -> None:
    cursor = charlie.get("/api/v1/changes").get_json()["next_cursor"]
    task = made(alice, "tasks", title="Water the fern", project_id=shared["id"])
    accept(charlie, invite(alice, shared["id"], charlie.user["email"]))

    changed = charlie.get(f"/api/v1/changes?cursor={cursor}").get_json()["tasks"]
    assert [each["id"] for each in changed] == [task["id"]]


def test_who_has_not_proved_the_address_sees_nothing_and_accepts_nothing(
    alice: Client, bob: Client, admin: Client, anonymous: Client, shared: Json
) -> None:
    body = {"email": NOBODY, "password": "seven mossy lanterns", "name": "Somebody"}
    invitation = invite(alice, shared["id"], NOBODY)
    user = made(anonymous, "auth/register", **body)
    login = {name: body[name] for name in ("email", "password")}
    pair = anonymous.post("/api/v1/auth/login", json=login).get_json()
    somebody = anonymous.as_token(pair["access_token"])

    for client in (somebody, bob, admin):
        assert pending(client) == []
        for answer in ("accept", "decline"):
            response = client.post(f"{URL}/{invitation['id']}/{answer}")
            assert refused(response) == (404, "not-found")
    admin.patch(f"/api/v1/users/{user['id']}", json={"email_verified": True})
    assert pending(somebody) == [invitation]
    assert accept(somebody, invitation) == 200


def test_a_new_address_does_not_take_the_invitations_of_its_former_holder(
    alice: Client, charlie: Client, shared: Json
) -> None:
    invite(alice, shared["id"], NOBODY)
    change = {"email": NOBODY, "current_password": "seven mossy lanterns"}
    assert charlie.patch("/api/v1/users/me", json=change).status_code == 200

    assert pending(charlie) == []


def test_a_member_who_takes_the_address_of_somebody_invited_gains_no_role(
    alice: Client, bob: Client, shared: Json
) -> None:
    """A member needs no proof to be asked, but only as whom the owner has asked."""
    before = bob.get(f"/api/v1/projects/{shared['id']}").get_json()["role"]
    invitation = invite(alice, shared["id"], NOBODY, "owner")
    change = {"email": NOBODY, "current_password": PASSWORD}
    assert bob.patch("/api/v1/users/me", json=change).status_code == 200

    assert pending(bob) == []
    assert refused(bob.post(f"{URL}/{invitation['id']}/accept")) == (404, "not-found")
    assert refused(bob.post(f"{URL}/{invitation['id']}/decline")) == (404, "not-found")
    assert bob.get(f"/api/v1/projects/{shared['id']}").get_json()["role"] == before != "owner"
    # Asked under the new address, it is meant for this member.
    alice.patch(members_url(shared, bob), json={"role": "owner"})
    assert accept(bob, invitation) == 200


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("bob@stra\u00dfe.example", "bob@strasse.example"), ("\u017fam@x.example", "sam@x.example")],
)
def test_an_address_that_looks_alike_is_somebody_elses(
    alice: Client, charlie: Client, shared: Json, theirs: str, ours: str
) -> None:
    """Another domain, another mailbox: its holder proved that one only."""
    change = {"email": theirs, "current_password": PASSWORD}
    assert charlie.patch("/api/v1/users/me", json=change).status_code == 200
    prove(charlie)
    invitation = invite(alice, shared["id"], ours)

    assert pending(charlie) == []
    assert refused(charlie.post(f"{URL}/{invitation['id']}/accept")) == (404, "not-found")
    assert refused(charlie.post(f"{URL}/{invitation['id']}/decline")) == (404, "not-found")
    own = invite(alice, shared["id"], theirs)
    assert [each["id"] for each in pending(charlie)] == [own["id"]] != [invitation["id"]]


def test_declining_ends_it(alice: Client, charlie: Client, shared: Json) -> None:
    invitation = invite(alice, shared["id"], charlie.user["email"])

    assert charlie.post(f"{URL}/{invitation['id']}/decline").status_code == 204
    assert refused(charlie.post(f"{URL}/{invitation['id']}/decline")) == (404, "not-found")
    assert pending(charlie) == []
    assert alice.get(f"/api/v1/projects/{shared['id']}/invitations").get_json()["items"] == []


def test_an_owner_withdraws(alice: Client, bob: Client, charlie: Client, shared: Json) -> None:
    invitation = invite(alice, shared["id"], charlie.user["email"])
    other = made(alice, "projects", name="Attic")
    url = f"/api/v1/projects/{shared['id']}/invitations"
    one = f"{url}/{invitation['id']}"

    assert refused(bob.get(url)) == (403, "forbidden")
    assert refused(bob.delete(one)) == (403, "forbidden")
    elsewhere = one.replace(f"projects/{shared['id']}/", f"projects/{other['id']}/")
    assert refused(alice.delete(elsewhere)) == (404, "not-found")
    assert alice.delete(one).status_code == 204
    assert refused(alice.delete(one)) == (404, "not-found")
    assert accept(charlie, invitation) == 404


def test_who_is_a_member_is_not_invited(alice: Client, bob: Client, shared: Json) -> None:
    for email in ("BOB@example.com", alice.user["email"]):
        response = alice.post(members_url(shared), json={"email": email, "role": "viewer"})
        assert refused(response) == (409, "conflict")
    assert pending(bob) == []


def test_invited_again_counts_the_new_role_and_begins_anew(
    alice: Client, charlie: Client, shared: Json, app: Flask
) -> None:
    first = invite(alice, shared["id"], charlie.user["email"], "viewer")
    age(app, 10)
    second = invite(alice, shared["id"], charlie.user["email"], "editor")

    assert (second["id"], second["role"]) == (first["id"], "editor")
    assert second["expires_at"] > first["expires_at"]
    assert pending(charlie) == [second]


def test_ends_after_14_days_and_is_purged(
    alice: Client, charlie: Client, shared: Json, app: Flask
) -> None:
    invitation = invite(alice, shared["id"], charlie.user["email"])
    age(app, 13)
    assert len(pending(charlie)) == 1

    age(app, 2)

    assert pending(charlie) == []
    assert accept(charlie, invitation) == 404
    url = f"/api/v1/projects/{shared['id']}/invitations"
    assert alice.get(url).get_json()["items"] == []
    assert refused(alice.delete(f"{url}/{invitation['id']}")) == (404, "not-found")
    purged = app.test_cli_runner().invoke(args=["purge"])
    assert "1 invitations" in purged.output
    fresh = invite(alice, shared["id"], charlie.user["email"])
    assert fresh["id"] > invitation["id"]


def test_fifty_are_pending_at_most(
    alice: Client, charlie: Client, shared: Json, app: Flask
) -> None:
    for number in range(49):
        invite(alice, shared["id"], f"n{number}@example.com")

    def ask(number: int) -> int:
        client = alice.as_token(alice.environ_base["HTTP_AUTHORIZATION"].partition(" ")[2])
        body = {"email": f"m{number}@example.com", "role": "viewer"}
        return client.post(members_url(shared), json=body).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(ask, range(4)))

    assert statuses == [202, 409, 409, 409]
    one_more = {"email": charlie.user["email"], "role": "viewer"}
    response = alice.post(members_url(shared), json=one_more)
    assert refused(response) == (409, "quota-exceeded")
    assert "50" in response.get_json()["detail"]
    invite(alice, shared["id"], "n7@example.com", "editor")  # again is not one more
    age(app, 15)
    invite(alice, shared["id"], charlie.user["email"])


def test_whoever_has_too_many_projects_cannot_accept_and_the_owner_is_not_told(
    alice: Client, charlie: Client, shared: Json, app: Flask
) -> None:
    app.extensions["taskapp"] = replace(app.extensions["taskapp"], max_projects_per_user=1)
    made(charlie, "projects", name="Mine")

    invitation = invite(alice, shared["id"], charlie.user["email"])
    response = charlie.post(f"{URL}/{invitation['id']}/accept")

    assert refused(response) == (409, "quota-exceeded")
    assert pending(charlie) == [invitation]


def test_nobody_is_the_last_owner_unasked(alice: Client, bob: Client, shared: Json) -> None:
    promoted = alice.patch(members_url(shared, bob), json={"role": "owner"})

    assert promoted.status_code == 202
    assert promoted.get_json() == {"email": "bob@example.com", "role": "owner", "state": "invited"}
    assert refused(alice.delete(members_url(shared, alice))) == (409, "conflict")
    assert alice.get(members_url(shared, bob)).get_json()["role"] == "editor"
    (invitation,) = pending(bob)  # a member is known, also with an address that is not proved
    assert bob.post(f"{URL}/{invitation['id']}/accept").get_json()["role"] == "owner"
    assert alice.delete(members_url(shared, alice)).status_code == 204


def test_other_roles_are_given_at_once(alice: Client, bob: Client, shared: Json) -> None:
    url = members_url(shared, bob)
    alice.patch(url, json={"role": "owner"})

    assert alice.patch(url, json={"role": "viewer"}).get_json()["role"] == "viewer"
    assert pending(bob) == []  # what was offered before does not count any more
    stale = {"If-Match": '"stale"'}
    response = alice.patch(url, json={"role": "owner"}, headers=stale)
    assert refused(response) == (412, "precondition-failed")
    assert alice.patch(url, json={"role": "viewer"}).status_code == 200


def test_an_invited_owner_counts_once_the_invitation_is_accepted(
    alice: Client, charlie: Client, shared: Json
) -> None:
    invitation = invite(alice, shared["id"], charlie.user["email"], "owner")
    leave = members_url(shared, alice)

    assert refused(alice.delete(leave)) == (409, "conflict")
    assert accept(charlie, invitation) == 200
    assert alice.delete(leave).status_code == 204


def test_who_leaves_or_loses_the_role_leaves_no_door_open(
    alice: Client, bob: Client, charlie: Client, shared: Json
) -> None:
    alice.patch(members_url(shared, bob), json={"role": "owner"})
    accept(bob, pending(bob)[0])
    for method, body in (("PATCH", {"role": "editor"}), ("DELETE", None)):
        invitation = invite(bob, shared["id"], charlie.user["email"], "owner")

        alice.open(members_url(shared, bob), method=method, json=body)

        assert accept(charlie, invitation) == 404, method
        if method == "PATCH":
            alice.patch(members_url(shared, bob), json={"role": "owner"})
            accept(bob, pending(bob)[0])
    assert pending(bob) == []


@pytest.mark.parametrize("ends", ["removed", "demoted"])
def test_who_has_another_address_meanwhile_does_not_come_back_through_an_older_one(
    alice: Client, bob: Client, shared: Json, ends: str
) -> None:
    """Bob was asked to be an owner, and changes his address while his role changes"""

    def change_address(email: str) -> None:
        body = {"email": email, "current_password": PASSWORD}
        assert bob.patch("/api/v1/users/me", json=body).status_code == 200
        prove(bob)

    url = members_url(shared, bob)
    assert alice.patch(url, json={"role": "owner"}).status_code == 202
    (invitation,) = pending(bob)
    change_address("bob.elsewhere@example.com")
    if ends == "removed":
        assert alice.delete(url).status_code == 204
    else:
        assert alice.patch(url, json={"role": "viewer"}).status_code == 200
    change_address(bob.user["email"])

    assert pending(bob) == []
    assert accept(bob, invitation) == 404
    if ends == "removed":  # invited again, that counts
        assert accept(bob, invite(alice, shared["id"], bob.user["email"])) == 200


def test_what_ends_with_it(
    alice: Client, bob: Client, charlie: Client, admin: Client, shared: Json
) -> None:
    """The project, or the account of who invited."""
    first = invite(alice, shared["id"], charlie.user["email"])
    assert alice.delete(f"/api/v1/projects/{shared['id']}").status_code == 204
    attic = made(bob, "projects", name="Attic")
    second = invite(bob, attic["id"], charlie.user["email"])
    assert len(pending(charlie)) == 1
    assert admin.delete(f"/api/v1/users/{bob.user['id']}").status_code == 204

    assert pending(charlie) == []
    for invitation in (first, second):
        assert accept(charlie, invitation) == 404


def test_accepted_and_withdrawn_at_once_is_one_of_the_two(
    alice: Client, charlie: Client, shared: Json
) -> None:
    for _ in range(5):
        invitation = invite(alice, shared["id"], charlie.user["email"])
        one = f"/api/v1/projects/{shared['id']}/invitations/{invitation['id']}"
        with ThreadPoolExecutor(3) as pool:
            accepted = [pool.submit(accept, charlie, invitation) for _ in range(2)]
            withdrawn = pool.submit(lambda url: alice.delete(url).status_code, one)

        statuses = sorted([*(each.result() for each in accepted), withdrawn.result()])
        assert statuses in ([200, 404, 404], [204, 404, 404])
        mine = charlie.delete(members_url(shared, charlie)).status_code
        assert (mine == 204) == (200 in statuses)


def test_an_inbox_is_not_shared(alice: Client) -> None:
    url = f"/api/v1/projects/{alice.user['inbox_id']}/members"

    response = alice.post(url, json={"email": NOBODY, "role": "viewer"})
    assert refused(response) == (409, "conflict")


def test_without_the_setting_a_member_is_added_at_once_and_a_pending_one_ends(
    alice: Client, charlie: Client, shared: Json, app: Flask
) -> None:
    invitation = invite(alice, shared["id"], charlie.user["email"], "owner")
    app.extensions["taskapp"] = replace(app.extensions["taskapp"], invitations=False)

    made(alice, f"projects/{shared['id']}/members", email=charlie.user["email"], role="viewer")

    assert accept(charlie, invitation) == 404
    role = charlie.get(f"/api/v1/projects/{shared['id']}").get_json()["role"]
    assert role == "viewer"
