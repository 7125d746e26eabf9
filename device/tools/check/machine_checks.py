"""Whether the machine itself is fit: its clock, disk, heat, power and memory. Knows no sound.

Where the kernel tells of it is under a root that is handed in, so that a machine can be made up.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

from device.runtime.kernel_clock import ROOT, kernel_clock_is_synchronized, timesyncd_has_set_it
from device.tools.check.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

WARM_C, HOT_C = 75.0, 85.0
"""A Pi slows down from 80 degrees on, and much from 85 on."""

SPARE_BYTES = 50_000_000
LEAST_BYTES = 10_000_000

TIGHT_BYTES, FULL_BYTES = 250_000_000, 100_000_000
"""A daemon takes about 80 MB; what else runs needs some."""

_ANSWER_S = 5.0
_NOW, _SINCE_BOOT = 0xF, 0xF0000
_UNDER_VOLTAGE = 0x10001
_THROTTLED = re.compile(r"throttled=0x([0-9a-fA-F]+)")


def clock(is_synchronized: Callable[[], bool] = kernel_clock_is_synchronized, root: Path = ROOT) -> Finding:
    """Whether the times of day that are told can be believed; what is heard hangs on no clock."""
    if timesyncd_has_set_it(root) or is_synchronized():
        return Finding("clock", "ok", "it is set by the network")
    has_rtc = any((root / "sys/class/rtc").glob("rtc*"))
    kept = "a hardware clock keeps it while the power is off" if has_rtc else "no hardware clock keeps it"
    says = f"nothing sets it, {kept}: what is heard hangs on no clock, but its time of day may be wrong"
    return Finding("clock", "warning", says, "bring the machine to the network, then see `timedatectl`")


def disk(log: Path | None, needed_bytes: int) -> Finding:
    """Whether the log can be written, and has room to grow as large as it may.

    Args:
        log: its file; None where none is kept.
        needed_bytes: that all its files take at most.
    """
    if log is None:
        return Finding("disk", "ok", 'no log is kept: "file" in [log] is "off"')
    do = "make room, or set a smaller max_mb or keep in [log]"
    return room("disk", f"the log {log}", log.parent, needed_bytes=needed_bytes, do=do)


def room(name: str, what: str, folder: Path, *, needed_bytes: int, do: str) -> Finding:
    """Whether a file can be written, and may grow as large as it may.

    Args:
        name: of the check.
        what: is to be written, with its path.
        folder: where; one that is missing will be made.
        needed_bytes: that it still takes at most.
        do: what helps where there is no room.
    """
    folder = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"auricle")
    except OSError as error:
        says = f"{what} cannot be written: {error.strerror or error}"
        return Finding(name, "failure", says, _writable(folder))
    free_bytes = shutil.disk_usage(folder).free
    says = f"{what} can be written; {free_bytes / 1e6:.0f} MB are free, it takes at most {needed_bytes / 1e6:.0f}"
    if free_bytes < LEAST_BYTES:
        return Finding(name, "failure", says, do)
    if free_bytes < needed_bytes + SPARE_BYTES:
        return Finding(name, "warning", says, do)
    return Finding(name, "ok", says)


def temperature(root: Path = ROOT) -> Finding:
    """Whether it is cool enough to keep up on a warm night."""
    degrees = [value for zone in (root / "sys/class/thermal").glob("thermal_zone*/temp") if (value := _celsius(zone))]
    if not degrees:
        return Finding("temperature", "ok", "this machine does not tell how warm it is")
    hottest = max(degrees)
    says, do = f"{hottest:.0f} degrees Celsius", "give it air or a heat sink, and take it out of the sun"
    if hottest >= HOT_C:
        return Finding("temperature", "failure", f"{says}: it slows down so much that it may not keep up", do)
    if hottest >= WARM_C:
        return Finding("temperature", "warning", f"{says}: a Pi slows down from 80 on", do)
    return Finding("temperature", "ok", says)


def answer_of(command: Sequence[str]) -> str | None:
    """What a program prints; None where there is none, or it does not end well."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=True)  # noqa: S603 - our own fixed commands
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def power(answer: Callable[[Sequence[str]], str | None] = answer_of) -> Finding:
    """Whether a Pi's firmware had to slow it down, by its own account."""
    told = _THROTTLED.search(answer(["vcgencmd", "get_throttled"]) or "")
    if told is None:
        return Finding("power", "ok", "this machine does not tell whether its power suffices")
    flags = int(told[1], 16)
    weak = bool(flags & _UNDER_VOLTAGE)
    when = "now" if flags & _NOW else "since it was started"
    if not flags & (_NOW | _SINCE_BOOT):
        return Finding("power", "ok", "its voltage held and it was never slowed down")
    if weak:
        do = "use the power supply made for this Pi, and a short thick cable"
        return Finding("power", "warning", f"its voltage fell too low {when}, a microphone may fail with it", do)
    return Finding("power", "warning", f"it was slowed down by heat {when}", "give it air or a heat sink")


def memory(root: Path = ROOT) -> Finding:
    """Whether a daemon finds room beside what runs already."""
    told = re.search(r"^MemAvailable:\s+(\d+) kB$", (root / "proc/meminfo").read_text(), re.MULTILINE)
    if told is None:
        return Finding("memory", "ok", "this machine does not tell what is left")
    free_bytes = int(told[1]) * 1024
    says, do = f"{free_bytes / 1e6:.0f} MB are available, a daemon takes about 80", "stop what else runs here"
    if free_bytes < FULL_BYTES:
        return Finding("memory", "failure", says, do)
    return Finding("memory", "warning", says, do) if free_bytes < TIGHT_BYTES else Finding("memory", "ok", says)


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that there is."""
    return next(there for there in (folder, *folder.absolute().parents) if there.is_dir())


def _writable(folder: Path) -> str:
    if os.access(folder, os.W_OK):
        return f"look at the disk under {folder}: it may be full, or have turned read-only; dmesg tells"
    return f"ask as whoever runs the daemon, as with sudo -u auricle; {folder} is not this user's"


def _celsius(zone: Path) -> float | None:
    """None for a zone that does not tell, as some do."""
    try:
        return int(zone.read_text()) / 1000
    except (OSError, ValueError):
        return None
