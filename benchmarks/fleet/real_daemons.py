"""Real daemons among the simulated devices: each plays an infant that cries every half minute."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from benchmarks.fleet.alarm_reader import REAL
from device.alarms.journal.reading import read_history
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.fleet.alarm_reader import AlarmReader
    from benchmarks.fleet.fleet_broker import FleetBroker

CRY_S, ROOM_S = 8.0, 20.0
_UP_WITHIN_S = 600.0
_ARRIVES_WITHIN_S = 300.0
_SETTINGS = """
[log]
file = "off"
[journal]
file = "{journal}"
[self_test]
daily_at = "off"
"""


def names_of_daemons(count: int) -> list[str]:
    """Of so many daemons."""
    return [f"{REAL}{number:02d}" for number in range(count)]


class RealDaemons:
    """So many daemons, each in a folder of its own; a context manager that kills them.

    Args:
        folder: of their certificates; theirs are made below it.
        broker: started.
        count: of daemons; none are fine.
    """

    def __init__(self, folder: Path, broker: FleetBroker, count: int) -> None:
        self.count = count
        sound = Sounds(folder).cry_then_room(CRY_S, ROOM_S)
        self._journals: list[Path] = []
        self._daemons: list[RunningDaemon] = []
        for name in names_of_daemons(count):
            own = folder / name
            own.mkdir()
            self._journals.append(own / "journal.db")
            config = broker.fleet.bed(name) + _SETTINGS.format(journal=self._journals[-1])
            command = [str(AURICLE), "listen", "--source", str(sound), "--speed", "1", "--loop"]
            self._daemons.append(RunningDaemon(own, {}, config, name=name, command=command))

    def __enter__(self) -> Self:
        for daemon in self._daemons:
            daemon.start()
        self.wait_until_all_are_connected()
        return self

    def __exit__(self, *_error: object) -> None:
        for daemon in self._daemons:
            daemon.kill()

    def wait_until_all_are_connected(self) -> None:
        """Return once each says that it is connected to the broker.

        Raises:
            RuntimeError: one is not within ten minutes.
        """
        until_s = time.monotonic() + _UP_WITHIN_S
        for daemon in self._daemons:
            while (state := daemon.status()) is None or state.broker != "connected":
                if time.monotonic() > until_s or daemon.process.poll() is not None:
                    raise RuntimeError(f"not connected: {daemon!r}")
                time.sleep(0.2)

    def stop_and_compare(self, reader: AlarmReader) -> tuple[int, int]:
        """Stop them; (changes of alarms in their journals, how many of these never came to the reader).

        A daemon that is stopped hands over what it owes as far as time allows; here it owes nothing any more.
        """
        for daemon in self._daemons:
            daemon.terminate()
        kept = {entry.key for journal in self._journals for entry in read_history(journal, 0.0)}
        until_s = time.monotonic() + _ARRIVES_WITHIN_S
        while kept - reader.of_daemons and time.monotonic() < until_s:
            time.sleep(0.1)
        return len(kept), len(kept - reader.of_daemons)
