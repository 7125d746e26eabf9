"""What the delivery channels dropped or failed at, noted once each: entries, clips, pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.messages import OperationNote
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.daemon.delivery.channels import Channels, Clips


class DeliveryLosses:
    """Compares the channels' counters with those of the last check."""

    def __init__(self) -> None:
        self._entries = 0
        self._clips = 0
        self._pins_problem: str | None = None

    def __repr__(self) -> str:
        return f"DeliveryLosses({self._entries} entries, {self._clips} clips)"

    def check(self, channels: Channels) -> Iterator[OperationNote]:
        """Yield a note for each kind of loss that has grown since the last check."""
        yield from self._check_entries(channels)
        yield from self._check_clips(channels.clips)
        problem = channels.pins.problem
        if problem is not None and problem != self._pins_problem:
            yield OperationNote("pins", problem)
        self._pins_problem = problem

    def _check_entries(self, channels: Channels) -> Iterator[OperationNote]:
        lost = channels.journal.lost
        if lost > self._entries:
            fresh = quantity(lost - self._entries, "change of an alarm is", "changes of alarms are")
            detail = f"there was no room in memory: {fresh} lost"
            yield OperationNote("journal", detail)
        self._entries = lost

    def _check_clips(self, clips: Clips | None) -> Iterator[OperationNote]:
        dropped = 0 if clips is None else clips.dropped
        if clips is not None and dropped > self._clips:
            why = clips.failure or "too many waited for the disk"
            yield OperationNote("dropped", f"{quantity(dropped - self._clips, 'clip')} could not be kept: {why}")
        self._clips = dropped
