"""How what the settings name is captured: by which process, what that is told, and how long it may be silent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from device.config.microphone.stream_address import shown_address, with_login
from device.errors import MicrophoneError
from device.sources.capture_process import capture_command
from device.sources.device_match import parse_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.config.microphone.microphone_settings import MicrophoneSettings

_AUTHORITIES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora
)


@dataclass(frozen=True, slots=True)
class MicrophoneTimeouts:
    """How long a microphone may be silent, and how soon it is opened again.

    Attributes:
        quiet_s: after this long without sound a `NoAudio` is yielded, and again after each further such time.
        hung_s: after this long without sound it is opened again.
        opening_s: as `hung_s`, until the device is open.
        backoff_s: from one failure to the next attempt; doubled each time it fails again.
        max_backoff_s: longest time between attempts.
        steady_s: after this long with sound the backoff starts anew.
    """

    quiet_s: float = 0.24
    hung_s: float = 1.5
    opening_s: float = 3.0
    backoff_s: float = 0.2
    max_backoff_s: float = 5.0
    steady_s: float = 5.0


STREAM_TIMEOUTS = MicrophoneTimeouts(hung_s=2.5, opening_s=12.0)
"""A network may pause for longer than a sound card, though for less than the 3 s after which sound is held to have
ended; names, logins and a camera that wakes take their time."""


@dataclass(frozen=True, slots=True)
class CaptureStart:
    """What one start of the capture process needs.

    Attributes:
        line: for its standard input, where nobody else can read it; empty for none.
        secrets: what must stand in no sentence.
    """

    line: bytes = b""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CapturePlan:
    """How one microphone or stream is captured.

    Attributes:
        name: for people, until the process says another.
        command: of the process.
        start: called before each start of it.
        timeouts: how long it may be silent.
        what_hangs: what else may be at fault where no sound comes.
    """

    name: str
    command: tuple[str, ...]
    start: Callable[[], CaptureStart] = CaptureStart
    timeouts: MicrophoneTimeouts = MicrophoneTimeouts()
    what_hangs: str = "its sound server"


def capture_plan(settings: MicrophoneSettings, read_password: Callable[[], str | None]) -> CapturePlan:
    """The plan for a microphone or a stream.

    Args:
        settings: what to capture.
        read_password: called before each start of a stream; raises ConfigError.

    Raises:
        MicrophoneError: the settings can name neither.
    """
    if not settings.is_stream:
        parse_device(settings.device)
        options = {name: getattr(settings, name) for name in ("device", "channel", "sample_rate_hz")}
        return CapturePlan(settings.device, (*capture_command("capture"), json.dumps(options)))
    conflict = settings.conflict()
    if conflict is not None:
        raise MicrophoneError(conflict[1])
    return CapturePlan(
        shown_address(settings.device),
        tuple(capture_command(module="streams.stream_capture")),
        partial(_stream_start, settings, read_password),
        STREAM_TIMEOUTS,
        "its network",
    )


def _stream_start(settings: MicrophoneSettings, read_password: Callable[[], str | None]) -> CaptureStart:
    password = read_password()
    options = {
        "address": with_login(settings.device, settings.username, password),
        "name": shown_address(settings.device),
        "channel": settings.channel,
        "ca_file": settings.ca_file or next((str(path) for path in _AUTHORITIES if path.exists()), None),
    }
    secrets = () if not password else (password, quote(password, safe=""))
    return CaptureStart(json.dumps(options).encode() + b"\n", secrets)
