"""How much of the night was listened to: since the last noon, over restarts, clock steps and power cuts. Pure.

The sum is kept as a journal note. What was heard after the newest note of a daemon that was killed is not counted, and
neither is the time in which no daemon ran: nobody can say that a cry would have been heard then.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from device.daytime import noon_before
from device.messages import NightShare
from device.runtime.clocks import STEPPED_S

if TYPE_CHECKING:
    from device.runtime.clocks import Timekeeper

NIGHT = "night_coverage"
"""Key of the journal note that makes the sum outlive a restart."""

KEPT_EVERY_S = 300.0
"""A note is written this often: an SD card wears out."""

SETTLING_S = 5.0
"""The newest seconds do not count yet: they wait in queues and in windows that are incomplete."""

CLOCK_TOLERANCE = 2e-4
"""A sound card counts its own seconds, which differ from those of the machine's clock by up to 200 ppm."""


class _Kept(NamedTuple):
    since_utc_s: float
    listened_s: float


class NightCoverage:
    """The night of one daemon.

    Args:
        timekeeper: both clocks, and the zone of the noon.
    """

    def __init__(self, timekeeper: Timekeeper) -> None:
        self._timekeeper = timekeeper
        self._since_utc_s: float | None = None
        self._begins_with_us = True  # nothing is known of the time before this process
        self._offset_s = timekeeper.offset_s
        self._listened_s = 0.0  # by this process
        self._before_s = 0.0  # by earlier processes of this night; negative for what this one heard before the noon
        self._is_restored = False
        self._kept_s = float("-inf")

    def __repr__(self) -> str:
        return f"NightCoverage({self.share!r})"

    def update(self, listened_s: float) -> NightShare | None:
        """The night as it is now.

        Args:
            listened_s: seconds that this process has listened to since its start.
        """
        step_s, self._offset_s = self._timekeeper.offset_s - self._offset_s, self._timekeeper.offset_s
        was_stepped = abs(step_s) > STEPPED_S
        utc_s = self._timekeeper.clocks.utc()
        if self._since_utc_s is None:
            self._since_utc_s = utc_s
        elif was_stepped and self._begins_with_us:
            self._since_utc_s += step_s
        noon_utc_s = noon_before(utc_s, self._timekeeper.zone)
        if noon_utc_s > self._since_utc_s:
            self._since_utc_s, self._begins_with_us = noon_utc_s, False
            self._before_s = 0.0 if was_stepped else -self._listened_s
        self._listened_s = listened_s
        return self.share

    @property
    def share(self) -> NightShare | None:
        """Of the night, as of the last update; None for its first seconds."""
        if self._since_utc_s is None:
            return None
        elapsed_s = self._timekeeper.clocks.utc() - self._since_utc_s - SETTLING_S
        if elapsed_s < 1.0:
            return None
        listened_s = max(0.0, min(elapsed_s, self._before_s + self._listened_s))
        if elapsed_s - listened_s <= CLOCK_TOLERANCE * elapsed_s:
            listened_s = elapsed_s
        return NightShare(self._since_utc_s, float(int(elapsed_s)), float(int(listened_s)))

    def restore(self, note: str | None) -> None:
        """Go on where an earlier process of this night stopped; only the first call counts."""
        if self._is_restored:
            return
        self._is_restored = True
        kept, utc_s = _read(note), self._timekeeper.clocks.utc()
        if kept is None or kept.since_utc_s > utc_s:
            return
        self._begins_with_us = False
        noon_utc_s = noon_before(utc_s, self._timekeeper.zone)
        self._since_utc_s = max(kept.since_utc_s, noon_utc_s)
        self._before_s = kept.listened_s if kept.since_utc_s >= noon_utc_s else 0.0

    def pop_note(self, now_s: float) -> str | None:
        """The note to keep now, if it is time for one."""
        if not self._is_restored or self._since_utc_s is None or now_s - self._kept_s < KEPT_EVERY_S:
            return None
        self._kept_s = now_s
        return self.note

    @property
    def note(self) -> str | None:
        """What is known, as the journal keeps it; None before the journal was read."""
        if not self._is_restored or self._since_utc_s is None:
            return None
        return json.dumps(_Kept(self._since_utc_s, max(0.0, self._before_s + self._listened_s))._asdict())


def _read(note: str | None) -> _Kept | None:
    """What a note holds; None if there is none, or if it is malformed."""
    try:
        members = json.loads(note or "")
        kept = _Kept(float(members["since_utc_s"]), float(members["listened_s"]))
    except (ValueError, TypeError, KeyError):
        return None
    return kept if 0.0 <= kept.listened_s < float("inf") else None
