"""The ward's state machine: messages of a broker in, beds out. Pure; time is an argument.

It keeps nothing that the broker cannot give back: what is retained, and what the reader's session holds. So several
wards may run at once, and each may be killed at any time.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from device.errors import ConfigError
from device.ward.bed_messages import UnreadableError
from device.ward.bed_record import BedRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from device.ward.bed_messages import BedFault, BedNight, BedSoftware, WardAlarm

SILENT_AFTER_S = 88.0
"""A daemon publishes something at least every 75 s; a bed without any message for this long is silent."""

LEAST_SILENT_S, MOST_SILENT_S = 1.0, 3600.0
"""That may be chosen instead."""

MAX_BEDS = 5000
"""On one broker; names that come beyond that are not followed."""

Hearing = Literal["hears", "deaf", "silent", "unknown"]

AT_LEAST_ONCE = ("available", "state", "faults", "software", "alarm/#")
"""Topics of a bed that are read at QoS 1: the broker keeps their messages while no reader is connected."""

SIGNS = ("coverage", "level", "score/#")
"""Topics of a bed that are read at QoS 0: they show that the bed lives, and a later one replaces the one before."""

_BED = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BedView:
    """One bed, as people are shown it.

    Attributes:
        name: of its instance.
        hearing: whether a cry would be heard; silent if nothing is heard from the bed; unknown while the ward itself is
            not connected, or has not heard of it yet.
        why: one sentence; empty if it hears.
        listened: share of the last seconds that was listened to, in [0, 1]; None if that is unknown now.
        alarms: that are open, the oldest first.
        omitted: further open alarms, which the bed does not name.
        certificate: what the bed says of a certificate that expires; empty if it says nothing.
        software: what runs there; None if the bed does not say.
        night: how much it had listened since the last noon when it last said so; None if it never did.
    """

    name: str
    hearing: Hearing
    why: str
    listened: float | None
    alarms: tuple[WardAlarm, ...]
    omitted: int
    certificate: str
    software: BedSoftware | None
    night: BedNight | None = None


@dataclass(frozen=True, slots=True)
class WardView:
    """All beds.

    Attributes:
        trouble: why the ward itself is not connected; empty if it is.
        beds: by name.
        unreadable: messages that were not understood, since the start.
    """

    trouble: str
    beds: tuple[BedView, ...]
    unreadable: int


class Ward:
    """Follows beds.

    Args:
        root: what every topic begins with.
        silent_after_s: a bed without a message for this long is silent.
        expected: names of the beds to follow; empty for all that the broker knows.
    """

    def __init__(self, root: str, *, silent_after_s: float = SILENT_AFTER_S, expected: Iterable[str] = ()) -> None:
        self._root = f"{root}/"
        self._silent_after_s = silent_after_s
        self._beds = {name: BedRecord(name) for name in expected}
        self._expected = frozenset(self._beds)
        self._connected_s: float | None = None
        self._trouble = "the first connection is being made"
        self._unreadable = 0

    def __repr__(self) -> str:
        return f"Ward({self._root!r}, {len(self._beds)} beds)"

    def subscriptions(self) -> list[tuple[str, Literal[0, 1]]]:
        """Filter and QoS of each subscription that the ward needs."""
        found: list[tuple[str, Literal[0, 1]]] = []
        for bed in sorted(self._expected) or ["+"]:
            found += [(f"{self._root}{bed}/{topic}", 1) for topic in AT_LEAST_ONCE]
            found += [(f"{self._root}{bed}/{topic}", 0) for topic in SIGNS]
        return found

    def connect(self, now_s: float) -> None:
        """The ward is connected from now on; each bed has its time to give a sign."""
        self._connected_s, self._trouble = now_s, ""

    def lose(self, trouble: str) -> None:
        """The ward is not connected, for which nobody knows whether a bed lives."""
        self._connected_s, self._trouble = None, trouble

    def receive(self, topic: str, payload: bytes, *, retained: bool, now_s: float) -> None:
        """Apply a message; one that cannot be read is counted, and shows all the same that somebody lives.

        Args:
            topic: in full.
            payload: of it.
            retained: the broker kept it, so it says nothing about now.
            now_s: monotonic.
        """
        name, _, below = topic.removeprefix(self._root).partition("/")
        if not topic.startswith(self._root) or not below:
            return
        if below == "available" and not payload:
            self._forget(name)
            return
        bed = self._bed(name)
        if bed is None:
            self._unreadable += 1
            return
        try:
            bed.apply(below, payload)
        except UnreadableError:
            self._unreadable += 1
        if not retained and not (below == "available" and bed.is_offline):
            bed.sign_s = now_s

    def view(self, now_s: float) -> WardView:
        """What is known now."""
        beds = tuple(self._view_of(self._beds[name], now_s) for name in sorted(self._beds))
        return WardView(self._trouble, beds, self._unreadable)

    def bed(self, name: str, now_s: float) -> BedView | None:
        """What is known now of one bed; None if it is not followed."""
        record = self._beds.get(name)
        return None if record is None else self._view_of(record, now_s)

    def _bed(self, name: str) -> BedRecord | None:
        if name not in self._beds and (self._expected or len(self._beds) >= MAX_BEDS or _BED.fullmatch(name) is None):
            return None
        return self._beds.setdefault(name, BedRecord(name))

    def _forget(self, name: str) -> None:
        """What the broker kept of it was cleared; one that is expected is still shown."""
        if name in self._expected:
            self._beds[name] = BedRecord(name)
        else:
            self._beds.pop(name, None)

    def _view_of(self, bed: BedRecord, now_s: float) -> BedView:
        hearing, why = self._judged(bed, now_s)
        certificates = [fault.detail for fault in bed.faults if fault.kind == "certificate"]
        return BedView(
            bed.name,
            hearing,
            why,
            bed.coverage.listened if hearing in {"hears", "deaf"} else None,
            tuple(bed.open_alarms()),
            bed.state.omitted if bed.state else 0,
            "; ".join(certificates),
            bed.software,
            bed.coverage.night,
        )

    def _judged(self, bed: BedRecord, now_s: float) -> tuple[Hearing, str]:
        if self._connected_s is None:
            return "unknown", "the ward is not connected to the broker"
        if bed.is_offline:
            return "silent", "it is offline: it has ended, or the broker lost it"
        silent_s = now_s - max(self._connected_s, -math.inf if bed.sign_s is None else bed.sign_s)
        if silent_s >= self._silent_after_s:
            return "silent", f"no message for {self._silent_after_s:.0f} s, and the broker did not say that it is gone"
        if bed.state is None:
            return "unknown", "it has not said yet whether it hears"
        if bed.state.hearing:
            return "hears", ""
        return "deaf", _why_deaf(bed.deafening)


def checked_silence(seconds: float) -> float:
    """How long a bed without a message counts as living.

    Raises:
        ConfigError: it is out of range.
    """
    if LEAST_SILENT_S <= seconds <= MOST_SILENT_S:
        return seconds
    raise ConfigError(f"--silent-after is {seconds:g}, must be {LEAST_SILENT_S:g} to {MOST_SILENT_S:g} s")


def _why_deaf(faults: Sequence[BedFault]) -> str:
    return "; ".join(f"{fault.kind}: {fault.detail}" for fault in faults) or "it has just started, or lost its sound"
