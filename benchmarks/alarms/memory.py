"""Memory of the daemon as it runs, with its capture child, with a broker and without."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from benchmarks.alarms.cries import MODEL_HZ, sounds
from benchmarks.alarms.load import private, write_config
from benchmarks.alarms.mappings import Held, held
from device.errors import ServiceError
from device.runtime.sockets.status_socket import read_status
from tests.system.conftest import Mosquitto, PulseCard

if TYPE_CHECKING:
    from collections.abc import Iterator


def memory(seconds: float) -> None:
    """Print the memory of the daemon and its capture child, without a broker and with one."""
    print("| whole daemon, nursery, 16 kHz | RSS | PSS |\n|---|---:|---:|")
    groups: list[dict[str, Held]] = []
    for name, with_mqtt in (("without MQTT", False), ("with MQTT, journal, an alarm published", True)):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            rss_mb, pss_mb, groups = _memory_mb(Path(folder), seconds, with_mqtt=with_mqtt)
        print(f"| {name} | {rss_mb:.1f} MB | {pss_mb:.1f} MB |")
    print("\n| with MQTT, RSS (private) | daemon | capture child |\n|---|---:|---:|")
    daemon, child, *_ = (*groups, {})
    for name in daemon | child:
        print(f"| {name} | {_cell(daemon.get(name))} | {_cell(child.get(name))} |")
    print(f"| together | {_cell(_total(daemon))} | {_cell(_total(child))} |")


def _cell(held: Held | None) -> str:
    return "-" if held is None else f"{held.resident:.1f} MB ({held.private:.1f})"


def _total(groups: dict[str, Held]) -> Held:
    return Held(sum(each.resident for each in groups.values()), sum(each.private for each in groups.values()))


def _memory_mb(folder: Path, seconds: float, *, with_mqtt: bool) -> tuple[float, float, list[dict[str, Held]]]:
    """RSS and PSS of the daemon and its capture child, and what holds them in each."""
    broker, card = Mosquitto(folder), PulseCard(folder)
    write_config(folder, broker.port if with_mqtt else None)
    tape = folder / "cries.wav"
    soundfile.write(tape, np.tile(sounds(MODEL_HZ)[1], 60), MODEL_HZ, "PCM_16")
    broker.start()
    card.start()
    auricle = Path(sys.executable).with_name("auricle")
    command = [str(auricle), "listen", "--config", str(folder / "bench.toml")]
    daemon = subprocess.Popen(command, env=private(folder, card.environment), stdout=subprocess.DEVNULL)
    try:
        card.play(tape)
        time.sleep(seconds)
        _expect_alarms(folder)
        family = [daemon.pid, *_children(daemon.pid)]
        rss_mb, pss_mb = (sum(_mb(pid, kind) for pid in family) for kind in ("Rss", "Pss"))
        return rss_mb, pss_mb, [held(pid) for pid in family]
    finally:
        daemon.terminate()
        daemon.wait(10)
        card.stop()
        broker.kill()


def _expect_alarms(folder: Path) -> None:
    """Refuse to measure a daemon that has detected nothing."""
    state = read_status(folder / "run" / "auricle" / "bench" / "status.sock")
    if not state.events:
        raise ServiceError("the daemon that was to be measured heard no cry; let it run for longer: --seconds")


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _children(int(child))


def _mb(pid: int, name: str) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{name}:")) * 1024 / 1e6
