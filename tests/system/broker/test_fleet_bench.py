"""`make fleet` with a few devices: each figure is printed, and no alarm is lost while the broker is killed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system

WITHIN_S = 600.0


def test_a_small_fleet_loses_no_alarm_over_the_death_of_its_broker() -> None:
    command = [sys.executable, "-m", "benchmarks.fleet", "--devices", "3", "--daemons", "1"]
    done = subprocess.run(
        [*command, "--rate-s", "1", "--settle-s", "1", "--owed", "4"],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    counted = re.search(r"raised (\d+), received (\d+), lost (\d+)", done.stdout)
    assert counted is not None, done.stdout
    raised, received, lost = map(int, counted.groups())
    assert raised == received > 12
    assert lost == 0
    assert re.search(r"1 real daemons: [1-9]\d* changes of alarms, 0 lost", done.stdout), done.stdout
    assert "the network cut for 2: all of them" in done.stdout or "the network was not cut" in done.stdout
    for figure in ("KiB a device", "of a core", "| p50 | p99 |", "all are back", "12 in all"):
        assert figure in done.stdout, done.stdout
