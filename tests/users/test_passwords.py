"""Which passwords are refused: guessable ones, and those that are known from breaches"""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import extract_parameters
from flask import Flask
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from taskapp.errors import Refusal
from taskapp.users import breached, passwords

# Of lists of stolen passwords: such that the estimate takes for unguessable.
STOLEN = [
    *("1q2w3e4r5t6y7u8i9o", "knackwurst8853", "ihatethisgame", "przyjaciolki", "s8ylpe9jdpvym"),
    *("john!20130605at1753", "megaparol12345", "fallen_angel", "sdf7asdf6asdg8df", "ichliebedich"),
]
WELL_KNOWN = [
    *("correcthorsebatterystaple", "correct horse battery staple", "Admin123456!", "Summer2026!!"),
    *("thequickbrownfox", "taskapp12345", "Password123!", "P@ssw0rd1234", "Welcome12345!"),
    *("qwertyuiop123", "1qaz2wsx3edc", "iloveyou1234", "letmein123456", "Winter2026!!"),
    *(
        "administrator1",
        "changeme12345",
        "maytheforcebewithyou",
        "abcdefghijkl",
        "passwordpassword",
    ),
    *("zaq12wsxcde3", "!QAZ2wsx#EDC", "trustno1trustno1", "football12345", "princess12345"),
    *("monkey123456!", "dragon123456!", "Company2026!", "LetMeIn2026!", "Qwerty123456!"),
    *("asdfghjkl1234", "0123456789012", "123456789012", "aaaaaaaaaaaa", "qazwsxedcrfv"),
    *("sunshine1234", "starwars1234", "baseball1234", "superman1234", "batman123456"),
    *("TestTest1234", "rootrootroot", "test12345678", "Secret123456"),
]
TAKEN = ["seven mossy lanterns", "eleven quiet harbours", "вход в тихую гавань", "g7Kq9 vTz4mW"]


def is_taken(password: str) -> bool:
    try:
        passwords.refuse_guessable("password", password, "dora@example.com", "Dora")
    except Refusal:
        return False
    return True


@pytest.fixture(autouse=True)
def context(app: Flask) -> object:
    with app.app_context():
        yield


def test_none_of_the_passwords_that_everybody_knows_is_taken() -> None:
    stolen = [password for password in FREQUENCY_LISTS["passwords"] if len(password) >= 12]

    assert len(stolen) > 200
    assert [password for password in stolen + STOLEN + WELL_KNOWN if is_taken(password)] == []
    assert [password for password in TAKEN if not is_taken(password)] == []


@pytest.mark.parametrize("password", STOLEN)
def test_a_stolen_one_is_refused_in_capital_letters_too(password: str) -> None:
    for spelling in (password, password.upper(), password.capitalize()):
        assert breached.is_breached(spelling)
    assert not breached.is_breached(password + "x")
    assert not breached.is_breached("")


def test_the_list_is_whole_and_in_order() -> None:
    digests = breached.FILE.read_bytes()
    places = range(0, len(digests), breached.SIZE)
    each = [digests[place : place + breached.SIZE] for place in places]

    assert len(each) > 36_000
    assert {len(digest) for digest in each} == {breached.SIZE}
    assert each == sorted(set(each))


def test_a_list_of_ones_own_is_written_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.bin"
    breached.write(["Two Words", "two words", "three"], file)
    monkeypatch.setattr(breached, "FILE", file)
    breached._digests.cache_clear()

    assert file.stat().st_size == 2 * breached.SIZE
    found = [breached.is_breached(word) for word in ("TWO WORDS", "three", "four", "\0")]
    breached._digests.cache_clear()

    assert found == [True, True, False, False]


def test_where_there_is_no_account_the_work_is_the_same_and_in_vain() -> None:
    of_nobody = extract_parameters(passwords.HASH_OF_NOBODY)

    assert of_nobody == extract_parameters(passwords.hash_password("mossy lantern seven"))
    assert not passwords.verify("mossy lantern seven", None)
