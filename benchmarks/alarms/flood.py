"""How long the acknowledgement of an alarm takes while somebody floods the topics of commands, and what that costs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.alarms.load import ROOT
from device.config.settings import MqttSettings
from device.runtime.self_test.outcome import alert_topic
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner
from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.payloads import Topics, availability
from tests.system.conftest import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from device.commands import Command
    from device.sinks.mqtt.send_queue import Key
    from device.sinks.payloads import Message

FLOODS = {"none": None, "empty": (0, 0), "3 KB": (0, 3000), "QoS 1": (1, 0)}
"""Name -> QoS and payload bytes."""

_EVERY_S = 0.25
_TOPICS = Topics("auricle", "bench")


class _Acknowledged:
    """When each alarm was acknowledged."""

    def __init__(self) -> None:
        self.at_s: dict[Key, float] = {}

    def connected(self) -> Iterable[Message]:
        return ()

    def acknowledged(self, key: Key) -> None:
        self.at_s[key] = time.monotonic()

    def commanded(self, command: Command) -> None: ...


def flood(seconds: float) -> None:
    """Print the table."""
    print("| flood of commands | alarms | ms to PUBACK: median | p99 | worst | CPU of the client | messages dropped |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, kind in FLOODS.items():
        waits_ms, share, dropped = _measured(kind, seconds)
        middle, late = np.percentile(waits_ms, [50, 99])
        figures = (
            f"{len(waits_ms)} | {middle:.1f} | {late:.1f} | {waits_ms.max():.0f} | {100 * share:.1f} % | {dropped}"
        )
        print(f"| {name} | {figures} |", flush=True)


def _measured(kind: tuple[int, int] | None, seconds: float) -> tuple[np.ndarray, float, int]:
    """(delays in ms, share of one core, messages dropped unread) of one alarm each quarter of a second."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        broker, handler = Mosquitto(Path(folder)), _Acknowledged()
        broker.start()
        mqtt = Mqtt(
            MqttSettings(host="127.0.0.1", port=broker.port),
            client_id="auricle-bench",
            will=availability(_TOPICS, online=False),
            owner=Owner("device", "run", "host"),
            owner_topic=_TOPICS.owner,
            password=None,
            handler=handler,
            commands=_TOPICS.commands,
        )
        mqtt.start()
        while not mqtt.room:
            time.sleep(0.05)
        try:
            with _flooding(broker.port, kind):
                began_s, spent_s = time.monotonic(), time.process_time()
                sent = _publish(mqtt, began_s + seconds)
                share = (time.process_time() - spent_s) / (time.monotonic() - began_s)
                until_s = time.monotonic() + 30.0
                while len(handler.at_s) < len(sent) and time.monotonic() < until_s:
                    time.sleep(0.05)
        finally:
            mqtt.close(5.0)
            broker.kill()
    missing = len(sent) - len(handler.at_s)
    if missing:
        sys.exit(f"{missing} of {len(sent)} alarms were not acknowledged within 30 s")
    return 1000 * np.array([handler.at_s[key] - at_s for key, at_s in sent.items()]), share, mqtt.counts.rejected


def _publish(mqtt: Mqtt, until_s: float) -> dict[Key, float]:
    """Offer an alarm each quarter of a second; when each was offered first, accepted or not."""
    sent: dict[Key, float] = {}
    topic = alert_topic(_TOPICS)
    while (now_s := time.monotonic()) < until_s:
        key = (f"alarm-{len(sent)}", 0)
        sent[key] = now_s
        while not mqtt.offer([OwedMessage(key, topic, lambda: b"{}")], mqtt.held.generation):
            time.sleep(0.01)  # no connection, or all places are taken
        time.sleep(_EVERY_S)
    return sent


@contextlib.contextmanager
def _flooding(port: int, kind: tuple[int, int] | None) -> Iterator[None]:
    if kind is None:
        yield
        return
    arguments = [str(port), next(iter(_TOPICS.commands)), *map(str, kind)]
    command = [sys.executable, "-m", "tests.system.broker.flooder", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as flooder:
        try:
            yield
        finally:
            flooder.kill()
