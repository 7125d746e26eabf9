"""The delivery channels of alarms, as the main loop sees them: journal, pins, broker and clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from device.runtime.certificates import expiry_of_broker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.alarms.machine import Signal
    from device.daemon.delivery.alarm_publisher import AlarmPublisher, Broker
    from device.daemon.delivery.journal_messages import JournalFailure
    from device.daemon.delivery.outbox import Change, Outbox
    from device.daemon.publishing.state_publisher import StatePublisher
    from device.messages import AudioBlock, Event
    from device.runtime.certificates import CertificateExpiry
    from device.sinks.mqtt.send_queue import Held


class AlarmJournal(Protocol):
    """The outbox, and a disk that keeps what is in it; see `JournalWriter` and `NullJournal`."""

    @property
    def lost(self) -> int:
        """Entries that were neither committed nor acknowledged."""

    @property
    def waiting(self) -> int:
        """Entries that are not committed."""

    @property
    def owed(self) -> int:
        """Entries that the broker has not acknowledged."""

    def submit(self, entries: Sequence[Entry]) -> None:
        """Queue entries."""

    def to_offer(self, held: Held, overdue_at_s: float) -> Sequence[Change]:
        """What the broker may be offered now, in order; see `Outbox.to_offer`."""

    def acknowledge(self, key: Key) -> Entry | None:
        """Note that an entry is owed no longer; returns it, or None if it was not."""

    def resize(self, window: int) -> None:
        """Hold another number of entries for the broker."""

    def take_outbox(self) -> Outbox:
        """The outbox, for another journal."""

    def set_note(self, key: str, value: str) -> None:
        """Write a small fact."""

    def failure(self, now_s: float) -> JournalFailure | None:
        """Why entries are not committed at present."""

    def stalled_s(self, now_s: float) -> float:
        """How long the disk has been busy with one operation."""

    def close(self, deadline_s: float) -> bool:
        """Stop accepting; whether all that waited was committed before the deadline."""


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
        certificates: those in use, as they were read from their files.
        certificate_days: before one expires, from when on that is a fault.
        wants_push: whether a process of its own is to notify phones of what the journal holds.
    """

    journal: AlarmJournal
    pins: Pins
    broker: Broker | None = None
    alarm_publisher: AlarmPublisher | None = None
    state_publisher: StatePublisher | None = None
    clips: Clips | None = None
    certificates: Sequence[CertificateExpiry] = ()
    certificate_days: int = 0
    wants_push: bool = False

    @property
    def expiries(self) -> Sequence[CertificateExpiry]:
        """Those of the certificates in use, and of the one that the broker has shown."""
        shown = None if self.broker is None else self.broker.link.certificate
        if shown is None:
            return self.certificates
        of_broker = expiry_of_broker(shown.endpoint, shown.expires_utc_s, days=self.certificate_days)
        return [*self.certificates, of_broker]
