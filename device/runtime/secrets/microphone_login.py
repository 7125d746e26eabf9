"""Opens the configured microphone or stream, with the password of the stream from its file."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from device.config.file_errors import key_is, unreadable
from device.config.microphone.stream_address import PASSWORD, has_place
from device.errors import ConfigError
from device.printable import printable
from device.runtime.secrets.secret_files import read_line, secret_path
from device.sources.capture_plan import capture_plan
from device.sources.microphone import Microphone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.config.microphone.microphone_settings import MicrophoneSettings

CREDENTIAL_NAME = "microphone-password"
"""Name of the systemd credential that holds the password."""

_KEY = ("microphone", "password_file")
_CA_KEY = ("microphone", "ca_file")


def open_microphone(settings: MicrophoneSettings, environment: Mapping[str, str] = os.environ) -> Microphone:
    """The microphone or stream, which opens itself when it is read.

    Raises:
        MicrophoneError: the settings can name none.
    """
    return Microphone(capture_plan(settings, partial(stream_password, settings, environment)), settings.channel)


def check_stream(settings: MicrophoneSettings, environment: Mapping[str, str] = os.environ) -> None:
    """See whether the files that a stream needs can be used.

    Raises:
        ConfigError: the password or the authorities cannot be read.
    """
    stream_password(settings, environment)
    check_authorities(settings)


def check_authorities(settings: MicrophoneSettings) -> None:
    """See whether the authorities that may vouch for a stream can be used.

    Raises:
        ConfigError: the file cannot be read, or holds none.
    """
    if not settings.is_stream or settings.ca_file is None:
        return
    import ssl  # 3 MB, for this alone

    try:
        ssl.create_default_context(cafile=settings.ca_file)
    except ssl.SSLError:
        why = "which holds no authority's certificate; name the PEM file of the authority that signed the stream's"
        raise ConfigError(f"{key_is(_CA_KEY, settings.ca_file)}, {why}", key=_CA_KEY) from None
    except OSError as error:
        raise ConfigError(unreadable(_CA_KEY, settings.ca_file, error), key=_CA_KEY) from None


def stream_password(settings: MicrophoneSettings, environment: Mapping[str, str] = os.environ) -> str | None:
    """The password of the stream from the file that is configured, else from the systemd credential; None without.

    Raises:
        ConfigError: the file cannot be read, is open to everybody, or holds no password; or one is missing.
    """
    if not settings.is_stream:
        return None
    path = secret_path(settings.password_file, CREDENTIAL_NAME, environment)
    if path is not None:
        if settings.username is None and not has_place(settings.device):
            raise ConfigError(f"[microphone] has a password, {printable(str(path))}, but no username: set it", key=_KEY)
        return read_line(path, _KEY)
    if PASSWORD in settings.device:
        raise ConfigError(f'[microphone] has no password for {PASSWORD} in "device": set "password_file"', key=_KEY)
    return None
