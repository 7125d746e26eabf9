"""`auricle web password`, `token`, `allow`, `accounts`, `remove`: change the accounts; a running page follows."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.runtime.secrets.page_accounts import accounts_file
from device.web.access.accounts import Account, checked_name, read_accounts, write_accounts
from device.web.access.proofs import new_password, new_token, password_proof, token_proof

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from device.config.web_settings import WebSettings
    from device.web.access.accounts import Role

LEAST_PASSWORD_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Page:
    """Whose accounts are meant.

    Attributes:
        name: of the instance or the ward.
        folder: in which the page keeps what it must not lose.
        title: as people call it.
    """

    name: str
    folder: Path
    title: str


def set_password(settings: WebSettings, page: Page, arguments: argparse.Namespace) -> int:
    """Make an account for a person, or give it another password, which is printed once; returns exit code 0.

    Raises:
        ConfigError: the name or the password is not valid, or the accounts cannot be read or written.
    """
    path, name = accounts_file(settings, page.folder), checked_name(arguments.account)
    before = {account.name: account for account in read_accounts(path)}
    role = _role(before.get(name), arguments.role, "operator")
    may_listen = _may_listen(before.get(name), arguments.listen_in)
    password = _asked_password() if arguments.ask else new_password()
    account = Account(name, role, password_proof(password), may_listen)
    _write(path, before, account)
    print(f"{name} ({account.rights}) may log in at {page.title}; accounts are in {path}")
    if not arguments.ask:
        print(f"password, shown this once: {password}")
    return 0


def set_token(settings: WebSettings, page: Page, arguments: argparse.Namespace) -> int:
    """Make an account for a program, or give it another token, which is printed once; returns exit code 0.

    Raises:
        ConfigError: the name is not valid, or the accounts cannot be read or written.
    """
    path, name = accounts_file(settings, page.folder), checked_name(arguments.account)
    before = {account.name: account for account in read_accounts(path)}
    role, token = _role(before.get(name), arguments.role, "viewer"), new_token()
    account = Account(name, role, token_proof(token), _may_listen(before.get(name), arguments.listen_in))
    _write(path, before, account)
    print(f"{name} ({account.rights}) may ask {page.title}; accounts are in {path}")
    print(f"token, shown this once: {token}")
    return 0


def allow(settings: WebSettings, page: Page, arguments: argparse.Namespace) -> int:
    """Change what an account may do, and neither its password nor its token; returns exit code 0.

    Raises:
        ConfigError: there is no such account, or nothing is to be changed.
    """
    path = accounts_file(settings, page.folder)
    before = {account.name: account for account in read_accounts(path)}
    old = before.get(arguments.account)
    if old is None:
        raise ConfigError(f"{arguments.account!r} is no account in {path}; there are {', '.join(before) or 'none'}")
    if arguments.role is None and arguments.listen_in is None:
        raise ConfigError(f"say what {old.name} may do: --role viewer, --role operator, --listen-in or --no-listen-in")
    role, may_listen = _role(old, arguments.role, old.role), _may_listen(old, arguments.listen_in)
    account = Account(old.name, role, old.proof, may_listen)
    _write(path, before, account)
    print(f"{account.name} is {account.rights} from now on")
    return 0


def list_accounts(settings: WebSettings, page: Page, arguments: argparse.Namespace) -> int:
    """Print all accounts; returns exit code 0. Raises ConfigError if they cannot be read."""
    del arguments
    path = accounts_file(settings, page.folder)
    accounts = read_accounts(path)
    for account in accounts:
        print(f"{account.name:<32} {account.role:<8}  {_kept_for(account)}")
    if not accounts:
        print(f"no account yet in {path}; auricle web password NAME makes one")
    return 0


def _kept_for(account: Account) -> str:
    return f"{'token' if account.is_program else 'password'}{', may listen in' if account.may_listen else ''}"


def remove(settings: WebSettings, page: Page, arguments: argparse.Namespace) -> int:
    """Remove an account; returns exit code 0. Raises ConfigError if there is none of that name."""
    path = accounts_file(settings, page.folder)
    accounts = read_accounts(path)
    kept = [account for account in accounts if account.name != arguments.account]
    if len(kept) == len(accounts):
        names = ", ".join(account.name for account in accounts) or "none"
        raise ConfigError(f"{arguments.account!r} is no account in {path}; there are {names}")
    write_accounts(path, kept)
    print(f"{arguments.account} is removed, and logged out")
    return 0


def _role(before: Account | None, wanted: Role | None, otherwise: Role) -> Role:
    """The role that is asked for, that it had, or the usual one."""
    return wanted or (otherwise if before is None else before.role)


def _may_listen(before: Account | None, wanted: bool | None) -> bool:  # noqa: FBT001 - as the command line has it
    """The right that is asked for, or that it had."""
    return (before is not None and before.may_listen) if wanted is None else wanted


def _write(path: Path, before: Mapping[str, Account], account: Account) -> None:
    write_accounts(path, [*(other for name, other in before.items() if name != account.name), account])


def _asked_password() -> str:
    password = getpass.getpass("new password: ")
    if len(password) < LEAST_PASSWORD_CHARACTERS:
        raise ConfigError(f"a password must have at least {LEAST_PASSWORD_CHARACTERS} characters")
    if password != getpass.getpass("again: "):
        raise ConfigError("the two passwords differ: nothing was changed")
    return password
