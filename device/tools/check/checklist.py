"""All checks, one after the other; each finding is printed as soon as it is made."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from device.alarms.journal.reading import check_location
from device.config.loading import load_config, profile
from device.config.profiles import DEFAULT_PROFILE
from device.errors import ConfigError, ServiceError
from device.findings import Finding, finding_lines
from device.printable import printable
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
    web_folder,
)
from device.runtime.secrets.microphone_login import open_microphone
from device.runtime.secrets.page_accounts import accounts_file
from device.runtime.sockets.sound_socket import sound_socket
from device.runtime.sockets.status_socket import read_status
from device.tools.check import hearing_checks, machine_checks
from device.tools.check.acknowledgement_check import check_acknowledgement, group_members
from device.tools.check.broker_check import check_broker
from device.tools.check.certificate_check import check_certificates
from device.tools.check.check_run import run_check
from device.tools.check.journal_check import check_journal
from device.tools.check.listening_check import check_listening
from device.tools.check.loudness_check import check_loudness, loudest_dbfs
from device.tools.check.metrics_check import check_metrics
from device.tools.check.output_checks import check_clips, check_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import Any, TextIO

    from device.config.microphone.microphone_settings import MicrophoneSettings
    from device.config.settings import Settings
    from device.runtime.daemon_state import DaemonState
    from device.runtime.model_loader import OpenModels

SYSTEM_LOGS = Path("/var/log/auricle")
"""Where the unit file creates the instances' folders for logs."""

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
class CheckedSystem:
    """The machine that the checks inspect; tests simulate one.

    Attributes:
        open_microphone: opens the configured microphone.
        environment: names the user's folders and systemd's credentials.
        root: of the file system, for what the kernel and systemd report.
        logs: folder of the installed instances' logs.
        state: folder of the installed instances' journals and clips.
        pin_factory: gpiozero's; None for this machine's own pins.
        members: returns who is in the group of the installed daemon.
    """

    open_microphone: Callable[[MicrophoneSettings], hearing_checks.CheckedMicrophone] = open_microphone
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    root: Path = ROOT
    logs: Path = SYSTEM_LOGS
    state: Path = SYSTEM_STATE
    pin_factory: Any = None
    members: Callable[[], Collection[str]] = group_members


def check(options: CheckOptions, out: TextIO, system: CheckedSystem | None = None) -> int:
    """Print every finding; returns exit code 1 if a check failed, 0 otherwise, also after warnings.

    Raises:
        ConfigError: there is no such profile, or the instance's name is not valid.
    """
    instance, found_failure = options.instance_name(), False
    if options.config is None:
        profile(options.profile)
    for finding in findings(options, instance, system or CheckedSystem()):
        found_failure |= finding.outcome == "failure"
        for line in finding_lines(finding):
            print(line, file=out, flush=True)
    return _FAILED if found_failure else _OK


def findings(options: CheckOptions, instance: str, system: CheckedSystem) -> Iterator[Finding]:
    """All findings, in the order in which they are printed; no check is skipped because another failed."""
    settings, finding = _settings(options)
    yield finding
    yield from _hearing(settings, instance, system, options.config)
    yield from _delivery(settings, instance, system, options.config)
    yield run_check("clock", lambda: machine_checks.check_clock(root=system.root), "")
    cure = 'correct "time_zone" in [alarms], or install tzdata'
    yield run_check("zone", lambda: machine_checks.check_time_zone(settings), cure, options.config)
    yield run_check("disk", lambda: _disk(settings, instance, system), "")
    yield run_check("temperature", lambda: machine_checks.check_temperature(system.root), "")
    yield run_check("power", machine_checks.check_power, "")
    yield run_check("memory", lambda: machine_checks.check_memory(system.root), "")


def _settings(options: CheckOptions) -> tuple[Settings, Finding]:
    """The configured settings; those of the default profile if the file is not valid, for the other checks."""
    if options.config is None:
        return profile(options.profile), Finding("config", "ok", f"the built-in profile {options.profile}")
    try:
        return load_config(options.config), Finding("config", "ok", f"{printable(options.config)} holds")
    except ConfigError as error:
        cure = f"auricle config --check FILE lists every mistake; below, the profile {DEFAULT_PROFILE} is tried instead"
        return profile(), Finding("config", "failure", str(error), cure)


