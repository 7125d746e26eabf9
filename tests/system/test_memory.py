"""The daemon imports only what is configured, and a reload leaves no memory behind."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.system.running_daemon import RunningDaemon

pytestmark = pytest.mark.system

_SCRIPT = """
import json, sys
from device.daemon.app import Daemon
from device.daemon.options import ListenOptions
with Daemon(ListenOptions(config=sys.argv[2])) as daemon:
    daemon.run()
print("MODULES " + json.dumps(sorted(sys.modules)), flush=True)
"""
_NEVER = {
    "PIL",
    "av",
    "gpiozero",
    "jinja2",
    "lgpio",
    "paho",
    "prometheus_client",
    "pydoc",
    "scipy",
    "soundfile",
    "unittest",
}
_RELOADS, _WARM_UP = 12, 4
_GROWS_MB = 3.0
"""A bundle is 0.75 MB, and a network that is run 1.6 MB: one that stayed with each reload would be 19 MB."""


def _daemon(folder: Path) -> RunningDaemon:
    return RunningDaemon(folder, {}, "", command=[sys.executable, "-c", _SCRIPT])


def test_what_is_not_configured_is_not_imported(private_folder: Path) -> None:
    with _daemon(private_folder) as daemon:
        daemon.wait_until_it_runs()
        daemon.terminate()
        told = next(line for line in daemon.printed().splitlines() if line.startswith("MODULES "))
    roots = {name.partition(".")[0] for name in json.loads(told.removeprefix("MODULES "))}
    assert "sqlite3" in roots
    assert roots & _NEVER == set()


def test_reloads_leave_no_memory_behind(private_folder: Path) -> None:
    with _daemon(private_folder) as daemon:
        daemon.wait_until_it_runs()
        resident_mb = []
        for _ in range(_RELOADS):
            seen = len(daemon.lines())
            daemon.reload()
            daemon.wait_for({"happening": "reloaded"}, after=seen, within_s=30.0)
            resident_mb.append(_resident_mb(daemon.process.pid))
    assert max(resident_mb[_WARM_UP:]) - resident_mb[_WARM_UP - 1] < _GROWS_MB, resident_mb


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
