"""What a ward knows of one bed: its newest state, its alarms by (alarm_id, seq), and when it last gave a sign. Pure.

An alarm is known twice: by its changes, each of which arrives at least once and perhaps late, and by the retained
state, which lists what is open and is all that a ward has after its own restart. The newer of the two counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from device.fault_info import DEAFENING
from device.ward.bed_messages import (
    BedCoverage,
    BedFault,
    BedSoftware,
    BedState,
    WardAlarm,
    is_offline,
    read_alarm_change,
    read_coverage,
    read_faults,
    read_software,
    read_state,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ALARMS = 300
"""Of one bed, ended ones too; a daemon has at most one open for each label and each kind of fault."""


class BedRecord:
    """One bed.

    Args:
        name: of its instance.

    Attributes:
        software: what runs there; None if it does not say.
        coverage: how much it listens.
        faults: that are open.
        state: the newest; None before the first.
        is_offline: the bed, or the broker in its name, said that it is gone.
        sign_s: when the last message came that was not retained, monotonic; None if none came.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.software: BedSoftware | None = None
        self.coverage = BedCoverage(None, None)
        self.faults: tuple[BedFault, ...] = ()
        self.state: BedState | None = None
        self.is_offline = False
        self.sign_s: float | None = None
        self._alarms: dict[str, WardAlarm] = {}
        self._acknowledged: dict[str, tuple[int, str]] = {}  # by alarm: seq of that change, and by whom

    def __repr__(self) -> str:
        return f"BedRecord({self.name!r}, {len(self._alarms)} alarms)"

    def apply(self, topic: str, payload: bytes) -> None:
        """Apply a message.

        Args:
            topic: below the bed's own.
            payload: of it.

        Raises:
            UnreadableError: the payload is not what the topic promises; nothing has changed.
        """
        match topic:
            case "available":
                self.is_offline = is_offline(payload)
            case "state":
                self.state = read_state(payload)
            case "faults":
                self.faults = read_faults(payload)
            case "coverage":
                self.coverage = read_coverage(payload)
            case "software":
                self.software = read_software(payload)
            case _ if topic.startswith("alarm/"):
                self._apply_change(read_alarm_change(payload))

    def open_alarms(self) -> list[WardAlarm]:
        """What is open, the oldest first; what began nobody knows when comes first."""
        return sorted(self._open(), key=lambda alarm: (alarm.start_utc or "", alarm.alarm_id))

    @property
    def deafening(self) -> list[BedFault]:
        """The faults during which a cry could be missed."""
        return [fault for fault in self.faults if fault.kind in DEAFENING]

    def _apply_change(self, change: WardAlarm) -> None:
        known, seq = self._alarms.get(change.alarm_id), change.seq or 0
        if change.acknowledged_by is not None and seq >= self._acknowledged.get(change.alarm_id, (0, ""))[0]:
            self._acknowledged[change.alarm_id] = (seq, change.acknowledged_by)
        if known is not None and (known.seq or 0) >= seq:
            return  # a copy, or one that was overtaken
        self._alarms[change.alarm_id] = change
        while len(self._alarms) > MAX_ALARMS:
            self._forget_one()

    def _forget_one(self) -> None:
        """The first that has ended; if none has, the first of all."""
        ended = (alarm_id for alarm_id, alarm in self._alarms.items() if alarm.state == "ended")
        forgotten = next(ended, next(iter(self._alarms)))
        del self._alarms[forgotten]
        self._acknowledged.pop(forgotten, None)

    def _open(self) -> Iterator[WardAlarm]:
        listed = {alarm.alarm_id: alarm for alarm in self.state.alarms} if self.state else {}
        for alarm_id, change in self._alarms.items():
            other = listed.pop(alarm_id, None)
            if other is None:
                if change.state != "ended" and not self._is_over(change):
                    yield self._signed(change)
            elif other.decided_utc > change.decided_utc:
                yield self._signed(replace(other, start_utc=other.start_utc or change.start_utc))
            elif change.state != "ended":
                yield self._signed(change)
        yield from map(self._signed, listed.values())

    def _is_over(self, change: WardAlarm) -> bool:
        """Whether a later state does not list it any more: the rest of its changes went to another reader."""
        state = self.state
        return state is not None and not state.omitted and change.trusts_clock and state.told_utc > change.decided_utc

    def _signed(self, alarm: WardAlarm) -> WardAlarm:
        """With who acknowledged it, if anybody ever said so."""
        _, by = self._acknowledged.get(alarm.alarm_id, (0, None))
        return replace(alarm, acknowledged_by=(by or alarm.acknowledged_by) if alarm.acknowledged else None)
