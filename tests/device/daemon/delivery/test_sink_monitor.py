"""The sink monitor: a hung sink is one fault with a begin and an end, dropped lines are reported once a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.daemon.delivery.sink_monitor import DROPPED_REPORT_EVERY_S, HUNG_AFTER_S, SinkMonitor
from device.messages import OperationNote

if TYPE_CHECKING:
    from device.messages import Notice


@dataclass
class _Sink:
    name: str = "console"
    dropped: int = 0
    stuck_s: float = 0.0

    def write(self, notice: Notice) -> None:
        """No notice is written here."""

    def stuck_for_s(self, now_s: float) -> float:  # noqa: ARG002 - as of any sink
        return self.stuck_s

    def close(self, deadline_s: float) -> bool:  # noqa: ARG002 - as of any sink
        return True


def test_hung_sinks_begin_one_fault_that_ends_with_the_last_of_them() -> None:
    monitor, console, log = SinkMonitor(), _Sink(), _Sink("log")
    sinks = (console, log)
    assert monitor.hang_fault(sinks, now_s=0.0, stream_s=100.0) is None
    console.stuck_s = log.stuck_s = HUNG_AFTER_S + 1.0
    begin = monitor.hang_fault(sinks, now_s=20.0, stream_s=120.0)
    assert begin is not None
    assert (begin.kind, begin.begins, begin.since_s, begin.at_s) == ("delivery", True, 110.0, 120.0)
    assert begin.detail == "the console and the log accepted no line for 10 s"
    console.stuck_s = 0.0
    assert monitor.hang_fault(sinks, now_s=21.0, stream_s=121.0) is None
    log.stuck_s = 0.0
    end = monitor.hang_fault(sinks, now_s=22.0, stream_s=122.0)
    assert end is not None
    assert (end.begins, end.since_s, end.at_s) == (False, 110.0, 122.0)


def test_dropped_lines_are_added_up_and_reported_once_a_minute() -> None:
    monitor, sink = SinkMonitor(), _Sink(dropped=3)
    assert monitor.dropped_note((sink,), 0.0) == OperationNote("dropped", "3 lines could not be written in time")
    sink.dropped = 5
    assert monitor.dropped_note((sink,), DROPPED_REPORT_EVERY_S - 1.0) is None
    sink.dropped = 7
    note = monitor.dropped_note((sink,), DROPPED_REPORT_EVERY_S)
    assert note == OperationNote("dropped", "4 lines could not be written in time")
    assert monitor.dropped_note((sink,), 3 * DROPPED_REPORT_EVERY_S) is None


def test_new_sinks_after_a_reload_are_counted_from_zero() -> None:
    monitor = SinkMonitor()
    monitor.dropped_note((_Sink(dropped=9),), 0.0)
    assert monitor.dropped_note((_Sink(dropped=0),), 100.0) is None
    note = monitor.dropped_note((_Sink(dropped=2),), 200.0)
    assert note == OperationNote("dropped", "2 lines could not be written in time")
