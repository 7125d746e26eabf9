"""Clock synchronization, as this machine's kernel and made-up systemd folders report it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from device.runtime import kernel_clock

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_kernel_itself_says_whether_its_clock_is_set() -> None:
    assert kernel_clock.kernel_clock_is_synchronized() in {True, False}


def test_systemd_says_it_by_a_file(tmp_path: Path) -> None:
    assert not kernel_clock.timesyncd_has_set_it(tmp_path)
    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    (tmp_path / "run/systemd/timesync/synchronized").touch()
    assert kernel_clock.timesyncd_has_set_it(tmp_path)


def test_a_kernel_that_does_not_say_has_no_clock_to_believe(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses() -> bool:
        raise PermissionError

    monkeypatch.setattr(kernel_clock, "timesyncd_has_set_it", lambda: False)
    monkeypatch.setattr(kernel_clock, "kernel_clock_is_synchronized", refuses)
    assert not kernel_clock.clock_is_synchronized()


def test_the_newest_answer_is_there_for_who_may_not_wait_though_a_query_hangs() -> None:
    answers, hangs = [False, True], threading.Event()

    def query() -> bool:
        if not answers:
            hangs.wait(20.0)
            return False
        return answers.pop(0)

    with kernel_clock.ClockWatch(query, every_s=0.01) as watch:
        deadline_s = time.monotonic() + 20.0
        while not watch.is_synchronized:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        hangs.set()
    watch.close()
    assert "clock" not in {thread.name for thread in threading.enumerate()}
