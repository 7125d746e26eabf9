"""Steps the alarm machine, and sends each transition on: pins first, then clips, journal and broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.alerting.alarm_clips import AlarmClips
from device.daemon.alerting.entry_maker import EntryMaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.alarms.machine import Machine
    from device.daemon.delivery.alarm_delivery import AlarmDelivery
    from device.messages import Transition
    from device.runtime.clocks import Timekeeper


class MachineDriver:
    """The only caller of the machine.

    Args:
        machine: to be stepped.
        delivery: to journal and broker.
        timekeeper: both clocks.
        instance: name of the daemon.

    Attributes:
        clips: of alarms that sounds raise.
        entries: makes the journal entries.
        newest_s: second of the stream that is captured now; set by the main loop.
    """

    def __init__(self, machine: Machine, delivery: AlarmDelivery, *, timekeeper: Timekeeper, instance: str) -> None:
        self.machine = machine
        self.clips = AlarmClips(delivery.channels.clips, timekeeper)
        self.entries = EntryMaker(instance, timekeeper)
        self.newest_s = 0.0
        self._delivery = delivery
        self._clocks = timekeeper.clocks

    def __repr__(self) -> str:
        return f"MachineDriver({self.machine!r})"

    def step(self, step: Callable[[float], list[Transition]], *, since_s: float | None = None) -> list[Transition]:
        """Step the machine, deliver its transitions, and return them.

        Args:
            step: a method of the machine that takes the monotonic time.
            since_s: second of the stream at which a fault began.
        """
        transitions = step(self._clocks.monotonic())
        if transitions:
            self._deliver(transitions, since_s)
        return transitions

    def show_signal(self) -> None:
        """Show on the pins what the machine signals now."""
        self._delivery.channels.pins.show(self.machine.signal)

    def publish_alarms(self) -> None:
        """Publish the open alarms and the pause, if they have changed."""
        publisher = self._delivery.channels.state_publisher
        if publisher is not None:
            is_paused = self.machine.paused_until_s is not None
            publisher.publish_alarms(
                self.machine.alarms, paused=is_paused, utc_s=self._clocks.utc(), histories=self.entries.histories()
            )

    def _deliver(self, transitions: list[Transition], since_s: float | None) -> None:
        self.show_signal()  # first: pins wait for nothing
        utc_s, newest_s = self._clocks.utc(), self.newest_s
        for transition in transitions:
            self.clips.keep(transition, utc_s=utc_s, newest_s=newest_s)
        entries = [
            self.entries.entry(transition, utc_s=utc_s, newest_s=newest_s, since_s=since_s)
            for transition in transitions
        ]
        self._delivery.submit(entries, self._clocks.monotonic())
        self.publish_alarms()
