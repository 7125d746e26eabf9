"""Opens the service that a `[[notify]]` table names, with what its files hold."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.push.services.server_address import parse_address
from device.runtime.secrets.secret_files import read_line, read_secret, secret_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from device.config.push.notify_settings import NotifySettings
    from device.push.services.push_service import PushService

_FILES = ("address", "token", "user")


def secret_paths(settings: NotifySettings, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """address, token and user -> the file that holds it, of those that are configured or provided by systemd."""
    found = {
        what: secret_path(getattr(settings, f"{what}_file"), f"notify-{settings.name}-{what}", environment)
        for what in _FILES
    }
    return {what: path for what, path in found.items() if path is not None}


def open_service(
    settings: NotifySettings, index: int, *, acknowledge_key: bytes, environment: Mapping[str, str] = os.environ
) -> PushService:
    """The service, ready to send.

    Args:
        settings: the table.
        index: of the table, for the sentence of an error.
        acknowledge_key: secret that proves acknowledgements.
        environment: names the folder of credentials.

    Raises:
        ConfigError: a file is missing, cannot be read, or holds nothing that is valid.
        DeliveryError: the file of authorities cannot be used.
    """
    paths = secret_paths(settings, environment)

    def line(what: str) -> str:
        return read_line(_needed(paths, what, settings, index), ("notify", index, f"{what}_file"))

    match settings.service:
        case "ntfy":
            from device.push.services.ntfy import Ntfy

            address = parse_address(line("address"), _file("address", settings))
            token = line("token") if "token" in paths else None
            key = acknowledge_key if settings.acknowledge else None
            return Ntfy(address, token=token, ca_file=settings.ca_file, key=key)
        case "pushover":
            from device.push.services.pushover import API, Pushover

            api = line("address") if "address" in paths else API
            address = parse_address(api, _file("address", settings))
            return Pushover(address, token=line("token"), user=line("user"), settings=settings)
        case "apprise":
            from device.push.services.apprise_service import AppriseService

            path = _needed(paths, "address", settings, index)
            return AppriseService(read_secret(path, ("notify", index, "address_file")), environment)


def _needed(paths: Mapping[str, Path], what: str, settings: NotifySettings, index: int) -> Path:
    if what in paths:
        return paths[what]
    key = f"{what}_file"
    raise ConfigError(
        f'[[notify]] "{settings.name}" has no "{key}": {settings.service} needs one, or the systemd credential '
        f"notify-{settings.name}-{what}",
        key=("notify", index, key),
    )


def _file(what: str, settings: NotifySettings) -> str:
    return f'the "{what}_file" of [[notify]] "{settings.name}"'
