"""The ring of scores misses no window, stays within its bytes, and says where it knows nothing."""

from __future__ import annotations

import random
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from device.messages import Event, Fault
from device.web.live.score_ring import MOST_CHANGES, ScoreRing
from tests.device.web.live.heard_night import HOP_S, NOON_S, window

ALL = (NOON_S - 1e6, NOON_S + 1e6)


def _numbers(ring: ScoreRing) -> list[int]:
    return [item.number for item in ring.between(*ALL)]


def _event(phase: str, seq: int) -> Event:
    return Event("s-cry-cry-0", seq, "cry", "cry", phase, 0.9, 0.0, None, 2.0, "2 of 4")  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 8), min_size=1, max_size=60))
def test_no_window_is_missed_or_kept_twice_if_answers_overlap(steps: list[int]) -> None:
    ring, newest = ScoreRing(), 0
    for step in steps:
        newest += step
        told = [window(number) for number in range(max(1, newest - 8), newest + 1)]
        ring.add(NOON_S + newest * HOP_S, told, daemon=1)
    assert _numbers(ring) == list(range(1, newest + 1))
    assert len(ring.stretches) == 1


def test_a_window_that_was_missed_ends_a_stretch_and_says_why() -> None:
    ring = ScoreRing()
    ring.add(NOON_S + 1.0, [window(1), window(2)], daemon=1)
    ring.add(NOON_S + 20.0, [window(39), window(40)], daemon=1)
    first, second = ring.stretches
    assert (first.until_utc_s, second.from_utc_s) == (NOON_S + 1.0, NOON_S + 19.5)
    assert second.before == "the page did not ask the daemon in time, and missed what it heard"


def test_a_daemon_that_is_silent_for_a_while_and_told_all_the_same_ends_none() -> None:
    ring = ScoreRing()
    ring.add(NOON_S + 1.0, [window(1), window(2)], daemon=1)
    ring.miss("the daemon does not answer within 1 s")
    assert ring.why_not_now == "the daemon does not answer within 1 s"
    ring.add(NOON_S + 3.0, [window(number) for number in (2, 3, 4, 5, 6)], daemon=1)
    assert (len(ring.stretches), ring.why_not_now, _numbers(ring)) == (1, "", [1, 2, 3, 4, 5, 6])


def test_a_daemon_that_was_started_anew_begins_another_stretch_and_its_numbers_again() -> None:
    ring = ScoreRing()
    ring.add(NOON_S + 1.0, [window(1), window(2)], daemon=1)
    ring.miss("no daemon runs")
    assert (ring.known(1), ring.known(2)) == (2, 0)
    ring.add(NOON_S + 60.5, [window(1, stream="t")], daemon=2)
    assert ring.stretches[1].before == "the daemon was started anew (no daemon runs)"
    assert [item.stream for item in ring.between(*ALL)] == ["s", "s", "t"]


def test_a_clock_that_was_set_back_begins_another_stretch() -> None:
    ring = ScoreRing()
    ring.add(NOON_S + 100.0, [window(1)], daemon=1)
    ring.add(NOON_S + 50.0, [window(2)], daemon=1)
    assert ring.stretches[1].before == "the clock was set back"


def test_the_oldest_is_forgotten_within_the_bytes_and_that_is_said() -> None:
    ring, dice = ScoreRing(most_bytes=20_000), random.Random(1)
    for number in range(1, 6001):
        ring.add(NOON_S + number * HOP_S, [window(number, round(dice.random(), 6))], daemon=1)
    numbers = _numbers(ring)
    assert ring.packed_bytes <= 20_000
    assert numbers == list(range(numbers[0], 6001))
    assert numbers[0] > 1000
    (kept,) = ring.stretches
    assert (kept.from_utc_s, kept.before[:18]) == (NOON_S + numbers[0] * HOP_S, "it is too long ago")


def test_it_stays_bounded_however_much_it_is_told() -> None:
    ring, dice, events = ScoreRing(most_bytes=50_000), random.Random(1), (_event("begin", 0),)
    tracemalloc.start()
    for number in range(1, 8001):
        ring.add(NOON_S + number * HOP_S, [window(number, dice.random(), events=events)], daemon=1)
    held_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(ring.changes()) == MOST_CHANGES
    assert held_bytes < 3_000_000  # all items would take more than 10 MB


def test_events_and_faults_outlive_their_windows_and_gaps_do_not() -> None:
    ring = ScoreRing(most_bytes=1)
    fault = Fault("silence", begins=True, since_s=0.0, at_s=2.5, detail="all zero")
    gap = Fault("gap", begins=True, since_s=0.0, at_s=0.5, detail="0.500 s of sound are missing")
    ring.add(NOON_S + 1.0, [window(1, events=(_event("begin", 0),), faults=(fault, gap))], daemon=1)
    ring.add(NOON_S + 2.0, [window(2, faults=(gap,))], daemon=1)
    for number in range(3, 400):
        ring.add(NOON_S + number * HOP_S, [window(number)], daemon=1)
    (item,) = ring.changes()
    assert (len(item.heard.events), item.heard.scores) == (1, [])
    assert [each.kind for each in item.heard.faults] == ["silence"]
    assert 1 not in _numbers(ring)


def test_only_the_time_that_is_asked_for_is_read() -> None:
    ring = ScoreRing()
    for number in range(1, 1001):
        ring.add(NOON_S + number * HOP_S, [window(number)], daemon=1)
    assert [item.number for item in ring.between(NOON_S + 100.0, NOON_S + 101.0)] == [200, 201, 202]
