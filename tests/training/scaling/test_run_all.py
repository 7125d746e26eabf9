"""The same results and order whoever computes; a dead worker is noticed, and no process is left behind."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device.errors import ConfigError, RecordingError, ServiceError
from tests.training.scaling import items
from training.scaling.run_all import run_all, usable_cores

ROOT = Path(__file__).parents[3]


def test_results_and_order_are_those_of_one_process_for_any_number_of_workers() -> None:
    seeds = list(range(9))
    alone = run_all(items.product, seeds, workers=1)
    assert [run_all(items.product, seeds, workers=workers) for workers in (2, 3)] == [alone, alone]


def test_no_items_give_no_results() -> None:
    assert run_all(items.square, [], workers=2) == []


def test_each_worker_computes_with_one_thread_and_the_environment_stays_as_it_was() -> None:
    before = dict(os.environ)
    assert run_all(items.threads, [1, 2], workers=2) == [["1", "1"]] * 2
    assert dict(os.environ) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_the_error_of_the_first_bad_item_is_raised_whichever_is_met_first(workers: int) -> None:
    with pytest.raises(RecordingError, match="item 2 is bad"):
        run_all(items.fail_from_two, range(6), workers=workers)


def test_an_error_of_a_worker_names_where_it_came_from() -> None:
    with pytest.raises(RuntimeError, match="one and two") as raised:
        run_all(items.fail_unpicklably, [1, 2], workers=2)
    assert "fail_unpicklably" in "".join(raised.value.__notes__)


def test_a_result_that_cannot_be_sent_is_an_error_and_no_hang() -> None:
    with pytest.raises(TypeError, match="lock"):
        run_all(items.no_result, [1, 2], workers=2)


def test_items_of_a_worker_that_was_killed_are_computed_by_another(tmp_path: Path) -> None:
    function = functools.partial(items.die_once, str(tmp_path / "died"))
    assert run_all(function, range(40), workers=2) == [number**2 for number in range(40)]
    assert (tmp_path / "died").exists()


def test_an_item_that_kills_two_workers_is_named_in_one_sentence() -> None:
    with pytest.raises(ServiceError, match=r"item 4 ended two worker processes \(signal 9\).*fewer --workers"):
        run_all(items.die_always, range(40), workers=2)


def test_fewer_workers_than_one_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 workers"):
        run_all(items.square, [1], workers=0)
    assert usable_cores() >= 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent_however_that_ends(tmp_path: Path, how: signal.Signals) -> None:
    program = (
        "import functools, signal, sys\nfrom tests.training.scaling import items\n"
        "from training.scaling.run_all import run_all\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "run_all(functools.partial(items.note_and_wait, sys.argv[1]), range(4), workers=2)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True
    )
    pids = _wait_for_workers(tmp_path)
    os.killpg(parent.pid, how) if how == signal.SIGINT else parent.send_signal(how)
    _, printed = parent.communicate(timeout=20)
    assert parent.returncode != 0
    assert printed.count(b"Traceback") <= 1  # the parent's; none of its workers'
    _wait_until_gone(pids)


def _wait_for_workers(folder: Path) -> list[int]:
    deadline = time.monotonic() + 60
    while len(found := list(folder.glob("*.pid"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [int(path.stem) for path in found]


def _wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while alive := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, f"{alive} still run"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
