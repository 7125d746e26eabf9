"""How far the room is, as it sounds now, from the level of the loudness alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.findings import Finding
from device.hearing.loudness_detector import HOP_S, level_dbfs

if TYPE_CHECKING:
    from device.config.alerting.loudness_settings import LoudnessSettings
    from device.tools.check.hearing_checks import Recorded


def check_loudness(settings: LoudnessSettings, now_dbfs: float | None) -> Finding:
    """Whether the room, as it is now, stays below the level of the alarm.

    Args:
        settings: with a level.
        now_dbfs: the loudest half second of the room; None if nothing could be measured.
    """
    level = settings.level_dbfs or 0.0
    rule = f"an alarm from {level:g} dBFS on, for {settings.for_s:g} s with at most {settings.pauses_s:g} s of pauses"
    if now_dbfs is None:
        return Finding(
            "loudness", "warning", f"{rule}; the room could not be measured", "see what microphone says above"
        )
    summary = f"{rule}; now it is {now_dbfs:.1f} dBFS"
    if now_dbfs >= level:
        cure = "raise level_dbfs in [loudness], or look for what is that loud now"
        return Finding("loudness", "warning", f"{summary}: the room itself would raise it", cure)
    if now_dbfs >= level - settings.hysteresis_db:
        cure = "raise level_dbfs in [loudness], or lower its hysteresis_db"
        return Finding("loudness", "warning", f"{summary}: once raised, it would not end", cure)
    return Finding("loudness", "ok", summary)


def loudest_dbfs(recorded: Recorded) -> float | None:
    """Level of the loudest half second of a recording; None if it is shorter."""
    samples = recorded.samples
    hop = round(HOP_S * recorded.sample_rate_hz)
    starts = range(0, len(samples) - hop + 1, hop) if hop else ()
    return max((level_dbfs(samples[start : start + hop]) for start in starts), default=None)
