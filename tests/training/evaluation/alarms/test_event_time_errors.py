"""The figures of event times: what was not heard has none, and the errors are absolute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.messages import Event
from training.evaluation.alarms.event_time_errors import errors, read_intervals, row, timing

if TYPE_CHECKING:
    from pathlib import Path

    from device.messages import Phase


def _event(phase: Phase, reason: str = "quiet", onset_s: float = 5.1, offset_s: float | None = None) -> Event:
    end_s = None if phase != "end" else 11.5
    return Event("s-cry-cry-0", 0, "cry", "cry", phase, 0.9, 3.5, end_s, 7.0, reason, (), onset_s, offset_s)


def test_a_cry_is_timed_by_its_first_beginning_and_its_last_end() -> None:
    timed = timing([_event("begin"), _event("end", offset_s=9.0), _event("reopen"), _event("end", offset_s=9.9)], 5, 10)
    assert timed is not None
    assert (timed.onset_s, timed.offset_s, timed.window_start_s, timed.window_end_s) == (5.1, 9.9, 3.5, 11.5)
    assert timing([], 5.0, 10.0) is None
    cut_off = timing([_event("begin"), _event("end", "end_of_file", offset_s=9.9)], 5.0, 10.0)
    assert cut_off is not None
    assert cut_off.offset_s is None


def test_a_row_counts_what_was_heard_and_gives_absolute_errors() -> None:
    timed = timing([_event("begin"), _event("end", offset_s=9.9)], 5.0, 10.0)
    assert row("5 dB", [timed, None]) == "| 5 dB | 1 of 2 | 0.10, 0.10, 0.10 | 0.10, 0.10, 0.10 |"
    assert errors([]) == "-"


def test_intervals_are_read_by_listed_file(tmp_path: Path) -> None:
    path = tmp_path / "cry_intervals.csv"
    path.write_text("file,start_s,end_s\ncry/a.ogg,0.5,1.5\ncry/a.ogg,2.5,3.0\n")
    assert read_intervals(path) == {"donateacry/cry/a.ogg": [(0.5, 1.5), (2.5, 3.0)]}
