"""deploy/pin-images: each image keeps its tag, and gets the digest that its registry says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import ROOT

FILES = ("Dockerfile", "docker-compose.yml", "deploy/pin-images")
# In place of a registry: a digest that depends on the image's name.
DOCKER = """#!/bin/bash
[ "$*" = "buildx imagetools inspect --format {{.Manifest.Digest}} ${@: -1}" ] || exit 2
{ANSWER}
"""
A_DIGEST = 'echo "sha256:$(echo "${@: -1}" | sha256sum | cut -c1-64)"'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "deploy").mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def pin(checkout: Path, answer: str = A_DIGEST) -> int:
    docker = checkout / "bin" / "docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(DOCKER.replace("{ANSWER}", answer))
    docker.chmod(0o755)
    env = {**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"}
    command = [checkout / "deploy/pin-images"]
    return subprocess.run(command, env=env, capture_output=True, check=False).returncode


def texts(checkout: Path) -> list[str]:
    return [(checkout / name).read_text() for name in FILES[:2]]


def test_pins_every_image_once(checkout: Path) -> None:
    before = texts(checkout)

    assert pin(checkout) == 0

    dockerfile, compose = texts(checkout)
    assert re.search(r"^ARG BASE=python:\S+@sha256:[0-9a-f]{64}$", dockerfile, re.MULTILINE)
    images = re.findall(r"^ *image: ([^$\s]\S*:\S+)", compose, re.MULTILINE)
    assert len(images) > 5
    assert all(re.fullmatch(r"\S+:\S+@sha256:[0-9a-f]{64}", image) for image in images)
    without = [re.sub(r"@sha256:[0-9a-f]{64}", "", text) for text in (dockerfile, compose)]
    assert without == before
    assert pin(checkout) == 0
    assert texts(checkout) == [dockerfile, compose]


@pytest.mark.parametrize("answer", ["exit 1", "echo not-a-digest"])
def test_changes_nothing_when_a_registry_does_not_say(checkout: Path, answer: str) -> None:
    before = texts(checkout)

    assert pin(checkout, answer) != 0

    assert texts(checkout) == before
