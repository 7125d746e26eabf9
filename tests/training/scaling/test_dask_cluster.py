"""A real cluster of two workers on loopback gives what one process gives, also if one is killed in the middle."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client

from device.errors import ConfigError, RecordingError, ServiceError
from tests.training.scaling import items
from training.__main__ import main
from training.scaling import dask_cluster
from training.scaling.run_all import run_all

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT),
}


class _Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.folder = folder
        self.address = f"tcp://127.0.0.1:{_free_port()}"
        port = self.address.rpartition(":")[2]
        self.processes = [
            self._start("dask_scheduler", "--host", "127.0.0.1", "--port", port, "--dashboard-address", "127.0.0.1:0")
        ]
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        for name in range(workers):
            self.processes.append(self._start("dask_worker", self.address, *options, "--name", str(name)))

    def _start(self, module: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *options]
        with (self.folder / f"{module}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=ENVIRONMENT, stdout=log, stderr=log)

    def wait(self) -> None:
        """Until all workers have joined."""
        open_client: Any = Client  # it has no types
        with open_client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(len(self.processes) - 1, timeout=60)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[_Cluster]:
    running = _Cluster(tmp_path, workers=2)
    try:
        running.wait()
        yield running
    finally:
        running.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_cluster_gives_the_same_results_though_a_worker_is_killed_in_the_middle(
    cluster: _Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    killed: list[int] = []

    def kill_the_second_worker() -> None:
        pid = cluster.processes[2].pid
        while not list(marks.glob(f"*-{pid}")):
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
        killed.append(len(list(marks.iterdir())))

    killer = threading.Thread(target=kill_the_second_worker, daemon=True)
    killer.start()
    found = run_all(functools.partial(items.note_and_square, str(marks)), range(24), scheduler=cluster.address)
    killer.join(10)
    assert found == run_all(items.square, range(24), workers=1)
    assert killed
    assert killed[0] < 24  # in the middle
    assert len({path.name.partition("-")[2] for path in marks.iterdir()}) == 2
    with pytest.raises(RecordingError, match="item 2 is bad"):
        run_all(items.fail_from_two, range(6), scheduler=cluster.address)
    with pytest.raises(ServiceError, match=r"could not compute some items \(TypeError\)"):
        run_all(items.no_result, range(6), scheduler=cluster.address)
    monkeypatch.setattr(dask_cluster, "WORKER_WITHIN_S", 2.0)
    with pytest.raises(ServiceError, match="has lost all its workers"):
        run_all(items.die_always, range(6), scheduler=cluster.address)


def test_a_cluster_without_workers_is_one_sentence_after_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "WORKER_WITHIN_S", 0.5)
    empty = _Cluster(tmp_path, workers=0)
    try:
        with pytest.raises(ServiceError, match="has no workers; start some with dask worker"):
            run_all(items.square, [1, 2], scheduler=empty.address)
    finally:
        empty.close()


def test_a_scheduler_that_does_not_answer_is_one_sentence_after_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask_cluster, "ANSWER_WITHIN_S", 1.0)
    begun = time.monotonic()
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:"):
        run_all(items.square, [1, 2], scheduler=f"tcp://127.0.0.1:{_free_port()}")
    assert time.monotonic() - begun < 20
    with pytest.raises(ConfigError, match="no Dask scheduler answers at nonsense://nowhere"):
        run_all(items.square, [1, 2], scheduler="nonsense://nowhere")


@pytest.mark.real_audio
def test_a_command_says_in_one_line_that_no_scheduler_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dask_cluster, "ANSWER_WITHIN_S", 1.0)
    address = f"tcp://127.0.0.1:{_free_port()}"
    assert main(["splits", "--data", str(DATA), "--scan", "--scheduler", address]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"training splits: no Dask scheduler answers at {address} within 1 s")
    assert printed.count("\n") == 1
