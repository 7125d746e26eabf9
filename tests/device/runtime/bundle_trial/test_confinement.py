"""A confined process, for real: what it may not do fails, and what a network needs works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from device.runtime.bundle_trial.system_calls import AUDIT_ARCHITECTURES

ROOT = Path(__file__).resolve().parents[4]
FILTERED = os.uname().machine in AUDIT_ARCHITECTURES

_PROGRAM = """
import json, os, resource, signal, socket, subprocess, sys
import numpy as np
from device.runtime.bundle_trial.confinement import confine_resources, forbid_system_calls
confine_resources(cpu_s=5, data_bytes=256 * 2**20)
is_filtered = forbid_system_calls()
folder, parent = sys.argv[1], os.getppid()

def fails(act):
    try:
        act()
    except (OSError, MemoryError, ValueError) as error:
        return type(error).__name__
    return ""

def written():
    with open(folder + "/new", "wb") as file:
        file.write(b"x")

print(json.dumps({
    "filtered": is_filtered,
    "write": fails(written),
    "unlink": fails(lambda: os.unlink(folder + "/kept")),
    "mkdir": fails(lambda: os.mkdir(folder + "/made")),
    "socket": fails(socket.socket),
    "fork": fails(os.fork),
    "exec": fails(lambda: os.execv(sys.executable, [sys.executable, "-c", "print('ran')"])),
    "spawn": fails(lambda: subprocess.run(["true"])),
    "kill": fails(lambda: os.kill(parent, signal.SIGCONT)),
    "memory": fails(lambda: np.ones(2**26)),
    "raise": fails(lambda: resource.setrlimit(resource.RLIMIT_CPU, (9, 9))),
    "read": fails(lambda: open(folder + "/kept").read()),
    "cpuinfo": fails(lambda: open("/proc/cpuinfo").read()),
    "small": fails(lambda: np.ones(2**16)),
    "cpu": resource.getrlimit(resource.RLIMIT_CPU),
    "privileges": [line.split()[1] for line in open("/proc/self/status") if line.startswith("NoNewPrivs")],
    "oom": open("/proc/self/oom_score_adj").read().strip(),
}))
"""


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("confined")
    (folder / "kept").write_text("kept")
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(folder)],
        env={**os.environ, **one_thread}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir() if path.stat().st_size) == ["kept"]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_a_network_needs_works(confined: dict[str, Any]) -> None:
    assert [confined[name] for name in ("read", "cpuinfo", "small")] == ["", "", ""]


def test_memory_and_time_are_bounded_and_privileges_cannot_grow(confined: dict[str, Any]) -> None:
    assert confined["memory"].endswith("MemoryError")
    assert confined["cpu"] == [5, 6]
    assert confined["raise"] == "ValueError"  # root too
    assert confined["privileges"] == ["1"]
    assert confined["oom"] == "1000"


@pytest.mark.parametrize("name", ["write", "unlink", "mkdir", "socket", "fork", "exec", "spawn", "kill"])
def test_what_it_has_no_use_for_is_refused(confined: dict[str, Any], name: str) -> None:
    if not FILTERED:
        pytest.skip("system calls are filtered on x86_64 and aarch64 alone")
    assert confined["filtered"]
    assert confined[name] == "PermissionError"
