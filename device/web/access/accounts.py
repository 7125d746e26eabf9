"""The accounts of people and programs: a file of lines `NAME ROLE PROOF`, which holds no password and no token.

A viewer may look; an operator may also command. Either may also listen in if `+listen-in` follows its role.
The file is read again when it has changed, so an account that is taken out of it is out at once.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from device.errors import ConfigError
from device.printable import printable
from device.runtime.secrets.page_accounts import LISTENS
from device.web.access.proofs import is_password, is_password_proof, is_token, is_token_proof, password_proof

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Role = Literal["viewer", "operator"]
ROLES: tuple[Role, ...] = ("viewer", "operator")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_HEAD = (
    "# Accounts of auricle web: name, role (viewer or operator, perhaps with +listen-in), and the proof of a password "
    "or token.\n"
)
_FILE_MODE = 0o600
_MOST_BYTES = 1 << 16
_NOBODY = password_proof("")  # computed where no account has the name, so that the time tells nothing


@dataclass(frozen=True, slots=True)
class Account:
    """One person, or one program.

    Attributes:
        name: unique among all.
        role: what it may do.
        proof: of its password or token; see `proofs`.
        may_listen: whether it may also listen in.
    """

    name: str
    role: Role
    proof: str
    may_listen: bool = False

    @property
    def rights(self) -> str:
        """Its role, and whether it may listen in, as the file and people have it."""
        return f"{self.role}{LISTENS if self.may_listen else ''}"

    @property
    def is_program(self) -> bool:
        """Whether it has a token, and not a password."""
        return is_token_proof(self.proof)


def checked_name(name: str) -> str:
    """The name of an account.

    Raises:
        ConfigError: it is not valid.
    """
    if _NAME.fullmatch(name):
        return name
    raise ConfigError(f"{name!r} cannot name an account, it must be 1 to 32 of A-Z, a-z, 0-9, ., _ and -, as anna")


def read_accounts(path: Path) -> tuple[Account, ...]:
    """All accounts of a file; none if it does not exist.

    Raises:
        ConfigError: it cannot be read, or a line of it is no account.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1).decode("utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"the accounts in {printable(str(path))} cannot be read: {why}") from None
    if len(text) > _MOST_BYTES:
        raise ConfigError(f"{printable(str(path))} has more than {_MOST_BYTES} bytes: it holds no accounts")
    accounts = [_parsed(line, number, path) for number, line in enumerate(text.splitlines(), 1) if _counts(line)]
    names = [account.name for account in accounts]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"{printable(str(path))} has the account {twice[0]} twice: remove one of them")
    return tuple(accounts)


def write_accounts(path: Path, accounts: Iterable[Account]) -> None:
    """Replace the file, which its owner alone may read; it belongs to whom its folder belongs.

    Raises:
        ConfigError: it cannot be written.
    """
    lines = [f"{account.name} {account.rights} {account.proof}\n" for account in accounts]
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
            file.write(_HEAD + "".join(lines))
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise ConfigError(f"the accounts cannot be written to {printable(str(path))}: {error.strerror}") from None


class AccountBook:
    """The accounts of a file, read again whenever it has changed.

    A file that became unreadable or malformed leaves nobody in: a broken lock does not open the door.

    Args:
        path: of the file.

    Attributes:
        problem: why nobody is let in at present; empty if the file is sound.

    Raises:
        ConfigError: the file cannot be read, or is malformed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _identity(path)
        self._accounts = read_accounts(path)
        self.problem = ""

    def __repr__(self) -> str:
        return f"AccountBook({str(self._path)!r}, {len(self._accounts)} accounts)"

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts as the file is now."""
        seen = _identity(self._path)
        if seen != self._seen:
            self._seen = seen
            try:
                self._accounts, self.problem = read_accounts(self._path), ""
            except ConfigError as error:
                self._accounts, self.problem = (), str(error)
        return self._accounts

    @property
    def is_open(self) -> bool:
        """Whether there is no account at all, and none was lost by damage."""
        return not self.accounts and not self.problem

    def named(self, name: str) -> Account | None:
        """The account of that name; None if there is none."""
        return next((account for account in self.accounts if account.name == name), None)

    def by_password(self, name: str, password: str) -> Account | None:
        """The person with this name and password; None if there is none. Takes a quarter of a second in any case."""
        account = self.named(name)
        proof = account.proof if account is not None and not account.is_program else _NOBODY
        matches = is_password(password, proof)
        return account if matches and account is not None and not account.is_program else None

    def by_token(self, token: str) -> Account | None:
        """The program with this token; None if there is none."""
        return next((account for account in self.accounts if is_token(token, account.proof)), None)


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file is replaced or written."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _parsed(line: str, number: int, path: Path) -> Account:
    where = f"{printable(str(path))}, line {number}"
    name, rights, proof = (*line.split(), "", "", "")[:3]
    match rights.removesuffix(LISTENS):
        case "viewer" | "operator" as role if len(line.split()) == 3 and _NAME.fullmatch(name):
            if is_password_proof(proof) or is_token_proof(proof):
                return Account(name, role, proof, rights.endswith(LISTENS))
            raise ConfigError(f"{where}: {name} has no valid proof of a password; auricle web password makes one")
    raise ConfigError(f"{where} is no account: it must be a name, viewer or operator, and a proof")
