"""Where the token is kept, and where it goes."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import httpx

from .conftest import PASSWORD, Person
from .proxy import Proxy, Says


def credentials(person: Person) -> Path:
    return person.home / ".config/tasks/credentials.json"


def test_the_token_is_in_a_file_that_only_its_owner_can_read(alice: Person) -> None:
    file = credentials(alice)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert PASSWORD not in file.read_text()
    assert json.loads(file.read_text())["token"].startswith("tsk_")


def test_the_config_folder_is_where_xdg_says(stranger: Person, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"

    stranger.does(
        "login", "--email", stranger.email, stdin=f"{PASSWORD}\n", XDG_CONFIG_HOME=str(elsewhere)
    )

    assert (elsewhere / "tasks/credentials.json").exists()
    assert not credentials(stranger).exists()


def test_a_token_that_others_can_read_is_not_used(alice: Person) -> None:
    credentials(alice).chmod(0o644)

    ran = alice.run("ls")

    assert ran.returncode == 1
    assert f"run `chmod 600 {credentials(alice)}`" in ran.stderr


def test_the_token_goes_to_no_other_service(alice: Person, proxy: Proxy) -> None:
    ran = alice.run("ls", TASKS_URL=proxy.url)

    assert ran.returncode == 4
    assert "run `tasks login`, or set TASKS_TOKEN" in ran.stderr
    assert proxy.seen == []


def test_the_token_does_not_follow_a_redirect(lossy: Person, proxy: Proxy) -> None:
    proxy.next.append(Says(308, {"Location": "https://elsewhere.example/api/v1/tasks"}))

    ran = lossy.run("ls")

    assert ran.returncode == 1
    assert "redirects to https://elsewhere.example" in ran.stderr


def test_a_wrong_password_is_exit_code_4_and_stores_nothing(stranger: Person) -> None:
    ran = stranger.run("login", "--email", stranger.email, stdin="wrong password here\n")

    assert ran.returncode == 4
    assert not credentials(stranger).exists()


def test_who_is_not_signed_in_hears_what_to_do(stranger: Person) -> None:
    ran = stranger.run("ls")

    assert (ran.returncode, ran.stderr) == (4, "Error: You are not signed in: run `tasks login`.\n")


def test_a_token_can_be_given_instead_of_a_password(stranger: Person) -> None:
    stranger.does("login", "--with-token", stdin=f"{stranger.token}\n")

    assert stranger.email in stranger.does("whoami")


def test_signing_in_leaves_no_session_behind(alice: Person) -> None:
    kinds = alice.api.get("/auth/sessions").json()["items"]

    assert len(kinds) == 1  # the one with which this test looks


def test_signing_out_ends_the_token_everywhere(alice: Person) -> None:
    alice.does("sync")
    token = json.loads(credentials(alice).read_text())["token"]

    alice.does("logout")

    answer = httpx.get(f"{alice.url}/api/v1/tasks", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert not credentials(alice).exists()
    assert list((alice.home / ".local/share/tasks").iterdir()) == []


def test_signing_in_again_ends_the_token_before(alice: Person) -> None:
    credentials(alice).write_text("damaged")
    alice.does("login", "--email", alice.email, stdin=f"{PASSWORD}\n")
    first = json.loads(credentials(alice).read_text())["token"]
    alice.does("login", "--email", alice.email, stdin=f"{PASSWORD}\n")

    answer = httpx.get(f"{alice.url}/api/v1/tasks", headers={"Authorization": f"Bearer {first}"})

    assert answer.status_code == 401
    assert alice.run("ls").returncode == 0


def test_a_stranger_can_make_an_account(stranger: Person) -> None:
    email = f"new.{stranger.email}"

    stranger.does("register", "--email", email, "--name", "Newcomer", stdin=f"{PASSWORD}\n")

    assert email in stranger.does("whoami")


def test_a_wrong_address_is_refused_before_anything_is_sent(stranger: Person) -> None:
    for address in ("ftp://example.com", "example.com", "http://user:secret@example.com"):
        ran = stranger.run("login", "--url", address, "--email", "a@example.com", stdin="x\n")
        assert ran.returncode == 1
        assert "secret" not in ran.stderr


def test_something_else_than_taskapp_is_noticed(stranger: Person, proxy: Proxy) -> None:
    proxy.next.append(Says(200, {}, {}))

    ran = stranger.run("login", "--url", proxy.url, "--email", "a@example.com", stdin="x\n")

    assert ran.returncode == 1
    assert "does not answer as taskapp does" in ran.stderr


def test_a_stolen_look_at_the_processes_shows_no_password(stranger: Person) -> None:
    ran = stranger.run("login", "--help")

    assert "--password" not in ran.stdout
