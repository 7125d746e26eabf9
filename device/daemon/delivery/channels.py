"""The ways on which alarms reach people, as the main loop sees them; a reload replaces some."""

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
        """All is well."""

    def close(self) -> None:
        """All low."""


class Clips(Protocol):
    """Keeps the sound of alarms; see `sinks.clips`."""

    @property
    def dropped(self) -> int:
        """Clips that were not written."""

    @property
    def failure(self) -> str | None:
        """Why the last one was not."""

    def push(self, block: AudioBlock) -> None:
        """Sound as it came."""

    def keep(self, event: Event, *, utc_s: float) -> None:
        """Keep the sound around it."""

    def finish(self) -> None:
        """The stream is over."""

    def close(self, deadline_s: float) -> bool:
        """Write what waits."""


@dataclass(slots=True, eq=False)
class Channels:
    """The ways to people; a reload replaces some of them.

    Attributes:
        keeper: of what must not be lost.
        pins: that show it.
        broker: None where none is configured, as the two that come with it.
        dispatch: offers the broker what is owed.
        announcer: tells the broker what is the case.
        clips: None where no sound is kept.
    """

    keeper: AlarmJournal
    pins: Pins
    broker: Broker | None = None
    dispatch: AlarmPublisher | None = None
    announcer: StatePublisher | None = None
    clips: Clips | None = None
