"""How late alarms reach the broker while the page is flooded with requests, and without."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.alarms.load import ROOT, run_daemon
from benchmarks.soak.proc import cpu_s
from device.errors import ServiceError
from tests.system.conftest import wait_until
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from device.runtime.daemon_state import DaemonState

RATE_HZ = 16000
QUIET_S = 20.0
"""Of a room before the first cry: the page starts meanwhile."""

PAGE_NICE, FLOODER_NICE = 5, 19
"""The page's as its unit has it. A flood comes from other machines: its programs take the time that is left here."""

_STARTS_WITHIN_S = 60.0
_SETTLES_S = 2.0
_SPARE_S = 30.0
"""Of cries after the last stretch, should the daemon have started late."""


class Stretch(NamedTuple):
    """A stretch of time with a flood, or without.

    Attributes:
        flooded: which of them.
        from_s: of CLOCK_MONOTONIC, once the flood is under way.
        until_s: its end.
        answered: requests of the flood that were answered, also by a refusal.
        daemon: CPU of the daemon, of one core.
        page: CPU of the page, of one core.
    """

    flooded: bool
    from_s: float
    until_s: float
    answered: int
    daemon: float
    page: float


@dataclass(slots=True)
class Flooding:
    """Floods a daemon's page by turns, while the daemon runs.

    Args:
        stretches: with a flood, and as many without.
        stretch_s: length of each.

    Attributes:
        done: the stretches, in their order.
        lost: (windows, seconds of sound) that the daemon lost meanwhile.
    """

    stretches: int
    stretch_s: float
    done: list[Stretch] = field(default_factory=list)
    lost: tuple[int, float] = (0, 0.0)

    def __call__(self, folder: Path, pid: int) -> None:
        """Serve the page of the daemon `bench` in this folder, and flood it.

        Raises:
            ServiceError: the daemon does not answer, or nothing of a flood was answered.
        """
        began_s = time.monotonic()
        path = folder / "bench.toml"
        wait_until((folder / "run/auricle/bench/status.sock").exists, "the daemon's start", _STARTS_WITHIN_S)
        daemon = RunningDaemon(folder, {}, path.read_text(), name="bench")
        with RunningPage(daemon) as page:
            wait_until(lambda: _hears(daemon), "hearing", _STARTS_WITHIN_S)
            _yield_to_others(page.process.pid, PAGE_NICE)
            time.sleep(max(0.0, began_s + QUIET_S - time.monotonic()))
            before = _state(daemon)
            for flooded in [False, True] * self.stretches:
                self.done.append(self._stretch(page, pid, flooded=flooded))
            after = _state(daemon)
        scored, due = (getattr(after, name) - getattr(before, name) for name in ("windows_scored", "windows_due"))
        self.lost = due - scored, after.dropped_s - before.dropped_s

    def _stretch(self, page: RunningPage, pid: int, *, flooded: bool) -> Stretch:
        flooder = _flooder(page.port, self.stretch_s + _SETTLES_S) if flooded else None
        time.sleep(_SETTLES_S)
        pids = (pid, page.process.pid)
        from_s, before = time.monotonic(), [cpu_s(each) for each in pids]
        time.sleep(self.stretch_s)
        until_s, after = time.monotonic(), [cpu_s(each) for each in pids]
        answered = 0 if flooder is None else sum(json.loads(flooder.communicate()[0]).values())
        if flooded and not answered:
            raise ServiceError("the page answered nothing while it was flooded")
        shares = [(late - early) / (until_s - from_s) for early, late in zip(before, after, strict=True)]
        return Stretch(flooded, from_s, until_s, answered, *shares)


def flooded_delays(*, stretches: int, stretch_s: float) -> tuple[list[dict[str, float]], Flooding]:
    """Run a daemon whose page is flooded by turns: (times of each change of an alarm by stage, the stretches)."""
    flooding = Flooding(stretches, stretch_s)
    seconds = 2 * stretches * (stretch_s + 2 * _SETTLES_S) + _SPARE_S
    changes: list[dict[str, float]] = run_daemon(RATE_HZ, seconds, quiet_s=QUIET_S, during=flooding)["changes"]
    return changes, flooding


def delays_ms(changes: Iterable[Mapping[str, float]], stretches: Sequence[Stretch], *, flooded: bool) -> np.ndarray:
    """From the last sample of the deciding window to PUBACK: of the changes that were decided in such stretches.

    Raises:
        ServiceError: there is none, or the broker did not acknowledge one.
    """
    spans = [(each.from_s, each.until_s) for each in stretches if each.flooded is flooded]
    chosen = [times for times in changes if any(since <= times["captured"] < until for since, until in spans)]
    missing = sum("acknowledged" not in times for times in chosen)
    if missing or not chosen:
        raise ServiceError(f"{missing} of {len(chosen)} changes were not acknowledged: measure for longer")
    return np.array([1000 * (times["acknowledged"] - times["captured"]) for times in chosen])


def print_delays(changes: Sequence[Mapping[str, float]], flooding: Flooding) -> None:
    """Print the table."""
    print("| requests | changes | ms to PUBACK: median | p99 | worst | CPU of the daemon | of the page | answered |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    found = {flooded: delays_ms(changes, flooding.done, flooded=flooded) for flooded in (False, True)}
    for flooded, waits in found.items():
        of_kind = [each for each in flooding.done if each.flooded is flooded]
        daemon, page = np.mean([(each.daemon, each.page) for each in of_kind], axis=0)
        rate = sum(each.answered for each in of_kind) / sum(each.until_s - each.from_s for each in of_kind)
        figures = " | ".join(f"{each:.1f}" for each in (*np.percentile(waits, [50, 99]), waits.max()))
        shares = f"{100 * daemon:.1f} % | {100 * page:.1f} % | {rate:.0f} /s"
        print(f"| {'flood' if flooded else 'none'} | {len(waits)} | {figures} | {shares} |")
    ratios = np.percentile(found[True], [50, 99]) / np.percentile(found[False], [50, 99])
    print(f"| flood, of none = 1 | | {ratios[0]:.2f} | {ratios[1]:.2f} | | | | |")
    print(f"\nlost meanwhile: {flooding.lost[0]} windows, {flooding.lost[1]:.1f} s of sound")


def _hears(daemon: RunningDaemon) -> bool:
    state = daemon.status()
    return state is not None and state.hears


def _state(daemon: RunningDaemon) -> DaemonState:
    state = daemon.status()
    if state is None:
        raise ServiceError("the daemon that was to be measured does not answer")
    return state


def _yield_to_others(pid: int, nice: int) -> None:
    """Lower the priority of all threads of a process; those to come inherit it."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, int(task.name), nice)


def _flooder(port: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.system.operation.page_flooder", str(port), str(seconds)]
    flooder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    _yield_to_others(flooder.pid, FLOODER_NICE)
    return flooder
