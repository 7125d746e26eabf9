"""Addresses, tokens and keys from files or systemd credentials; what they hold stands in no sentence."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.file_errors import unreadable
from device.config.push.notify_settings import CREDENTIAL
from device.errors import ConfigError
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.config.key_lines import KeyPath

MOST_BYTES = 16384


def secret_path(configured: str | None, credential: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file that is configured, else the systemd credential of that name; None if there is neither."""
    if configured is not None and configured != CREDENTIAL:
        return Path(configured)
    folder = environment.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / credential if folder else None
    return path if path is not None and path.exists() else None


def read_secret(path: Path, key: KeyPath) -> str:
    """The content of a file without white space around it.

    Args:
        path: of the file.
        key: that names it.

    Raises:
        ConfigError: it cannot be read, is open to everybody, or is empty or no text.
    """
    where = f"the file {printable(str(path))}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise ConfigError(unreadable(key, path, error), key=key) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{where} is no regular file: name one", key=key)
        if status.st_mode & stat.S_IRWXO:
            raise ConfigError(f"{where} is open to everybody on this machine: chmod o-rwx closes it", key=key)
        data = os.read(descriptor, MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    return _text(data, where, key)


def read_line(path: Path, key: KeyPath) -> str:
    """As `read_secret`, of one line."""
    text = read_secret(path, key)
    if "\n" in text or not text.isprintable():
        raise ConfigError(f"the file {printable(str(path))} must hold one line", key=key)
    return text


def _text(data: bytes, where: str, key: KeyPath) -> str:
    if len(data) > MOST_BYTES:
        raise ConfigError(f"{where} holds more than {MOST_BYTES // 1024} KiB", key=key)
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{where} is no UTF-8 text: save it as that", key=key) from None
    if not text or "\0" in text:
        raise ConfigError(f"{where} is empty", key=key)
    return text
