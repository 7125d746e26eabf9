"""The processes that hold the simulated devices, as one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IN_ONE_PROCESS = 500
HOME, AWAY = "127.0.0.1", "127.0.0.2"
"""Where devices connect from: those of every second process from the latter, which can be cut off."""

_WITHIN_S = 900.0


class Crowds:
    """All devices; a context manager that ends their processes.

    Args:
        folder: of their certificates.
        port: of the broker.
        count: of devices, two at least.

    Attributes:
        away: how many of them can be cut off.
    """

    def __init__(self, folder: Path, port: int, count: int) -> None:
        self.count = count
        self._told: dict[int, dict[str, float]] = {}
        self._processes: list[subprocess.Popen[str]] = []
        processes = max(2, -(-count // IN_ONE_PROCESS))
        firsts = [count * number // processes for number in range(processes + 1)]
        self.away = sum(end - first for first, end in list(pairwise(firsts))[1::2])
        for number, (first, end) in enumerate(pairwise(firsts)):
            command = [sys.executable, "-m", "benchmarks.fleet.device_process", str(folder), str(port)]
            what = [str(first), str(end - first), AWAY if number % 2 else HOME]
            process = subprocess.Popen([*command, *what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._processes.append(process)
            threading.Thread(target=self._listen, args=(first, process), daemon=True).start()

    def __enter__(self) -> Self:
        self.until(lambda: len(self._told) == len(self._processes), "the devices are made")
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def say(self, verb: str, number: float) -> None:
        """Tell all processes; a rate is shared among them."""
        share = number if verb == "owe" else number / len(self._processes)
        for process in self._processes:
            print(f"{verb} {share:g}", file=process.stdin, flush=True)

    def total(self, name: str) -> int:
        """Sum of what the processes said last."""
        return int(sum(members[name] for members in self._told.values()))

    def until(self, holds: Callable[[], bool], what: str) -> float:
        """Wait until something holds; returns the seconds that it took."""
        began_s = time.monotonic()
        while not holds():
            if time.monotonic() - began_s > _WITHIN_S or any(each.poll() is not None for each in self._processes):
                raise RuntimeError(f"not reached: {what}; {self._told}")
            time.sleep(0.05)
        return time.monotonic() - began_s

    def until_fresh(self) -> None:
        """Wait until all processes have said something about the time after this call."""
        asked_s = time.monotonic()
        self.until(lambda: min(members["at_s"] for members in self._told.values()) > asked_s, "a fresh report")

    def _listen(self, first: int, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self._told[first] = json.loads(line)
