"""Whether a daemon hears, in one line: the first line of `auricle status`, and the status that systemd shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daytime import utc_text
from device.fault_info import FAULTS

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState


def verdict_of(state: DaemonState, now_utc_s: float) -> str:
    """Whether the daemon hears; if not, why and since when."""
    if state.hangs:
        return f"hears NOTHING: its main loop has hung for {span_text(state.age_s)}, restart it"
    if state.hearing:
        return "hears: yes"
    deafening = [fault for fault in state.faults if FAULTS[fault.kind].deafens]
    if not deafening:
        return "hears NOTHING yet: it is starting"
    first = min(deafening, key=lambda fault: fault.since_utc_s)
    return f"hears NOTHING: {FAULTS[first.kind].words} since {since_text(first.since_utc_s, now_utc_s)}"


def since_text(utc_s: float, now_utc_s: float) -> str:
    """A time of day in UTC, and how long ago that was."""
    text = utc_text(utc_s)
    return text if now_utc_s < utc_s else f"{text} ({span_text(now_utc_s - utc_s)})"


def span_text(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def lasted_text(seconds: float) -> str:
    """How long something lasted, rounded to a second: it is never said to have lasted no time at all."""
    whole = round(seconds)
    return span_text(whole) if whole > 0 else "less than 1 s"
