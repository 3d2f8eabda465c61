"""flask --app wsgi users …, seed, openapi: in processes of their own, as an operator runs them"""

from __future__ import annotations

import json
import re
import secrets

import pytest

from tests import servers

PASSWORD = "eleven quiet harbours"


@pytest.fixture
def environment(fresh_environment: dict[str, str]) -> dict[str, str]:
    made = servers.flask(
        "users", "create", "--admin", "Root@example.com", stdin=PASSWORD, **fresh_environment
    )
    assert (made.returncode, made.stdout) == (0, "1 Root@example.com admin\n")
    return fresh_environment


def test_the_password_comes_from_standard_input_or_a_variable(environment: dict[str, str]) -> None:
    made = servers.flask(
        "users",
        "create",
        "dora@example.com",
        "--name",
        "Dora",
        TASKAPP_PASSWORD=PASSWORD,
        **environment,
    )
    listed = servers.flask("users", "list", **environment)

    assert made.stdout == "2 dora@example.com user\n"
    assert listed.stdout == "1 Root@example.com admin on\n2 dora@example.com user on\n"


def test_the_password_is_never_an_argument(environment: dict[str, str]) -> None:
    told = servers.flask("users", "create", "--help", **environment).stdout

    assert "--password" not in told
    assert (
        servers.flask("users", "create", "e@example.com", PASSWORD, **environment).returncode == 2
    )


@pytest.mark.parametrize(
    ("arguments", "password", "words"),
    [
        (("create", "ROOT@example.com"), PASSWORD, "e-mail address"),
        (("create", "new@example.com"), "password1234", "Too easy to guess"),
        (("create", "no-address"), PASSWORD, "EMAIL: "),
        (("create", "a@example.com", "--name", "x" * 1025), PASSWORD, "--name: "),
        (("create", "b@example.com"), "", "the password: "),
        (("set-password", "root@example.com"), "short", "the password: Shorter than minimum"),
        (("set-password", "nobody@example.com"), PASSWORD, "no such user"),
        (("disable", "root@example.com"), "", "last active admin"),
        (("enable", "nobody@example.com"), "", "no such user"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(
    environment: dict[str, str], arguments: tuple[str, ...], password: str, words: str
) -> None:
    refused = servers.flask("users", *arguments, stdin=password, **environment)

    assert refused.returncode == 1
    assert words in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_switches_accounts_off_and_on_and_sets_passwords(environment: dict[str, str]) -> None:
    servers.flask("users", "create", "dora@example.com", stdin=PASSWORD, **environment)
    login = {"email": "dora@example.com", "password": PASSWORD}
    with servers.gunicorn(**environment) as base:
        url = f"{base}/api/v1/auth/login"
        token = servers.ask(url, login)[2]["access_token"]
        for command, status in (("disable", 401), ("enable", 200)):
            assert (
                servers.flask("users", command, "Dora@example.com", **environment).returncode == 0
            )
            assert servers.ask(url, login)[0] == status
        changed = servers.flask(
            "users", "set-password", "dora@example.com", stdin="seven mossy lanterns", **environment
        )
        assert changed.returncode == 0
        assert servers.ask(f"{base}/api/v1/tasks", token=token)[0] == 401
        assert servers.ask(url, login)[0] == 401
        assert servers.ask(url, {**login, "password": "seven mossy lanterns"})[0] == 200


@pytest.mark.parametrize("whom", [("dora@example.com",), ("--all",)])
def test_signs_an_account_out_or_all_of_them(
    fresh_environment: dict[str, str], whom: tuple[str, ...]
) -> None:
    with servers.gunicorn(**fresh_environment) as base:
        dora, erin = (servers.sign_up(base, f"{name}@example.com") for name in ("dora", "erin"))
        body = {"name": "script", "scopes": ["read"]}
        made = servers.ask(f"{base}/api/v1/auth/tokens", body, token=dora)[2]["token"]

        def statuses() -> list[int]:
            url = f"{base}/api/v1/users/me"
            return [servers.ask(url, token=token)[0] for token in (dora, erin, made)]

        assert servers.flask("users", "sign-out", *whom, **fresh_environment).returncode == 0
        assert statuses() == [401, 401 if whom == ("--all",) else 200, 200]
        ended = servers.flask("users", "sign-out", *whom, "--end-tokens", **fresh_environment)
        assert ended.returncode == 0
        assert statuses()[2] == 401
        login = {"email": "dora@example.com", "password": "seven mossy lanterns"}
        assert servers.ask(f"{base}/api/v1/auth/login", login)[0] == 200


@pytest.mark.parametrize("whom", [(), ("dora@example.com", "--all")])
def test_whom_to_sign_out_is_said_once(environment: dict[str, str], whom: tuple[str, ...]) -> None:
    told = servers.flask("users", "sign-out", *whom, **environment)

    assert (told.returncode, "either EMAIL or --all" in told.stderr) == (2, True)


@pytest.mark.parametrize("command", ["purge", "seed", "backup"])
@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_what_cannot_be_done_is_one_line_too(
    fresh_environment: dict[str, str], command: str
) -> None:
    nowhere = {"DATABASE_URL": "sqlite:////nowhere/at/all.db"}
    refused = servers.flask(command, **{**fresh_environment, **nowhere})

    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "DATABASE_URL: unable to open database file" in refused.stderr


def test_prints_the_openapi_document(environment: dict[str, str]) -> None:
    printed = servers.flask("openapi", **environment)

    assert json.loads(printed.stdout)["openapi"] == "3.1.0"


def test_seeds_a_demo_that_answers(fresh_environment: dict[str, str]) -> None:
    seeded = servers.flask("seed", "--tasks", "1200", "--users", "6", **fresh_environment)
    assert seeded.returncode == 0, seeded.stderr
    found = re.search(r"Sign in as (\S+) .* the password (\S+)", seeded.stdout)
    assert found
    with servers.gunicorn(**fresh_environment) as base:
        login = {"email": found[1], "password": found[2]}
        token = servers.ask(f"{base}/api/v1/auth/login", login)[2]["access_token"]
        for query in (
            "",
            "&status=todo,done&sort=-priority,due_at",
            "&label=home",
            "&q=water",
            "&due=overdue",
        ):
            status, _, page = servers.ask(f"{base}/api/v1/tasks?total=true{query}", token=token)
            assert (status, page["total"] > 0) == (200, True)


@pytest.mark.parametrize("fresh_environment", ["sqlite"], indirect=True)
def test_production_takes_no_demo(fresh_environment: dict[str, str]) -> None:
    production = {"ENVIRONMENT": "production", "SECRET_KEY": secrets.token_hex(32)}

    seeded = servers.flask("seed", **fresh_environment, **production)

    assert (seeded.returncode, "this is production" in seeded.stderr) == (1, True)
    assert servers.flask("users", "list", **fresh_environment).stdout == ""


def test_to_seed_again_adds_nothing_and_says_what_is_there(
    fresh_environment: dict[str, str],
) -> None:
    servers.flask("seed", "--tasks", "3", **fresh_environment)

    again = servers.flask("seed", "--tasks", "3", "--users", "6", **fresh_environment)

    assert again.returncode == 0, again.stderr
    assert "Nothing was added" in again.stdout
    assert servers.flask("users", "list", **fresh_environment).stdout.count("@example.com") == 5
