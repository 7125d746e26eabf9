"""The delivery channels of alarms, as the main loop sees them: journal, pins, broker and clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from device.alarms.machine import Signal
    from device.daemon.delivery.alarm_publisher import AlarmPublisher, Broker
    from device.daemon.delivery.null_journal import AlarmJournal
    from device.daemon.delivery.state_publisher import StatePublisher
    from device.messages import AudioBlock, Event


class Pins(Protocol):
    """Light, buzzer, relay and the fail-safe output; see `sinks.gpio`."""

    @property
    def problem(self) -> str | None:
        """Which pins do nothing, and why."""

    def show(self, signal: Signal) -> None:
        """Follow a signal."""

    def beat(self) -> None:
        """Keep the fail-safe output alive."""

    def close(self) -> None:
        """Drive all pins low."""


class Clips(Protocol):
    """Keeps the sound of alarms; see `sinks.clips`."""

    @property
    def dropped(self) -> int:
        """Clips that were not written."""

    @property
    def failure(self) -> str | None:
        """Why the last one was not."""

    def push(self, block: AudioBlock) -> None:
        """Buffer a block of sound."""

    def keep(self, event: Event, *, utc_s: float) -> None:
        """Write the sound around an event, which was decided at `utc_s`."""

    def finish(self) -> None:
        """End the stream."""

    def close(self, deadline_s: float) -> bool:
        """Write what waits; whether that was done before the deadline."""


@dataclass(slots=True, eq=False)
class Channels:
    """All delivery channels; a reload makes another set, which may share some with this one.

    Attributes:
        journal: the durable record.
        pins: light, buzzer and relay.
        broker: None if none is configured; the two publishers are then None too.
        alarm_publisher: offers the broker each change of an alarm until it is acknowledged.
        state_publisher: publishes the newest state of the daemon.
        clips: None if no sound is kept.
    """

    journal: AlarmJournal
    pins: Pins
    broker: Broker | None = None
    alarm_publisher: AlarmPublisher | None = None
    state_publisher: StatePublisher | None = None
    clips: Clips | None = None
