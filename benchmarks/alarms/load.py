"""Runs the measured daemon with a broker, a full journal, and a client that acknowledges each alarm."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.alarms.cries import QUIET_S
from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from tests.system.conftest import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]

JOURNAL_MB = 4

_CONFIG = """
[model.cry.label.cry]
confirm_s = 1.0
confirm_of_s = 1.0
hold_s = 0.5
cooldown_s = 0.0

[log]
file = "off"

[self_test]
daily_at = "off"

[journal]
max_mb = {journal_mb}

[mqtt]
host = {host}
"""


def run_daemon(
    rate_hz: int,
    seconds: float,
    *,
    quiet_s: float = QUIET_S,
    during: Callable[[Path, int], object] = lambda _folder, _pid: None,
) -> dict[str, Any]:
    """Run one daemon at this rate, with a broker and an acknowledging client.

    Args:
        rate_hz: of the microphone.
        seconds: of cries.
        quiet_s: of a room before them.
        during: is called with the daemon's folder and process id once it runs; what it does is done beside the daemon.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        broker.start()
        try:
            with _acknowledging(broker.port):
                return _run(folder, broker.port, [str(rate_hz), str(quiet_s), str(seconds)], during)
        finally:
            broker.kill()


def _run(folder: Path, port: int, sound: list[str], during: Callable[[Path, int], object]) -> dict[str, Any]:
    write_config(folder, port)
    _fill(folder / "state" / "auricle" / "bench" / "journal.db")
    command = [sys.executable, "-m", "benchmarks.alarms", "--stamped", str(folder), *sound]
    with subprocess.Popen(command, env=private(folder), stdout=subprocess.PIPE, text=True, cwd=ROOT) as daemon:
        try:
            during(folder, daemon.pid)
            printed, _ = daemon.communicate()
        except BaseException:
            daemon.kill()
            raise
    if daemon.returncode != 0:
        raise subprocess.CalledProcessError(daemon.returncode, command)
    figures: dict[str, Any] = json.loads(printed)
    return figures


def write_config(folder: Path, port: int | None) -> None:
    """The measured daemon's configuration; no MQTT if `port` is None."""
    host = '"off"' if port is None else f'"127.0.0.1"\nport = {port}'
    (folder / "bench.toml").write_text(_CONFIG.format(host=host, journal_mb=JOURNAL_MB))


def private(folder: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment and `environment`, with runtime and state below `folder`."""
    own = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state")}
    return {**os.environ, **own, **(environment or {})}


def _fill(path: Path) -> None:
    """Fill a journal to its limit with delivered entries."""
    path.parent.mkdir(parents=True)
    with Journal.open(path, max_bytes=JOURNAL_MB * 1_000_000) as journal:
        for night in range(40):
            entries = [Entry(f"old-{night}-{n}", 0, 1e9 + n, False, "{}", json.dumps("x" * 900)) for n in range(100)]
            journal.append(entries)
            journal.mark_delivered([entry.key for entry in entries])


@contextlib.contextmanager
def _acknowledging(port: int) -> Iterator[None]:
    """A client that acknowledges each alarm as soon as it is published."""

    def on_message(client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        payload = json.loads(message.payload)
        if payload["change"] in {"raised", "reopened"}:
            command = json.dumps({"alarm_id": payload["alarm_id"]})
            client.publish("auricle/bench/command/acknowledge", command, 1)

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    client.on_connect = lambda there, *_: there.subscribe("auricle/bench/alarm/sound/#", 1)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()
