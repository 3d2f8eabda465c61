"""docs/webhooks.md: the receiver in Python and the lines of curl do what they say"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from tests import servers
from tests.conftest import Client, Json, add
from tests.webhooks.conftest import Receiver, run_courier
from tests.webhooks.test_process import start_courier, wait_until
from tests.webhooks.test_webhooks import url_of

TEXT = (servers.ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
BASH = re.findall(r"^```bash\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
ADDRESS = re.compile(r'"url": "(https://[^"]+)"')


@pytest.fixture
def open_port() -> Iterator[BaseWSGIServer]:
    """A server on loopback whose app comes later."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_receiver_verifies_what_it_is_sent(
    app: Flask,
    alice: Client,
    shared: Json,
    loopback_allowed: None,
    open_port: BaseWSGIServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = {"url": f"http://127.0.0.1:{open_port.server_port}/hooks/tasks"}
    webhook = alice.post(url_of(shared), json=body).get_json()
    (source,) = PYTHON
    assert len(source.strip().splitlines()) <= 18
    receiver: dict[str, Any] = {"__name__": "receiver"}
    exec(source.replace("whsec_…", webhook["secret"]), receiver)  # noqa: S102 - our own document
    open_port.app = receiver["app"]
    task = add(alice, project_id=shared["id"])
    run_courier(app)

    assert capsys.readouterr().out == f"created {task['id']}\n"
    listed = alice.get(url_of(shared, webhook["id"], "deliveries")).get_json()["items"]
    assert [(each["status"], each["code"]) for each in listed] == [("delivered", 204)]
    forged = receiver["app"].test_client().post("/hooks/tasks", data=b'{"type": "created"}')
    assert forged.status_code == 400


def test_the_lines_of_curl_make_webhooks_that_are_told(tmp_path: Path, receiver: Receiver) -> None:
    variables = {"TASKAPP_INSTANCE": str(tmp_path), "WEBHOOK_NETWORKS": "127.0.0.0/8"}
    servers.migrate(**variables)
    with servers.gunicorn(**variables) as base:
        token = servers.sign_up(base, "owner@example.com")
        project = servers.ask(f"{base}/api/v1/projects", {"name": "Garden"}, token=token)[2]
        shell = {"URL": base, "PROJECT": str(project["id"])}
        shell |= {
            "AUTH": f"Authorization: Bearer {token}",
            "JSON": "Content-Type: application/json",
        }
        assert len(BASH) == 3
        for script in BASH:
            local = ADDRESS.sub(f'"url": "{receiver.url}"', script)
            assert local != script
            environment = servers.environment(**shell)
            subprocess.run(
                ["bash", "-ec", local],  # noqa: S607
                env=environment, check=True, capture_output=True,
            )  # fmt: skip
        body = {
            "title": "Water",
            "project_id": project["id"],
            "reminders": ["2020-01-01T00:00:00Z"],
        }
        assert servers.ask(f"{base}/api/v1/tasks", body, token=token)[0] == 201
        courier = start_courier(variables)
        wait_until(lambda: len(receiver.received) == 4)
        courier.terminate()
        assert courier.wait(30) == 0

    texts = sorted(body.decode() for _, body in receiver.received)
    assert sum(text.startswith('{"type":') for text in texts) == 2  # created, and the reminder
    assert any(text.startswith('{"text":"Garden: owner: created: Water') for text in texts)
    assert any(text.startswith("Garden: reminder: Water") for text in texts)
