"""Each example of the document does what it shows: on a fresh account, as Swagger UI sends it"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest

import config
from taskapp import create_app
from tests import servers
from tests.calls import codes_of
from tests.conftest import Client, Json
from tests.document import Document

API = "/api/v1"
JSON = "application/json"
# What no document can hold: a secret that was just made, the id of a real event.
REAL = {"refresh", "replay_events", "login_totp"}
MAILED = {"verify_email", "reset_password"}  # want what only a mail holds; tests of mail send them
MAIL = {"SMTP_URL": "smtp://127.0.0.1:9?tls=none", "MAIL_FROM": "tasks@example.com"}
MAIL |= {"PUBLIC_URL": "https://tasks.example.com"}
WITH_CODE = {"confirm_totp", "renew_recovery_codes", "disable_totp"}
# What is not there before an identity provider is set up.
AT_A_PROVIDER = {"begin_oidc", "finish_oidc", "swap_code"}
# In the order in which a newcomer would try them; what ends something comes last.
LAST = ["update_member", "set_up_totp", "confirm_totp", "login_totp", "renew_recovery_codes"]
LAST += ["disable_totp", "change_password", "delete_me"]


class Newcomer:
    """Somebody with a fresh account, who tries what the document shows."""

    def __init__(self, client: Client, document: Json, admin: str) -> None:
        self.client, self.document, self.admin = client, document, admin
        self.ids: Json = {"external_id": "crm%2F4711", "code": "not-found"}
        self.real: Json = {}
        self.operations: dict[str, tuple[str, str, Json]] = {}
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if operation["operationId"] in AT_A_PROVIDER:
                    continue
                self.operations[operation["operationId"]] = (method, path, operation)

    def examples(self, name: str) -> Json:
        """What the operation shows as its body, by media type."""
        body = self.operations[name][2].get("requestBody", {"content": {}})
        shown = {media: each.get("example") for media, each in body["content"].items()}
        if name in REAL:
            shown[JSON] = self.real[name]
        if name in WITH_CODE:
            shown[JSON] = {**shown[JSON], "code": self.next_code()}
        return shown

    def note(self, name: str, response: Any) -> None:
        """Keep what later examples need: an authenticator, the ticket of a sign-in."""
        if name == "set_up_totp":
            self.next_code = codes_of(response.get_json()["secret"])
        if name == "confirm_totp":
            recovery_code = response.get_json()["recovery_codes"][0]
            asked = self.client.post(f"{API}/auth/login", json=self.examples("login")[JSON])
            ticket = asked.get_json()["ticket"]
            self.real["login_totp"] = {"ticket": ticket, "code": recovery_code}

    def send(self, name: str, media_type: str | None = None, body: Any = None) -> Any:
        """The request that Swagger UI sends: with the default of each parameter that has one."""
        method, path, operation = self.operations[name]
        defaults = {
            each["name"]: str(each["schema"]["default"]).lower()
            for each in operation["parameters"]
            if "default" in each["schema"]
        }
        options: Json = {"method": method.upper(), "query_string": defaults}
        if operation["tags"] == ["users"] and "/me" not in path:
            options["headers"] = {"Authorization": f"Bearer {self.admin}"}
        if media_type == "multipart/form-data":
            options["data"] = {"file": (BytesIO(b"title\r\nWater the fern\r\n"), "tasks.csv")}
        elif isinstance(body, str):
            options |= {"data": body, "content_type": media_type}
        elif media_type is not None:
            options |= {"json": body, "content_type": media_type}
        return self.client.open(path.format_map(self.ids), **options)

    def make(self, name: str) -> Json:
        """Send the JSON example of what creates something."""
        response = self.send(name, JSON, self.examples(name)[JSON])
        assert response.status_code in {200, 201}, f"{name}: {response.get_json()}"
        return dict(response.get_json())

    def change_password_back(self) -> None:
        changed = self.examples("change_password")[JSON]
        back = dict(zip(changed, reversed(changed.values()), strict=True))
        assert self.client.post(f"{API}/auth/password", json=back).status_code == 204

    def settle_in(self) -> None:
        """An account, a project with a member, a task with a comment: all as the examples say."""
        self.make("register")
        pair = self.make("login")
        self.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {pair['access_token']}"
        self.ids["user_id"] = self.make("create_user")["id"]
        self.ids["project_id"] = self.make("create_project")["id"]
        self.make("add_member")
        self.ids["task_id"] = self.make("create_task")["id"]
        self.ids["comment_id"] = self.make("add_comment")["id"]
        self.ids["webhook_id"] = self.make("create_webhook")["id"]
        self.ids["token_id"] = self.make("create_token")["id"]
        feed = self.client.post(f"{API}/auth/tokens", json={"name": "x", "scopes": ["feed"]})
        self.ids["secret"] = feed.get_json()["token"]
        attached = self.send("add_attachment", "multipart/form-data")
        self.ids["attachment_id"] = attached.get_json()["id"]
        assert self.send("put_task", JSON, self.examples("put_task")[JSON]).status_code == 201
        self.real["refresh"] = {"refresh_token": self.make("login")["refresh_token"]}
        events = self.client.get(f"{API}/projects/{self.ids['project_id']}/events").get_json()
        self.real["replay_events"] = {"from_event": events["items"][-1]["id"]}


@pytest.fixture
def newcomer(fresh_environment: dict[str, str]) -> Iterator[Newcomer]:
    admin = ("users", "create", "--admin", "root@example.com")
    password = "nine copper weathervanes"
    assert servers.flask(*admin, stdin=password, **fresh_environment).returncode == 0
    app = create_app(config.load({"RATELIMIT_ENABLED": "false", **MAIL, **fresh_environment}))
    app.test_client_class = Client
    document = Document(app)
    client: Any = app.test_client()
    client.document = document
    root = {"email": "root@example.com", "password": password}
    token = client.post(f"{API}/auth/login", json=root).get_json()["access_token"]
    yield Newcomer(client, document.content, token)
    servers.close(app)


def test_every_example_of_a_body_works(newcomer: Newcomer) -> None:
    newcomer.settle_in()
    settled = {"register", "create_user", "add_member"}  # once each: they were sent just now
    names = [name for name in newcomer.operations if name not in {*settled, *MAILED, *LAST}]
    sent = 0
    for name in (*names, *LAST):
        if name == "delete_me":  # as on an account that shares nothing
            newcomer.change_password_back()
            assert newcomer.send("delete_project").status_code == 204
        for media_type, example in newcomer.examples(name).items():
            response = newcomer.send(name, media_type, example)
            assert 200 <= response.status_code < 300, f"{name}: {response.get_data(as_text=True)}"
            newcomer.note(name, response)
            sent += 1
    assert sent > 30


def test_every_get_works_as_it_is_prefilled(newcomer: Newcomer) -> None:
    newcomer.settle_in()
    prefilled = [name for name, (method, *_) in newcomer.operations.items() if method == "get"]
    sessions = newcomer.client.get(f"{API}/auth/sessions").get_json()
    newcomer.ids["session_id"] = sessions["items"][0]["id"]
    for name in prefilled:
        if name != "detailed":  # for admins
            response = newcomer.send(name)
            assert response.status_code == 200, f"{name}: {response.get_data(as_text=True)}"
    assert len(prefilled) > 25


def test_prefilled_writes_carry_no_condition(newcomer: Newcomer) -> None:
    """Swagger UI would send the example of a header, and no ETag and no key is good for all."""
    for _, _, operation in newcomer.operations.values():
        for each in operation["parameters"]:
            if each["in"] == "header":
                assert not {"example", "examples"} & each.keys()
                assert not {"example", "default"} & each["schema"].keys()
