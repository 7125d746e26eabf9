"""The file of accounts: private, read again when it changes, and closed when it is damaged."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.errors import ConfigError
from device.web.access.accounts import Account, AccountBook, checked_name, read_accounts, write_accounts
from device.web.access.proofs import new_token, password_proof, token_proof

if TYPE_CHECKING:
    from pathlib import Path

ANNA = Account("anna", "operator", password_proof("night-owl", cost=16))
TOKEN = new_token()
PROGRAM = Account("home-assistant", "viewer", token_proof(TOKEN))


def test_what_is_written_is_read_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "web" / "accounts"
    assert read_accounts(path) == ()
    write_accounts(path, [ANNA, PROGRAM])
    assert read_accounts(path) == (ANNA, PROGRAM)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "night-owl" not in path.read_text()
    assert TOKEN not in path.read_text()


def test_people_have_passwords_and_programs_tokens(tmp_path: Path) -> None:
    write_accounts(tmp_path / "accounts", [ANNA, PROGRAM])
    book = AccountBook(tmp_path / "accounts")
    assert book.by_password("anna", "night-owl") == ANNA
    assert book.by_password("anna", "night-ow") is None
    assert book.by_password("ben", "night-owl") is None
    assert book.by_password("home-assistant", TOKEN) is None
    assert book.by_token(TOKEN) == PROGRAM
    assert book.by_token("night-owl") is None


def test_a_change_of_the_file_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    book = AccountBook(path)
    assert (book.is_open, book.accounts) == (True, ())
    write_accounts(path, [ANNA])
    assert (book.is_open, book.accounts) == (False, (ANNA,))
    write_accounts(path, [PROGRAM])
    assert book.named("anna") is None


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("anna operator\n", "line 1 is no account"),
        ("anna admin sha256:00\n", "line 1 is no account"),
        ("anna viewer night-owl\n", "anna has no valid proof"),
        (f"# ours\nanna viewer {PROGRAM.proof}\nanna viewer {PROGRAM.proof}\n", "has the account anna twice"),
        ("anna viewer \udcff\n", "it is no text"),
    ],
)
def test_a_damaged_file_opens_no_door(tmp_path: Path, damage: str, says: str) -> None:
    path = tmp_path / "accounts"
    write_accounts(path, [ANNA])
    book = AccountBook(path)
    path.write_text(damage, errors="surrogateescape")
    os.utime(path, (1, 1))
    assert book.accounts == ()
    assert not book.is_open, "nobody is let in without a password because the file is damaged"
    assert says in book.problem
    with pytest.raises(ConfigError, match=says):
        read_accounts(path)


@pytest.mark.parametrize("name", ["", "an na", "-anna", "<b>", "a" * 33, "anna\n"])
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name an account"):
        checked_name(name)


def test_the_right_to_listen_in_goes_with_either_role_and_is_written_only_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    people = (replace(ANNA, may_listen=True), replace(ANNA, name="ben"), replace(PROGRAM, may_listen=True))
    write_accounts(path, people)
    assert read_accounts(path) == people
    lines = [line.split()[:2] for line in path.read_text().splitlines()[1:]]
    assert lines == [["anna", "operator+listen-in"], ["ben", "operator"], ["home-assistant", "viewer+listen-in"]]


@pytest.mark.parametrize(
    "rights", ["+listen-in", "operator+", "operator+listen", "operator+listen-in+listen-in", "x+listen-in"]
)
def test_a_right_that_does_not_exist_lets_nobody_in(tmp_path: Path, rights: str) -> None:
    (tmp_path / "accounts").write_text(f"anna {rights} {ANNA.proof}\n")
    with pytest.raises(ConfigError, match="line 1 is no account"):
        read_accounts(tmp_path / "accounts")
