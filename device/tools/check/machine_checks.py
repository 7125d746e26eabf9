"""Whether the machine itself is fit: its clock, time zone, disk, temperature, power and memory. Knows no sound.

The files of the kernel are read below a root that is passed in, so that tests can simulate a machine.
"""

from __future__ import annotations

import re
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING

from device.findings import Finding
from device.quantity import megabytes_are
from device.runtime.clocks import zone_of
from device.runtime.kernel_clock import ROOT, kernel_clock_is_synchronized, timesyncd_has_set_it
from device.runtime.metrics.machine_figures import hottest_celsius
from device.tools.check.disk_space import check_disk_space

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from device.config.settings import Settings

WARM_C, HOT_C = 75.0, 85.0
"""A Pi throttles its processor from 80 degrees on, and much more from 85 on."""

TIGHT_BYTES, FULL_BYTES = 250_000_000, 100_000_000
"""A daemon takes about 80 MB; other processes need some too."""

_TIMEOUT_S = 5.0
_NOW, _SINCE_BOOT = 0xF, 0xF0000
_UNDER_VOLTAGE = 0x10001
_THROTTLED = re.compile(r"throttled=0x([0-9a-fA-F]+)")


def check_clock(is_synchronized: Callable[[], bool] = kernel_clock_is_synchronized, root: Path = ROOT) -> Finding:
    """Whether published times of day are right; detection depends on no clock."""
    if timesyncd_has_set_it(root) or is_synchronized():
        return Finding("clock", "ok", "it is set by the network")
    has_rtc = any((root / "sys/class/rtc").glob("rtc*"))
    backup = "a hardware clock keeps it while the power is off" if has_rtc else "no hardware clock keeps it"
    summary = f"nothing sets it, {backup}: what is heard hangs on no clock, but its time of day may be wrong"
    return Finding("clock", "warning", summary, "bring the machine to the network, then see `timedatectl`")


def check_time_zone(settings: Settings, now: datetime | None = None) -> Finding:
    """Which time zone quiet hours and daily times are in.

    Args:
        settings: with the times and the zone.
        now: with a zone; None to read the clock.

    Raises:
        ConfigError: there is no such zone.
    """
    local = (now or datetime.now().astimezone()).astimezone(zone_of(settings.alarms.time_zone))
    zone = settings.alarms.time_zone or "this machine's zone"
    times = [f"quiet hours {settings.alarms.quiet_hours}"] if settings.alarms.quiet_hours else []
    times += [f"self-test at {settings.self_test.daily_at}"] if settings.self_test.daily_at else []
    summary = f"{' and '.join(times) or 'no time of day'} by {zone}, where it is {local:%H:%M} ({local:%Z})"
    if settings.alarms.quiet_hours and settings.alarms.time_zone is None and not local.utcoffset():
        cure = 'set "time_zone" in [alarms], as to "Europe/Berlin", or the machine\'s with timedatectl set-timezone'
        return Finding("zone", "warning", f"{summary}: is that the time on your wall?", cure)
    return Finding("zone", "ok", summary)


def check_log(log: Path | None, needed_bytes: int) -> Finding:
    """Whether the log can be written, and has room to grow to its largest size.

    Args:
        log: its file; None if none is configured.
        needed_bytes: of all its files at most.
    """
    if log is None:
        return Finding("disk", "ok", 'no log is kept: "file" in [log] is "off"')
    cure = "make room, or set a smaller max_mb or keep in [log]"
    return check_disk_space("disk", f"the log {log}", log.parent, needed_bytes=needed_bytes, cure=cure)


def check_temperature(root: Path = ROOT) -> Finding:
    """Whether the machine is cool enough to keep up on a warm night."""
    hottest = hottest_celsius(root)
    if hottest is None:
        return Finding("temperature", "ok", "this machine does not tell how warm it is")
    summary, cure = f"{hottest:.0f} degrees Celsius", "give it air or a heat sink, and take it out of the sun"
    if hottest >= HOT_C:
        return Finding("temperature", "failure", f"{summary}: it slows down so much that it may not keep up", cure)
    if hottest >= WARM_C:
        return Finding("temperature", "warning", f"{summary}: a Pi slows down from 80 on", cure)
    return Finding("temperature", "ok", summary)


def output_of(command: Sequence[str]) -> str | None:
    """What a program prints; None if it is not installed, or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)  # noqa: S603 - our own fixed commands
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def check_power(run: Callable[[Sequence[str]], str | None] = output_of) -> Finding:
    """Whether a Pi's firmware reports throttling or under-voltage."""
    found = _THROTTLED.search(run(["vcgencmd", "get_throttled"]) or "")
    if found is None:
        return Finding("power", "ok", "this machine does not tell whether its power suffices")
    flags = int(found[1], 16)
    weak = bool(flags & _UNDER_VOLTAGE)
    when = "now" if flags & _NOW else "since it was started"
    if not flags & (_NOW | _SINCE_BOOT):
        return Finding("power", "ok", "its voltage held and it was never slowed down")
    if weak:
        cure = "use the power supply made for this Pi, and a short thick cable"
        return Finding("power", "warning", f"its voltage fell too low {when}, a microphone may fail with it", cure)
    return Finding("power", "warning", f"it was slowed down by heat {when}", "give it air or a heat sink")


def check_memory(root: Path = ROOT) -> Finding:
    """Whether enough memory is free for a daemon."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", (root / "proc/meminfo").read_text(), re.MULTILINE)
    if found is None:
        return Finding("memory", "ok", "this machine does not tell what is left")
    free_bytes = int(found[1]) * 1024
    summary, cure = f"{megabytes_are(free_bytes)} available, a daemon takes about 80", "stop what else runs here"
    if free_bytes < FULL_BYTES:
        return Finding("memory", "failure", summary, cure)
    return Finding("memory", "warning", summary, cure) if free_bytes < TIGHT_BYTES else Finding("memory", "ok", summary)
