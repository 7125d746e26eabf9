"""Every check, one after the other, each told as soon as it is known."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from device.alarms.journal.reading import check_location
from device.config.loading import load_config, profile
from device.config.profiles import DEFAULT_PROFILE
from device.config.toml_text import printable
from device.errors import ConfigError, ServiceError
from device.runtime.kernel_clock import ROOT
from device.runtime.model_loader import open_models
from device.runtime.paths import (
    SYSTEM_STATE,
    clips_folder,
    instance_name,
    journal_file,
    log_file,
    status_socket,
    status_sockets,
)
from device.runtime.status_socket import read_status
from device.sources.microphone import Microphone
from device.tools.check import delivery_checks, hearing_checks, machine_checks
from device.tools.check.finding import Finding, finding_lines, tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, TextIO

    from device.config.settings import MicrophoneSettings, Settings
    from device.runtime.daemon_state import DaemonState
    from device.runtime.model_loader import OpenModels

SYSTEM_LOGS = Path("/var/log/auricle")
"""Where the unit file makes the instances' folders for logs."""

_UNIT = "etc/systemd/system/auricle@.service"
_OK, _FAILED = 0, 1


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to check.

    Attributes:
        config: a TOML file; None for a built-in profile.
        profile: name of the profile if there is no file.
        instance: name of the daemon; None for that of the file, or of the profile.
    """

    config: str | None = None
    profile: str = DEFAULT_PROFILE
    instance: str | None = None

    def instance_name(self) -> str:
        """Name of the daemon.

        Raises:
            ConfigError: the name is not valid.
        """
        return instance_name(self.instance, config=self.config, profile=self.profile)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at; another one makes up a machine."""

    open_microphone: Callable[[MicrophoneSettings], hearing_checks.Recorder] = Microphone
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    root: Path = ROOT
    logs: Path = SYSTEM_LOGS
    kept: Path = SYSTEM_STATE
    pin_factory: Any = None


def check(options: CheckOptions, out: TextIO, surroundings: Surroundings | None = None) -> int:
    """Print every finding; 0 where nothing fails, warnings included, 1 where something does.

    Raises:
        ConfigError: no profile, or no instance, can have the name that was given.
    """
    instance, found_failure = options.instance_name(), False
    if options.config is None:
        profile(options.profile)
    for finding in findings(options, instance, surroundings or Surroundings()):
        found_failure |= finding.verdict == "failure"
        for line in finding_lines(finding):
            print(line, file=out, flush=True)
    return _FAILED if found_failure else _OK


def findings(options: CheckOptions, instance: str, around: Surroundings) -> Iterator[Finding]:
    """All of them, in the order in which they are told; none is skipped because another failed."""
    settings, finding = _settings(options)
    yield finding
    yield from _hearing(settings, instance, around)
    yield from _telling(settings, instance, around)
    yield tried("clock", lambda: machine_checks.clock(root=around.root), "")
    yield tried("zone", lambda: delivery_checks.zone(settings), 'correct "time_zone" in [alarms], or install tzdata')
    yield tried("disk", lambda: _disk(settings, instance, around), "")
    yield tried("temperature", lambda: machine_checks.temperature(around.root), "")
    yield tried("power", machine_checks.power, "")
    yield tried("memory", lambda: machine_checks.memory(around.root), "")


def _settings(options: CheckOptions) -> tuple[Settings, Finding]:
    """What is configured; where that does not hold, the default profile, so that the rest can be tried."""
    if options.config is None:
        return profile(options.profile), Finding("config", "ok", f"the built-in profile {options.profile}")
    try:
        return load_config(options.config), Finding("config", "ok", f"{printable(options.config)} holds")
    except ConfigError as error:
        do = f"correct it; below, the profile {DEFAULT_PROFILE} is tried instead"
        return profile(), Finding("config", "failure", str(error), do)


def _hearing(settings: Settings, instance: str, around: Surroundings) -> Iterator[Finding]:
    needed_hz = 0
    with contextlib.ExitStack() as closing:
        opened: list[OpenModels] = []

        def try_models() -> Finding:
            opened.append(closing.enter_context(open_models(settings)))
            return hearing_checks.models(opened[0], settings)

        finding = tried("models", try_models, "auricle models verify tries one; install Auricle again if it is damaged")
        yield finding
        if finding.verdict == "ok":
            needed_hz = max(model.sample_rate_hz for model in opened[0].listed)
            yield tried("speed", lambda: hearing_checks.speed(opened[0], settings), "")
    do = "auricle devices lists the microphones that are there, and what to write for each"
    yield tried("microphone", lambda: _microphone(settings, instance, around, needed_hz), do)


def _microphone(settings: Settings, instance: str, around: Surroundings, needed_hz: int) -> Finding:
    state = _running(instance, around)
    if state is not None:
        return hearing_checks.held_by_daemon(state)
    recorded = hearing_checks.record(around.open_microphone(settings.microphone))
    return hearing_checks.microphone(recorded, needed_hz=needed_hz, gates_to_zero=settings.deafness.gates_to_zero)


def _telling(settings: Settings, instance: str, around: Surroundings) -> Iterator[Finding]:
    state = _running(instance, around)
    yield tried("journal", lambda: _journal(settings, instance, around, state), "look at the disk; dmesg may tell more")
    do = "correct [mqtt], or ask as whoever runs the daemon, as with sudo -u auricle"
    yield tried("broker", lambda: delivery_checks.broker(settings.mqtt, instance, state, around.environment), do)
    yield tried("pins", lambda: delivery_checks.pins(settings.gpio, state, around.pin_factory), "")
    yield tried("clips", lambda: delivery_checks.clips(settings.clips, _clips_folder(settings, instance, around)), "")


def _running(instance: str, around: Surroundings) -> DaemonState | None:
    """What the daemon of this name tells, if it runs."""
    sockets = status_sockets(around.environment)
    with contextlib.suppress(ServiceError):
        return read_status(sockets.get(instance) or status_socket(instance, around.environment))
    return None


def _disk(settings: Settings, instance: str, around: Surroundings) -> Finding:
    log = settings.log
    path = None if log.file is None else _log_path(log.file, instance, around)
    return machine_checks.disk(path, round(log.max_mb * 1e6) * (log.keep + 1))


def _log_path(file: str, instance: str, around: Surroundings) -> Path:
    if file != "auto":
        return Path(file)
    return _usual(around.logs / instance, log_file(instance, around.environment), around)


def _journal(settings: Settings, instance: str, around: Surroundings, state: DaemonState | None) -> Finding:
    file, path = settings.journal.file, None
    if file == "auto":
        path = _usual(around.kept / instance, journal_file(instance, around.environment), around)
    elif file is not None:
        path = Path(file)
        check_location(path)
    return delivery_checks.journal(path, round(settings.journal.max_mb * 1e6), state)


def _clips_folder(settings: Settings, instance: str, around: Surroundings) -> Path:
    if settings.clips.folder != "auto":
        return Path(settings.clips.folder)
    return _usual(around.kept / instance, clips_folder(instance, around.environment), around)


def _usual(installed: Path, own: Path, around: Surroundings) -> Path:
    """Where the unit puts it, where there is one; else under the user's own folders."""
    return installed / own.name if installed.is_dir() or (around.root / _UNIT).exists() else own
