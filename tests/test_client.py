"""A client generated from the document, as it comes, does the README's session"""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.conftest import PASSWORD

LINES = ("application/x-ndjson", "text/calendar", "text/csv")


@pytest.fixture
def base(fresh_environment: dict[str, str]) -> Any:
    with servers.gunicorn(**fresh_environment) as url:
        yield url


@pytest.fixture
def generated(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the generated package."""
    name = f"client_{abs(hash(base))}"
    command = [sys.executable, "-m", "openapi_python_client", "generate"]
    command += ["--url", f"{base}/openapi.json", "--output-path", str(tmp_path / name)]
    command += ["--meta", "none"]
    tools = Path(sys.executable).parent  # it formats with ruff
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    # It sends an import as JSON or as a form, and says that it knows no other body.
    assert said.count("WARNING") == said.count("Unsupported content type") == len(LINES), said
    for media_type in LINES:
        assert f"Unsupported content type {media_type}" in said
    monkeypatch.syspath_prepend(tmp_path)
    return name


class Api:
    """`api.tasks.create_task(...)`: the generated functions and models by their names."""

    def __init__(self, package: str, client: Any) -> None:
        self.package, self.client = package, client

    def call(self, operation: str, *ids: Any, **arguments: Any) -> tuple[int, Any, Any]:
        function = import_module(f"{self.package}.api.{operation}").sync_detailed
        answer = function(*ids, client=self.client, **arguments)
        return int(answer.status_code), answer.parsed, answer.headers

    def model(self, kind: str, /, **fields: Any) -> Any:
        return getattr(import_module(f"{self.package}.models"), kind)(**fields)


@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_does_what_the_readme_does(base: str, generated: str) -> None:
    module = import_module(generated)
    with module.Client(base_url=base) as anybody:
        api, account = Api(generated, anybody), {"email": "a@example.com", "password": PASSWORD}
        status, user, _ = api.call("auth.register", body=api.model("NewUser", name="A", **account))
        assert (status, user.email) == (201, "a@example.com")
        _, pair, _ = api.call("auth.login", body=api.model("Login", **account))

    with module.AuthenticatedClient(base_url=base, token=pair.access_token) as client:
        api = Api(generated, client)
        due = dt.datetime.fromisoformat("2030-01-31T17:00:00+01:00")
        body = api.model("TaskInput", title="Water the fern", labels=["home"], due_at=due)
        status, task, headers = api.call("tasks.create_task", body=body)
        assert (status, task.due_at, task.labels) == (201, due, ["home"])

        change = api.model("TaskPatch", description="Twice")
        told = {"body": change, "if_match": headers["ETag"]}
        status, changed, _ = api.call("tasks.update_task", task.id, **told)
        assert (status, changed.description, changed.title) == (200, "Twice", "Water the fern")
        status, problem, _ = api.call("tasks.update_task", task.id, **told)
        assert (status, problem.code) == (412, "precondition-failed")

        _, page, headers = api.call("tasks.list_tasks", q="fern", label="home", fields="id,title")
        assert [found.to_dict() for found in page.items] == [
            {"id": task.id, "title": "Water the fern"}
        ]
        seen = {"q": "fern", "label": "home", "fields": "id,title"}
        assert api.call("tasks.list_tasks", **seen, if_none_match=headers["ETag"])[0] == 304
        _, project, _ = api.call(
            "projects.create_project", body=api.model("ProjectInput", name="Yard")
        )
        assert project.role == "owner"

        status, problem, _ = api.call("tasks.create_task", body=api.model("TaskInput", title=""))
        assert (status, problem.errors[0].pointer) == (422, "/title")
        assert api.call("tasks.delete_task", task.id)[0] == 204
        assert api.call("tasks.get_task", task.id)[0] == 404
        assert api.call("auth.logout")[0] == 204
        assert api.call("tasks.list_tasks")[1].code == "token-revoked"
