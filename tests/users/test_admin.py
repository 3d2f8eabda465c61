"""/api/v1/users: what an admin does with other people's accounts"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import PASSWORD, Client, Json, named, refused

URL = "/api/v1/users"
ERIN: Json = {"email": "erin@example.com", "password": "eleven quiet harbours", "name": "Erin"}


def names(admin: Client, query: str) -> list[str]:
    return [user["name"] for user in admin.get(f"{URL}?{query}").get_json()["items"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Admin", "Alice", "Bob", "Charlie"]),
        ("role=admin", ["Admin"]),
        ("is_active=true&role=user", ["Alice", "Bob", "Charlie"]),
        ("is_active=false", []),
        ("q=ALI", ["Alice"]),
        ("q=example.com", ["Admin", "Alice", "Bob", "Charlie"]),
        ("q=%25", []),
        ("q=_", []),
        ("q=%5C", []),
        ("limit=2", ["Admin", "Alice"]),
    ],
)
def test_lists_and_filters(admin: Client, query: str, found: list[str]) -> None:
    assert names(admin, query) == found


def test_search_takes_no_notice_of_case_in_any_script(admin: Client) -> None:
    body = {"email": "zoe@example.com", "name": "Zoë Ångström", "password": PASSWORD}
    assert admin.post(URL, json=body).status_code == 201

    assert names(admin, "q=%C3%A5NGSTR%C3%96M") == ["Zoë Ångström"]


def test_pages_and_counts(admin: Client) -> None:
    first = admin.get(f"{URL}?limit=3&total=true").get_json()
    second = admin.get(f"{URL}?limit=3&cursor={first['next_cursor']}").get_json()

    assert first["total"] == 4
    assert [user["name"] for user in second["items"]] == ["Charlie"]


@pytest.mark.parametrize("query", ["role=boss", "is_active=yes", "q=", "limit=201", "order=id"])
def test_names_a_bad_parameter(admin: Client, query: str) -> None:
    assert named(admin.get(f"{URL}?{query}")) == [query.partition("=")[0]]


def test_makes_an_account(admin: Client, anonymous: Client) -> None:
    response = admin.post(URL, json={**ERIN, "role": "admin"})
    erin = response.get_json()

    assert response.status_code == 201
    assert response.headers["Location"] == f"http://localhost{URL}/{erin['id']}"
    assert admin.get(f"{URL}/{erin['id']}").get_json() == erin
    assert erin["role"] == "admin"
    login = {name: ERIN[name] for name in ("email", "password")}
    assert anonymous.post("/api/v1/auth/login", json=login).status_code == 200


def test_makes_no_second_account_for_one_address(admin: Client) -> None:
    response = admin.post(URL, json={**ERIN, "email": "ALICE@example.com"})

    assert refused(response) == (409, "email-taken")


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_knows_no_account_that_is_not_there(admin: Client, method: str) -> None:
    options = {"json": {"name": "X"}} if method == "patch" else {}

    assert refused(admin.open(f"{URL}/999999", method=method.upper(), **options)) == (
        404,
        "not-found",
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("POST", "", ERIN),
        ("GET", "/1", None),
        ("PATCH", "/1", {"name": "X"}),
        ("DELETE", "/1", None),
    ],
)
def test_is_for_admins_only(
    alice: Client, anonymous: Client, method: str, path: str, body: Json | None
) -> None:
    options = {"json": body} if body else {}

    assert refused(alice.open(URL + path, method=method, **options)) == (403, "forbidden")
    assert refused(anonymous.open(URL + path, method=method, **options)) == (401, "unauthorized")


def test_a_disabled_user_is_out_at_once_and_signs_in_again_when_enabled(
    admin: Client, bob: Client, anonymous: Client
) -> None:
    url = f"{URL}/{bob.user['id']}"

    assert admin.patch(url, json={"is_active": False}).get_json()["is_active"] is False
    assert refused(bob.get("/api/v1/tasks")) == (401, "token-revoked")
    login = {"email": bob.user["email"], "password": PASSWORD}
    assert refused(anonymous.post("/api/v1/auth/login", json=login)) == (401, "wrong-credentials")
    assert admin.patch(url, json={"is_active": True}).status_code == 200
    assert refused(bob.get("/api/v1/tasks")) == (401, "token-revoked")
    assert anonymous.post("/api/v1/auth/login", json=login).status_code == 200


def test_deletes_an_account(admin: Client, charlie: Client) -> None:
    url = f"{URL}/{charlie.user['id']}"

    assert admin.delete(url).status_code == 204
    assert refused(admin.delete(url)) == (404, "not-found")
    assert refused(charlie.get("/api/v1/tasks")) == (401, "token-revoked")


@pytest.mark.parametrize(
    "change", [{"role": "user"}, {"is_active": False}, {"role": "user", "name": "X"}, None]
)
def test_the_last_active_admin_stays(admin: Client, change: Json | None) -> None:
    url = f"{URL}/{admin.user['id']}"

    response = admin.patch(url, json=change) if change else admin.delete(url)

    assert refused(response) == (409, "conflict")
    assert refused(admin.delete(f"{URL}/me", json={"current_password": PASSWORD})) == (
        409,
        "conflict",
    )
    assert admin.get(url).get_json() == admin.user


def test_a_disabled_admin_does_not_count_as_the_last(admin: Client, bob: Client) -> None:
    admin.patch(f"{URL}/{bob.user['id']}", json={"role": "admin", "is_active": False})

    response = admin.patch(f"{URL}/{admin.user['id']}", json={"role": "user"})

    assert refused(response) == (409, "conflict")


def test_two_admins_cannot_demote_each_other_at_once(admin: Client, bob: Client) -> None:
    admin.patch(f"{URL}/{bob.user['id']}", json={"role": "admin"})

    def demote(pair: tuple[Client, int]) -> int:
        client, user_id = pair
        return client.patch(f"{URL}/{user_id}", json={"role": "user"}).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(demote, [(admin, bob.user["id"]), (bob, admin.user["id"])]))

    assert sorted(statuses) in ([200, 403], [200, 409])


def test_never_overwrites_what_it_has_not_seen(admin: Client, bob: Client) -> None:
    url = f"{URL}/{bob.user['id']}"
    tag = admin.get(url).headers["ETag"]
    bob.patch(f"{URL}/me", json={"name": "Robert"})

    stale = admin.patch(url, json={"name": "Bobby"}, headers={"If-Match": tag})

    assert refused(stale) == (412, "precondition-failed")
    deleted = admin.delete(url, headers={"If-Match": tag})
    assert refused(deleted) == (412, "precondition-failed")


def test_accounts_that_an_admin_made_are_proved_unless_said_otherwise(
    admin: Client, anonymous: Client
) -> None:
    made_by_admin = admin.post(URL, json=ERIN).get_json()
    unproved = {**ERIN, "email": "fay@example.com", "email_verified": False}
    frank = {**ERIN, "email": "frank@example.com"}
    registered = anonymous.post("/api/v1/auth/register", json=frank).get_json()

    assert made_by_admin["email_verified"] is True
    assert admin.post(URL, json=unproved).get_json()["email_verified"] is False
    assert registered["email_verified"] is False
    proved = admin.patch(f"{URL}/{registered['id']}", json={"email_verified": True})
    assert proved.get_json()["email_verified"] is True


def test_nobody_registers_as_proved(anonymous: Client) -> None:
    body = {**ERIN, "email_verified": True}

    assert named(anonymous.post("/api/v1/auth/register", json=body)) == ["/email_verified"]


def test_an_address_that_changes_is_unproved(admin: Client) -> None:
    erin = admin.post(URL, json=ERIN).get_json()
    url = f"{URL}/{erin['id']}"

    for body, is_proved in (
        ({"name": "E."}, True),
        ({"email": "ERIN@example.com"}, True),  # the same but for its case
        ({"email": "e@example.com"}, False),
        ({"email": "ee@example.com", "email_verified": True}, True),
    ):
        assert admin.patch(url, json=body).get_json()["email_verified"] is is_proved, body
