"""The page's unit on a real systemd, booted in a container: it starts, answers, and keeps within its memory.

Beside it the monitor of the same instance listens. The page is asked from inside the container, as a program on the
same machine would.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.install.booted_machine import Machine, booted_machine, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = "auricle-web@anna"
ADDRESS = "http://127.0.0.1:8127/"
MAX_BYTES = 160 * 2**20
DURATION_S = 300.0
CONFIG = """
profile = "nursery"
[web]
listen = "127.0.0.1:8127"
classify = true
"""
ASKS = """
import sys, urllib.error, urllib.request
kind, data = ("audio/wav", open(sys.argv[2], "rb").read()) if len(sys.argv) > 2 else ("", None)
request = urllib.request.Request(sys.argv[1], data, {"content-type": kind} if kind else {})
try:
    answer = urllib.request.urlopen(request, timeout=100)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
"""
NOISE = """
import os, wave
with wave.open("/opt/noise.wav", "wb") as file:
    file.setparams((1, 2, 16000, 0, "NONE", None))
    file.writeframes(os.urandom(32000) * 300)
"""
CODE = "/opt/auricle/current/bin/python"

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """The monitor of anna hears, and its page is started."""
    with booted_machine() as machine:
        machine.configure("anna", CONFIG)
        machine.systemctl("restart", "auricle@anna")
        machine.systemctl("start", UNIT)
        wait_until(lambda: machine.state("anna").hearing, "auricle@anna hears")
        yield machine


def _python(machine: Machine, code: str, *arguments: str) -> str:
    return machine.run("env", "LD_LIBRARY_PATH=/opt/python/lib", CODE, "-W", "ignore", "-c", code, *arguments)


def _asked(machine: Machine, path: str, *file: str) -> tuple[int, Any]:
    """Status and members of an answer."""
    status, _, content = _python(machine, ASKS, ADDRESS + path, *file).partition(" ")
    return int(status), json.loads(content)


def _taken_bytes(machine: Machine) -> int:
    """Memory of all processes of the unit, what they share counted once."""
    group = _of_unit(machine, "ControlGroup")
    each = f"for pid in $(cat '/sys/fs/cgroup{group}/cgroup.procs'); do grep ^Pss: /proc/$pid/smaps_rollup; done"
    lines = machine.run("sh", "-c", f"{each}; true").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines)


def _of_unit(machine: Machine, name: str) -> str:
    return machine.systemctl("show", "--value", f"--property={name}", UNIT).strip()


def test_the_page_runs_as_its_own_user_and_tells_what_its_monitor_hears(machine: Machine) -> None:
    assert _of_unit(machine, "ActiveState") == "active"
    pid = _of_unit(machine, "MainPID")
    assert machine.run("ps", "-o", "user:20=,ni=", "-p", pid).split() == ["auricle-web", "5"]
    wait_until(lambda: _asked(machine, "api/state")[1].get("hears") is True, "the monitor hears, and the page says so")
    told = _asked(machine, "api/state")[1]
    assert told["state"]["instance"] == "anna"
    assert told["state"]["pid"] == machine.main_pid("anna")


def test_the_running_unit_is_exposed_no_more_than_promised(machine: Machine) -> None:
    machine.run("systemd-analyze", "security", "--threshold=20", UNIT)


def test_it_hears_a_recording_within_its_memory_and_stays(machine: Machine) -> None:
    """The limits of the process that hears hold beside those of the unit, and its scores are those of the daemon."""
    _python(machine, NOISE)
    before = _of_unit(machine, "MainPID")
    most_bytes = 0
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(_asked, machine, "api/classify", "/opt/noise.wav")
        while not answer.done():  # the container need not have a controller that enforces the limit
            most_bytes = max(most_bytes, _taken_bytes(machine))
    status, heard = answer.result()
    assert status == 200, heard
    assert heard["duration_s"] == DURATION_S
    assert {row["model"] for row in heard["scores"]} == {"cry", "scream"}
    assert int(_of_unit(machine, "MemoryMax")) == MAX_BYTES
    assert MAX_BYTES / 4 < most_bytes < MAX_BYTES
    assert (_of_unit(machine, "MainPID"), _of_unit(machine, "NRestarts")) == (before, "0")
    assert machine.run("sh", "-c", "ls -A /var/lib/auricle-web/anna/uploads") == ""
