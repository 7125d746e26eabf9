"""What was heard in the last seconds is told window by window, is bounded, and comes back as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from device.errors import ServiceError
from device.messages import Decision, Event, Fault, Heard, Scores
from device.runtime.sockets.recent_hearing import KEPT_S, MOST_KEPT, RecentHearing, item_json, item_of, items_of
from device.runtime.sockets.status_socket import StatusServer, read_hearing, read_status

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

NOON_S = 1_700_000_000.0


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _heard(start_s: float = 4.0, score: float = 0.25) -> Heard:
    return Heard(
        scores=[Scores("cry", {"cry": score, "other": 0.5}, start_s, start_s + 2.0)],
        decisions=[Decision("cry", "cry", "off", "off: 0.25 is below on 0.70", score, start_s, start_s + 2.0)],
        events=[Event("s-cry-cry-0", 0, "cry", "cry", "begin", 0.9, 4.0, None, 6.0, "2 of 4", ((4.0, 0.9),))],
        faults=[Fault("gap", begins=True, since_s=3.0, at_s=3.5, detail="0.500 s of sound are missing")],
    )


def _add(recent: RecentHearing, heard: Heard, at_s: float = 6.0) -> None:
    recent.add(heard, stream="s", at_s=at_s, at_utc_s=NOON_S + at_s, speed=1.0)


def test_an_item_comes_back_as_it_was_but_for_the_windows_of_an_event() -> None:
    recent = RecentHearing(_Clock())
    _add(recent, _heard())
    (item,) = recent.items
    back = item_of(json.loads(json.dumps(item_json(item))))
    assert (back.number, back.stream, back.at_s, back.at_utc_s, back.speed) == (1, "s", 6.0, NOON_S + 6.0, 1.0)
    assert (back.heard.scores, back.heard.decisions) == (item.heard.scores, item.heard.decisions)
    assert back.heard.faults == item.heard.faults
    assert (back.heard.events[0].reason, back.heard.events[0].windows) == ("2 of 4", ())


def test_nothing_is_kept_of_a_turn_that_heard_nothing() -> None:
    recent = RecentHearing(_Clock())
    _add(recent, Heard())
    assert recent.items == ()


def test_old_items_are_forgotten_and_numbers_go_on() -> None:
    clock = _Clock()
    recent = RecentHearing(clock)
    for at_s in range(20):
        clock.now_s = 0.5 * at_s
        _add(recent, _heard(), float(at_s))
    assert [item.number for item in recent.items] == list(range(20 - int(KEPT_S / 0.5), 21))


def test_however_fast_it_is_fed_it_stays_bounded() -> None:
    recent = RecentHearing(_Clock())
    for _ in range(10 * MOST_KEPT):
        _add(recent, _heard())
    assert len(recent.items) == MOST_KEPT
    assert recent.items[-1].number == 10 * MOST_KEPT


def test_stream_and_day_are_converted_at_the_speed_of_a_recording() -> None:
    recent = RecentHearing(_Clock())
    recent.add(_heard(), stream="s", at_s=100.0, at_utc_s=NOON_S, speed=10.0)
    (item,) = recent.items
    assert item.utc_of(50.0) == NOON_S - 5.0
    assert item.stream_s_of(NOON_S - 5.0) == 50.0


def test_it_is_told_beside_the_state_and_the_state_alone_is_as_before(tmp_path: Path, state: DaemonState) -> None:
    recent = RecentHearing(_Clock())
    _add(recent, _heard())
    with StatusServer(tmp_path / "status.sock", lambda: state, lambda: recent.items):
        told, items = read_hearing(tmp_path / "status.sock")
        assert told.pid == read_status(tmp_path / "status.sock").pid == state.pid
    assert [item.heard.decisions[0].rule for item in items] == ["off: 0.25 is below on 0.70"]


def test_a_reader_leaves_out_what_it_has(tmp_path: Path, state: DaemonState) -> None:
    recent = RecentHearing(_Clock())
    for _ in range(5):
        _add(recent, _heard())
    with StatusServer(tmp_path / "status.sock", lambda: state, lambda: recent.items):
        _, items = read_hearing(tmp_path / "status.sock", known=lambda told: 3 if told.pid == state.pid else 0)
    assert [item.number for item in items] == [4, 5]


def test_a_daemon_that_tells_no_windows_is_understood(tmp_path: Path, state: DaemonState) -> None:
    with StatusServer(tmp_path / "status.sock", lambda: state):
        assert read_hearing(tmp_path / "status.sock")[1] == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"number": "1"},
        {"speed": 0.0},
        {"at_s": None},
        {"scores": {}},
        {"scores": [{"model": "cry", "probabilities": {"cry": "high"}, "start_s": 0.0, "end_s": 1.0}]},
        {"decisions": [{"model": "cry"}]},
        {"faults": [None]},
        {"events": [{}] * 1001},
    ],
)
def test_what_is_no_item_is_refused_in_a_sentence(changed: dict[str, Any]) -> None:
    recent = RecentHearing(_Clock())
    _add(recent, _heard())
    with pytest.raises(ServiceError, match="what the daemon tells"):
        items_of([{**item_json(recent.items[0]), **changed}])


@pytest.mark.parametrize("values", [{}, "none", [1]])
def test_what_is_no_list_of_items_is_refused(values: object) -> None:
    with pytest.raises(ServiceError, match="what the daemon tells"):
        items_of(values)
