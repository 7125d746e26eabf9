"""Runs self-tests within the main loop: on command and daily, one at a time.

A test uses the current models, journal and broker. All methods but `received` are called by the main loop. Knows no
alarm: the result of a test is a fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.delivery.journal_writer import JournalWriter
from device.runtime.self_test.daily_clock import DailyClock
from device.runtime.self_test.stages import SelfTestRunner
from device.sinks.payloads import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.config.settings import Settings
    from device.daemon.audio.listening import ModelRunner
    from device.daemon.delivery.channels import Channels
    from device.messages import Fault
    from device.runtime.clocks import Timekeeper
    from device.runtime.self_test.known_sound import KnownSound
    from device.runtime.self_test.stages import Journal


class SelfTestSchedule:
    """Begins self-tests, and does a small part of one with each turn of the loop.

    Args:
        instance: name of the daemon.
        boot_id: prefix of test ids, unique to this start of the daemon.
        timekeeper: both clocks, and the time zone of the daily test.
        capture_hz: returns the microphone's rate, or None if it is unknown.
    """

    def __init__(
        self, instance: str, *, boot_id: str, timekeeper: Timekeeper, capture_hz: Callable[[], int | None]
    ) -> None:
        self._instance = instance
        self._boot_id = boot_id
        self._timekeeper = timekeeper
        self._capture_hz = capture_hz
        self._test: SelfTestRunner | None = None
        self._daily: DailyClock | None = None
        self._requested_by = ""
        self._generation = 0

    def __repr__(self) -> str:
        return f"SelfTestSchedule({self._test!r}, {self._daily!r})"

    def configure(
        self, settings: Settings, runner: ModelRunner, channels: Channels, sounds: Sequence[KnownSound]
    ) -> None:
        """Use these from now on; a running test starts over."""
        journal: Journal | None = channels.journal if isinstance(channels.journal, JournalWriter) else None
        if self._test is not None and self._test.is_under_way:
            self._requested_by = self._requested_by or "reload"
        self._test = SelfTestRunner(
            sounds,
            settings=settings,
            listening=lambda: runner.models.listening,
            topics=Topics(settings.mqtt.topic, self._instance),
            boot_id=f"{self._boot_id}-{self._generation}",
            journal=journal,
            broker=channels.broker,
        )
        self._generation += 1
        self._daily = DailyClock(settings.self_test.daily_at, self._timekeeper.zone, self._timekeeper.clocks.utc())

    def request(self, by: str) -> None:
        """Request a test; if one is running, no other is begun."""
        self._requested_by = by

    def received(self, payload: bytes) -> None:
        """Accept an alert that the broker returned, from its thread."""
        test = self._test
        if test is not None:
            test.received(payload)

    def step(self, stream_s: float) -> Fault | None:
        """Continue a test; returns its fault once it has ended.

        Args:
            stream_s: newest second of the stream.
        """
        test, daily, clocks = self._test, self._daily, self._timekeeper.clocks
        if test is None or daily is None:
            return None
        if daily.due(clocks.utc()):
            self._requested_by = self._requested_by or "daily"
        if self._requested_by:
            by, self._requested_by = self._requested_by, ""
            test.begin(by=by, now_s=clocks.monotonic(), utc_s=clocks.utc(), capture_hz=self._capture_hz())
        outcome = test.step(clocks.monotonic())
        return None if outcome is None else outcome.fault(stream_s)
