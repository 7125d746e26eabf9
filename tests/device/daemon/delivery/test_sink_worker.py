"""The queue before a sink: never waits, keeps what matters, and shows a sink that hangs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daemon.delivery.sink_worker import SinkWorker
from device.messages import Event, Fault, Notice, OperationNote

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOON_S = 20.0  # a busy machine breaks no law

_SAID: dict[str, Event | Fault | OperationNote] = {
    "event": Event("id", 0, "cry", "cry", "begin", 0.9, 0.0, None, 1.0, "3 of 3"),
    "fault": Fault("silence", begins=True, since_s=0.0, at_s=1.0, detail="zeros"),
    "happening": OperationNote("hop", "wider"),
}


def _notice(kind: str, number: int) -> Notice:
    return Notice(float(number), "microphone", _SAID[kind])


class Gate:
    """A sink that takes notices while it is open, and hangs while it is shut."""

    def __init__(self, *, is_open: bool) -> None:
        self.written: list[Notice] = []
        self.closed_after: int | None = None
        self.failed = 0
        self.entered = threading.Event()
        self._open = threading.Event()
        if is_open:
            self._open.set()

    def open(self) -> None:
        self._open.set()

    def write(self, notice: Notice) -> None:
        self.entered.set()
        assert self._open.wait(_SOON_S)
        self.written.append(notice)

    def close(self) -> None:
        self.closed_after = len(self.written)


@pytest.fixture
def hung() -> Iterator[tuple[Gate, SinkWorker]]:
    """With room for four, whose sink hangs on a first notice."""
    gate = Gate(is_open=False)
    worker = SinkWorker("console", gate, capacity=4)
    worker.write(_notice("event", 0))
    assert gate.entered.wait(_SOON_S)
    yield gate, worker
    gate.open()
    worker.close(_SOON_S)


def _written(gate: Gate) -> list[float]:
    return [notice.utc_s for notice in gate.written]


def test_notices_come_out_in_order_and_the_sink_is_closed_after_the_last() -> None:
    gate = Gate(is_open=True)
    worker = SinkWorker("console", gate)
    for number in range(100):
        worker.write(_notice("event", number))
    assert worker.close(_SOON_S)
    assert _written(gate) == [float(number) for number in range(100)]
    assert gate.closed_after == 100
    assert worker.dropped == 0


def test_telling_never_waits_for_a_sink_that_hangs(hung: tuple[Gate, SinkWorker]) -> None:
    gate, worker = hung
    for number in range(1, 10001):
        worker.write(_notice("event", number))
    assert not gate.written
    assert worker.dropped == 9996


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        (["happening", "fault", "event", "event", "event"], [2, 3, 4, 5]),
        (["fault", "happening", "event", "happening", "event"], [1, 3, 4, 5]),
        (["event", "fault", "event", "fault", "event"], [1, 3, 4, 5]),
        (["event", "event", "event", "event", "happening"], [1, 2, 3, 4]),
        (["event", "event", "event", "event", "event"], [2, 3, 4, 5]),
    ],
)
def test_the_oldest_of_what_matters_least_goes_first(
    hung: tuple[Gate, SinkWorker], kinds: list[str], kept: list[int]
) -> None:
    gate, worker = hung
    for number, kind in enumerate(kinds, start=1):
        worker.write(_notice(kind, number))
    gate.open()
    assert worker.close(_SOON_S)
    assert _written(gate) == [0, *kept]
    assert worker.dropped == 1


@given(st.lists(st.sampled_from(["event", "fault", "happening"]), max_size=30))
def test_no_event_is_dropped_while_anything_else_could_be(kinds: list[str]) -> None:
    gate = Gate(is_open=False)
    worker = SinkWorker("console", gate, capacity=4)
    worker.write(_notice("event", 0))
    assert gate.entered.wait(_SOON_S)
    for number, kind in enumerate(kinds, start=1):
        worker.write(_notice(kind, number))
    gate.open()
    assert worker.close(_SOON_S)
    written = [notice for notice in gate.written if notice.utc_s > 0]
    events = sum(isinstance(notice.content, Event) for notice in written)
    assert events == min(4, kinds.count("event"))
    assert len(written) == min(4, len(kinds))
    assert _written(gate) == sorted(_written(gate))
    assert worker.dropped == len(kinds) - len(written)


def test_a_sink_that_hangs_is_seen_from_outside_and_one_that_idles_is_not(hung: tuple[Gate, SinkWorker]) -> None:
    gate, worker = hung
    now_s = time.monotonic()
    assert worker.stuck_for_s(now_s + 60.0) == pytest.approx(60.0, abs=_SOON_S)
    gate.open()
    assert worker.close(_SOON_S)
    assert worker.stuck_for_s(now_s + 3600.0) == 0.0


def test_closing_gives_up_a_sink_that_hangs_at_its_deadline(hung: tuple[Gate, SinkWorker]) -> None:
    gate, worker = hung
    assert not worker.close(0.05)
    assert gate.closed_after is None
    worker.write(_notice("event", 1))
    assert worker.dropped == 1
    gate.open()
    assert worker.close(_SOON_S)


def test_a_sink_that_raises_loses_that_notice_alone() -> None:
    class Clumsy(Gate):
        def write(self, notice: Notice) -> None:
            if notice.utc_s == 1.0:
                raise RuntimeError("no")
            super().write(notice)

    gate = Clumsy(is_open=True)
    worker = SinkWorker("console", gate)
    for number in range(3):
        worker.write(_notice("event", number))
    assert worker.close(_SOON_S)
    assert _written(gate) == [0.0, 2.0]
    assert worker.dropped == 1


def test_what_the_sink_itself_could_not_put_out_is_counted_too() -> None:
    gate = Gate(is_open=True)
    gate.failed = 7
    worker = SinkWorker("log", gate)
    assert worker.dropped == 7
    assert worker.close(_SOON_S)


def test_the_thread_says_whom_it_serves_and_cannot_keep_the_process(hung: tuple[Gate, SinkWorker]) -> None:
    _, worker = hung
    thread = next(thread for thread in threading.enumerate() if thread.name == "deliver-console")
    assert thread.daemon
    assert "0 wait" in repr(worker)