def _hearing(settings: Settings, instance: str, system: CheckedSystem, config: str | None) -> Iterator[Finding]:
    needed_hz = 0
    with contextlib.ExitStack() as stack:
        opened: list[OpenModels] = []

        def check_models() -> Finding:
            opened.append(stack.enter_context(open_models(settings)))
            return hearing_checks.check_models(opened[0], settings)

        cure = "auricle models verify tries one; install Auricle again if it is damaged"
        finding = run_check("models", check_models, cure, config)
        yield finding
        if finding.outcome == "ok":
            needed_hz = max(model.sample_rate_hz for model in opened[0].listed)
            yield run_check("speed", lambda: hearing_checks.check_speed(opened[0], settings), "")
    cure = "auricle devices lists the microphones that are there, and what to write for each"
    loudest: list[float | None] = []
    yield run_check("microphone", lambda: _microphone(settings, instance, system, needed_hz, loudest), cure)
    if settings.loudness.is_on:
        now_dbfs = loudest[0] if loudest else None
        yield run_check("loudness", lambda: check_loudness(settings.loudness, now_dbfs), "")


def _microphone(
    settings: Settings, instance: str, system: CheckedSystem, needed_hz: int, loudest: list[float | None]
) -> Finding:
    """Check the microphone, and add to a list how loud the room is."""
    state = _running(instance, system)
    if state is not None:
        loudest.append(state.level_dbfs)
        return hearing_checks.check_microphone_of_daemon(state)
    recorded = hearing_checks.record(system.open_microphone(settings.microphone))
    loudest.append(loudest_dbfs(recorded))
    return hearing_checks.check_microphone(recorded, needed_hz=needed_hz, gates_to_zero=settings.deafness.gates_to_zero)


def _delivery(settings: Settings, instance: str, system: CheckedSystem, config: str | None) -> Iterator[Finding]:
    state = _running(instance, system)
    yield run_check(
        "journal", lambda: _journal(settings, instance, system, state), "look at the disk; dmesg may tell more"
    )
    cure = "correct [mqtt], or ask as whoever runs the daemon, as with sudo -u auricle"
    days = settings.status.certificate_days
    yield run_check(
        "broker",
        lambda: check_broker(settings.mqtt, instance, state, system.environment, certificate_days=days),
        cure,
        config,
    )
    yield run_check("certificates", lambda: check_certificates(settings, time.time()), "", config)
    yield run_check("pins", lambda: check_pins(settings.gpio, state, system.pin_factory), "")
    by_unit = (system.root / _UNIT).exists()
    yield run_check("acknowledge", lambda: check_acknowledgement(settings, by_unit=by_unit, members=system.members), "")
    yield run_check("metrics", lambda: check_metrics(settings.status, instance, state), "")
    yield run_check("listening", lambda: _listening(settings, instance, system, state), "")
    yield run_check("clips", lambda: check_clips(settings.clips, _clips_folder(settings, instance, system)), "")


def _running(instance: str, system: CheckedSystem) -> DaemonState | None:
    """State of the daemon of this name; None if it does not run."""
    with contextlib.suppress(ServiceError):
        return read_status(_status_socket(instance, system))
    return None


def _status_socket(instance: str, system: CheckedSystem) -> Path:
    return status_sockets(system.environment).get(instance) or status_socket(instance, system.environment)


def _listening(settings: Settings, instance: str, system: CheckedSystem, state: DaemonState | None) -> Finding:
    socket = sound_socket(_status_socket(instance, system))
    folder = web_folder(instance, system.environment)
    accounts = accounts_file(settings.web, folder, system.environment)
    return check_listening(settings.web, instance, state, socket=socket, accounts=accounts)


def _disk(settings: Settings, instance: str, system: CheckedSystem) -> Finding:
    log = settings.log
    path = None if log.file is None else _log_path(log.file, instance, system)
    return machine_checks.check_log(path, round(log.max_mb * 1e6) * (log.keep + 1))


def _log_path(file: str, instance: str, system: CheckedSystem) -> Path:
    if file != "auto":
        return Path(file)
    return _data_path(system.logs / instance, log_file(instance, system.environment), system)


def _journal(settings: Settings, instance: str, system: CheckedSystem, state: DaemonState | None) -> Finding:
    file, path = settings.journal.file, None
    if file == "auto":
        path = _data_path(system.state / instance, journal_file(instance, system.environment), system)
    elif file is not None:
        path = Path(file)
        check_location(path)
    return check_journal(path, round(settings.journal.max_mb * 1e6), state)


def _clips_folder(settings: Settings, instance: str, system: CheckedSystem) -> Path:
    if settings.clips.folder != "auto":
        return Path(settings.clips.folder)
    return _data_path(system.state / instance, clips_folder(instance, system.environment), system)


def _data_path(installed: Path, own: Path, system: CheckedSystem) -> Path:
    """The unit's folder for this instance if it is installed; otherwise the user's own."""
    return installed / own.name if installed.is_dir() or (system.root / _UNIT).exists() else own
