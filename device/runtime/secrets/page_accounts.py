"""Where the accounts of the page are, and which of them may listen in, without knowing the page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.config.web_settings import WebSettings

CREDENTIAL = "web-accounts"

LISTENS = "+listen-in"
"""Behind the role of an account that may listen in."""

_FILE = "accounts"


def accounts_file(settings: WebSettings, folder: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """The file of accounts: the configured one, the systemd credential, or that in the page's own folder."""
    if settings.accounts_file is not None:
        return Path(settings.accounts_file)
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    if credentials and (Path(credentials) / CREDENTIAL).exists():
        return Path(credentials) / CREDENTIAL
    return folder / _FILE


def who_may_listen(path: Path) -> list[str]:
    """The names of the accounts that may listen in; none if there is no file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no text.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    accounts = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [name for name, rights, *_ in accounts if rights.endswith(LISTENS)]
