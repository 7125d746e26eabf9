"""Whether the pins can be driven, and whether clips of alarms can be written."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.findings import Finding
from device.sinks.clips.clip_store import RESERVED_BYTES
from device.sinks.gpio.pins import Gpio, named_pins
from device.tools.check.check_run import AS_THE_DAEMON
from device.tools.check.disk_space import check_disk_space

if TYPE_CHECKING:
    from device.config.settings import ClipSettings, GpioSettings
    from device.runtime.daemon_state import DaemonState


def check_pins(settings: GpioSettings, state: DaemonState | None, factory: Any = None) -> Finding:
    """Whether the configured pins can be opened; they are driven low for a moment.

    Args:
        settings: of the pins.
        state: of the running daemon, which holds the pins; None if none runs.
        factory: gpiozero's; None for this machine's own pins.
    """
    named = ", ".join(f"GPIO {number} ({name})" for name, number in named_pins(settings).items())
    if not named:
        return Finding("pins", "ok", "none is named in [gpio]")
    if state is not None:
        summary = f"the daemon that runs (process {state.pid}) holds {named}; where it could not have one, it said so"
        return Finding("pins", "ok", summary)
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        gpio = Gpio(settings, on_acknowledge=_nothing, on_pause=_nothing, work_folder=Path(folder), factory=factory)
        with gpio:
            problem = gpio.problem
    if problem is None:
        return Finding("pins", "ok", f"{named} can be had")
    cure = "look for what else uses these pins, with gpioinfo; where this is no Raspberry Pi, leave [gpio] out"
    return Finding("pins", "failure", problem, cure)


def _nothing() -> None:
    """Ignore a button that is pressed meanwhile."""


def check_clips(settings: ClipSettings, folder: Path) -> Finding:
    """Whether sound and pictures of alarms can be stored, if they are enabled."""
    if not settings.enabled:
        return Finding("clips", "ok", "no sound is kept")
    if importlib.util.find_spec("soundfile") is None:
        return Finding("clips", "failure", "soundfile is not installed, which clips need", "install auricle[device]")
    try:
        left_bytes = max(0, round(settings.max_mb * 1e6) - _clip_bytes(folder)) + RESERVED_BYTES
    except PermissionError:
        return Finding("clips", "failure", f"the folder of clips {folder} is closed to this user", AS_THE_DAEMON)
    cure = "make room, or set a smaller max_mb in [clips]; a clip without room is not kept, alarms are published"
    return check_disk_space("clips", f"the folder of clips {folder}", folder, needed_bytes=left_bytes, cure=cure)


def _clip_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.*") if file.is_file())
