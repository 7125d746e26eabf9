"""When the daemon tries itself, and on what: the self-test's glue to the loop.

On command and daily, one test at a time, with the models, the journal and the broker as they are at present. All
calls but `heard` come from the main loop. Knows no alarm: what comes of a test is a fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.delivery.journal_writer import JournalWriter
from device.runtime.self_test.daily_clock import DailyClock
from device.runtime.self_test.stages import SelfTest
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
    """Begins self-tests, and steps through them a little with each turn of the loop.

    Args:
        instance: name of the daemon.
        boot_id: what ids of tests begin with; never used by a daemon before.
        timekeeper: both clocks, and the zone of daily times.
        capture_hz: the microphone's rate; gives None where nobody knows.
    """

    def __init__(
        self, instance: str, *, boot_id: str, timekeeper: Timekeeper, capture_hz: Callable[[], int | None]
    ) -> None:
        self._instance = instance
        self._boot_id = boot_id
        self._timekeeper = timekeeper
        self._capture_hz = capture_hz
        self._test: SelfTest | None = None
        self._daily: DailyClock | None = None
        self._asked_by = ""
        self._lives = 0

    def __repr__(self) -> str:
        return f"SelfTestSchedule({self._test!r}, {self._daily!r})"

    def configure(
        self, settings: Settings, runner: ModelRunner, channels: Channels, sounds: Sequence[KnownSound]
    ) -> None:
        """From now on these; a test that is under way begins anew."""
        journal: Journal | None = channels.journal if isinstance(channels.journal, JournalWriter) else None
        if self._test is not None and self._test.is_under_way:
            self._asked_by = self._asked_by or "reload"
        self._test = SelfTest(
            sounds,
            settings=settings,
            listening=lambda: runner.models.listening,
            topics=Topics(settings.mqtt.topic, self._instance),
            boot_id=f"{self._boot_id}-{self._lives}",
            journal=journal,
            broker=channels.broker,
        )
        self._lives += 1
        self._daily = DailyClock(settings.self_test.daily_at, self._timekeeper.zone, self._timekeeper.clocks.utc())

    def request(self, by: str) -> None:
        """Somebody wants a test; one that is under way is all that they get."""
        self._asked_by = by

    def received(self, payload: bytes) -> None:
        """What the broker brought back; from its thread."""
        test = self._test
        if test is not None:
            test.received(payload)

    def step(self, stream_s: float) -> Fault | None:
        """Go on with a test; what came of one that has just ended.

        Args:
            stream_s: second of the stream that is captured now.
        """
        test, daily, clocks = self._test, self._daily, self._timekeeper.clocks
        if test is None or daily is None:
            return None
        if daily.due(clocks.utc()):
            self._asked_by = self._asked_by or "daily"
        if self._asked_by:
            by, self._asked_by = self._asked_by, ""
            test.begin(by=by, now_s=clocks.monotonic(), utc_s=clocks.utc(), capture_hz=self._capture_hz())
        outcome = test.step(clocks.monotonic())
        return None if outcome is None else outcome.fault(stream_s)
