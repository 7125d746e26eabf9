"""Whether a daemon hears, in one line: what `auricle status` begins with and what the service manager shows."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from device.daytime import utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.messages import FaultKind
    from device.runtime.daemon_state import DaemonState

_IN_WORDS: Mapping[FaultKind, str] = MappingProxyType(
    {
        "silence": "digital silence from the microphone",
        "stuck": "the microphone is stuck",
        "dc": "the microphone gives no sound but a constant",
        "repeated": "the microphone repeats itself",
        "floor": "the room's noise is gone, the microphone may be covered or broken",
        "clipping": "the microphone is overdriven",
        "gap": "sound is missing",
        "microphone": "no sound comes from the microphone",
        "coverage": "too little is listened to",
        "classifier": "a model fails",
        "journal": "alarms are not kept on disk",
        "broker": "the broker is not told",
        "self_test": "the self-test failed",
    }
)
_DEAFEN_NOT: frozenset[FaultKind] = frozenset({"clipping", "gap", "journal", "broker", "self_test"})


def verdict_of(state: DaemonState, now_utc_s: float) -> str:
    """In words, whether it hears, and if not, why and since when."""
    if state.hangs:
        return f"hears NOTHING: its main loop has hung for {span_text(state.age_s)}, restart it"
    if state.hearing:
        return "hears: yes"
    deafening = [fault for fault in state.faults if fault.kind not in _DEAFEN_NOT]
    if not deafening:
        return "hears NOTHING yet: it is starting"
    first = min(deafening, key=lambda fault: fault.since_utc_s)
    return f"hears NOTHING: {_IN_WORDS[first.kind]} since {since_text(first.since_utc_s, now_utc_s)}"


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
