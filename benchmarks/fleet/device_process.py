"""Many simulated devices in one process: `python -m benchmarks.fleet.device_process FOLDER PORT FIRST COUNT ADDRESS`.

ADDRESS is where their connections come from, so that the network of some can be cut. It obeys lines on standard input
(`start PER_S`, `alarms PER_S`, `owe N`, `quit`), and prints a line of JSON twice a second.
"""

from __future__ import annotations

import json
import queue
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path

from benchmarks.fleet.device import SimulatedDevice
from device.sinks.mqtt import client

TOLD_EVERY_S = 0.5
TURNED_EVERY_S = 10.0
SWITCHED_EVERY_S = 0.2
"""A thread that waits for its turn asks for it this often: hundreds that ask every 5 ms would do nothing else."""
_TURN_S = 0.05
_MOST_CAUGHT_UP_S = 0.25  # of alarms, by a process that was held up
_MOST_CONNECTING = 25
"""So many of a process connect at once at first; when the broker comes back, all do."""


def name_of(number: int) -> str:
    """Of the device of that number."""
    return f"bed-{number:05d}"


class Crowd:
    """Devices that do what the lines say.

    Args:
        devices: of this process.
    """

    def __init__(self, devices: list[SimulatedDevice]) -> None:
        self._devices = devices
        self._started = self._turned = self._raised = 0
        self._starts_per_s = self._alarms_per_s = 0.0
        self._owed_turns = self._owed_alarms = 0.0
        self._told_s = 0.0

    def obey(self, line: str) -> bool:
        """Do as a line says; False for the last one."""
        match line.split():
            case ["start", per_s]:
                self._starts_per_s = float(per_s)
            case ["alarms", per_s]:
                self._alarms_per_s = float(per_s)
            case ["owe", count]:
                for device in self._devices:
                    for _ in range(int(count)):
                        device.raise_alarm()
                self._raised += int(count) * len(self._devices)
            case _:
                return False
        return True

    def turn(self, passed_s: float) -> None:
        """What is due after so many seconds."""
        self._owed_turns = min(self._owed_turns + passed_s * self._starts_per_s, self._startable())
        while self._started < len(self._devices) and self._owed_turns >= 1.0:
            self._devices[self._started].start()
            self._started += 1
            self._owed_turns -= 1.0
        self._owed_alarms += min(passed_s, _MOST_CAUGHT_UP_S) * self._alarms_per_s
        while self._owed_alarms >= 1.0:
            self._devices[self._raised % len(self._devices)].raise_alarm()
            self._raised += 1
            self._owed_alarms -= 1.0
        self._let_some_tell(passed_s)
        for device in self._devices[: self._started]:
            if device.owed:
                device.offer()

    def _startable(self) -> int:
        connected = sum(device.mqtt.link.is_up for device in self._devices[: self._started])
        return _MOST_CONNECTING - (self._started - connected)

    def _let_some_tell(self, passed_s: float) -> None:
        """Each device looks at its figures every ten seconds, one after the other."""
        for _ in range(min(self._started, 1 + int(self._started * passed_s / TURNED_EVERY_S))):
            self._devices[self._turned % self._started].tell(time.monotonic())
            self._turned += 1

    def report(self, now_s: float) -> None:
        """Say how many are connected, and what they owe."""
        if now_s - self._told_s < TOLD_EVERY_S:
            return
        self._told_s = now_s
        members = {
            "connected": sum(device.mqtt.link.is_up for device in self._devices),
            "connections": sum(device.mqtt.counts.connected for device in self._devices),
            "owed": sum(device.owed for device in self._devices),
            "raised": self._raised,
            "at_s": time.monotonic(),
        }
        print(json.dumps(members), flush=True)


def come_from(address: str) -> None:
    """Make each connection of this process from an address of this machine."""
    setattr(socket, "create_connection", partial(socket.create_connection, source_address=(address, 0)))  # noqa: B010 - no type allows to assign it


def _read(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    lines.put("quit")


def main() -> None:
    """Run the devices until `quit`, or until nobody listens any more."""
    folder, port, first, count = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    come_from(sys.argv[5])
    client._TURN_S = 4.0  # noqa: SLF001 - an idle thread looks up less often, which spares the simulator alone
    threading.stack_size(256 * 1024)
    sys.setswitchinterval(SWITCHED_EVERY_S)
    crowd = Crowd([SimulatedDevice(name_of(first + number), folder, port) for number in range(count)])
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    before_s = time.monotonic()
    while True:
        while not lines.empty():
            if not crowd.obey(lines.get()):
                return
        now_s = time.monotonic()
        crowd.turn(now_s - before_s)
        crowd.report(now_s)
        before_s = now_s
        time.sleep(_TURN_S)


if __name__ == "__main__":
    main()
