"""The night is a sum that survives restarts, steps of the clock and noons, and never says more than was listened to."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daemon.publishing.night_coverage import KEPT_EVERY_S, SETTLING_S, NightCoverage
from device.messages import NightShare
from device.runtime.clocks import Clocks, Timekeeper

NOON_S = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
EVENING_S = NOON_S + 8 * 3600
DAY_S = 24 * 3600


class Process:
    """One start of a daemon, which listens to all that passes unless it is told otherwise."""

    def __init__(self, utc_s: float, note: str | None = None, zone: str = "UTC") -> None:
        self.utc_s = utc_s
        self.now_s = self.listened_s = 0.0
        clocks = Clocks(lambda: self.now_s, lambda: self.utc_s)
        self.night = NightCoverage(Timekeeper(clocks, is_synchronized=lambda: True, zone=ZoneInfo(zone)))
        self.night.update(0.0)
        self.night.restore(note)

    def pass_by(self, seconds: float, *, hears: bool = True) -> NightShare | None:
        self.now_s, self.utc_s = self.now_s + seconds, self.utc_s + seconds
        self.listened_s += seconds * hears
        return self.night.update(self.listened_s)


def missed_s(share: NightShare | None) -> float:
    assert share is not None
    return share.elapsed_s - share.listened_s


def test_what_was_listened_to_is_the_whole_night_and_what_was_not_is_missing() -> None:
    daemon = Process(EVENING_S)
    assert daemon.pass_by(SETTLING_S) is None, "the newest seconds do not count"
    assert daemon.pass_by(3600.0) == NightShare(EVENING_S, 3600.0, 3600.0)
    assert missed_s(daemon.pass_by(600.0, hears=False)) == pytest.approx(600.0, abs=SETTLING_S)
    assert missed_s(daemon.pass_by(3600.0)) == pytest.approx(600.0, abs=SETTLING_S)


def test_a_restart_goes_on_and_the_time_between_was_missed() -> None:
    first = Process(EVENING_S)
    first.pass_by(3600.0)
    second = Process(first.utc_s + 900.0, first.night.note)
    share = second.pass_by(3600.0)
    assert share is not None
    assert share.since_utc_s == EVENING_S
    assert missed_s(share) == pytest.approx(900.0, abs=SETTLING_S)
    second.night.restore(None)
    assert second.pass_by(1.0).since_utc_s == EVENING_S, "another journal, after a reload, changes nothing"  # type: ignore[union-attr]


def test_a_night_begins_at_noon_and_one_that_began_without_a_daemon_was_missed_till_it_started() -> None:
    daemon = Process(NOON_S - 3600.0)
    daemon.pass_by(3000.0, hears=False)
    daemon.pass_by(600.0)
    share = daemon.pass_by(3600.0)
    assert share is not None
    assert (share.since_utc_s, missed_s(share)) == (NOON_S, 0.0)
    later = Process(NOON_S + DAY_S + 1800.0, daemon.night.note)
    share = later.pass_by(1800.0)
    assert share is not None
    assert share.since_utc_s == NOON_S + DAY_S
    assert missed_s(share) == pytest.approx(1800.0, abs=SETTLING_S)


def test_the_noon_is_that_of_the_zone() -> None:
    daemon = Process(EVENING_S, zone="Asia/Tokyo")
    share = daemon.pass_by(DAY_S)
    assert share is not None
    assert share.since_utc_s == datetime(2026, 11, 22, 12, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()
    assert missed_s(share) == 0.0


def test_a_clock_that_is_set_late_neither_adds_time_nor_loses_the_night_before_a_power_cut() -> None:
    fresh = Process(0.0)
    fresh.pass_by(60.0)
    fresh.utc_s += EVENING_S
    share = fresh.pass_by(60.0)
    assert share is not None
    assert (share.elapsed_s, missed_s(share)) == (120.0 - SETTLING_S, 0.0)
    first = Process(EVENING_S)
    first.pass_by(3600.0)
    cut = Process(first.utc_s + 1.0, first.night.note)  # the clock stood still while there was no power
    cut.pass_by(60.0)
    cut.utc_s += 1200.0
    assert missed_s(cut.pass_by(60.0)) == pytest.approx(1200.0, abs=SETTLING_S + 1.0)


def test_the_sum_is_kept_every_five_minutes_once_the_journal_was_read() -> None:
    daemon = Process(EVENING_S)
    clocks = Clocks(lambda: 0.0, lambda: EVENING_S)
    unread = NightCoverage(Timekeeper(clocks, is_synchronized=lambda: True, zone=UTC))
    unread.update(0.0)
    assert (unread.pop_note(0.0), unread.note) == (None, None), "it would overwrite what the journal has"
    notes = [daemon.night.pop_note(float(second)) is not None for second in range(int(2 * KEPT_EVERY_S))]
    assert [second for second, written in enumerate(notes) if written] == [0, int(KEPT_EVERY_S)]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        "7",
        '{"since_utc_s":1}',
        '{"since_utc_s":0,"listened_s":-1}',
        '{"since_utc_s":0,"listened_s":NaN}',
    ],
)
def test_a_note_that_is_none_is_as_good_as_none(note: str) -> None:
    daemon = Process(EVENING_S, note)
    assert daemon.pass_by(100.0) == NightShare(EVENING_S, 100.0 - SETTLING_S, 100.0 - SETTLING_S)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 20_000.0), st.sampled_from(["hears", "deaf", "down", "step"])), min_size=1, max_size=30
    )
)
def test_no_history_makes_more_listened_seconds_than_there_were(history: list[tuple[float, str]]) -> None:
    daemon = Process(EVENING_S)
    for seconds, what in history:
        if what == "down":
            daemon = Process(daemon.utc_s + seconds, daemon.night.note)
        elif what == "step":
            daemon.utc_s += seconds - 10_000.0
        share = daemon.pass_by(seconds if what in {"hears", "deaf"} else 0.1, hears=what == "hears")
        if share is not None:
            assert 0.0 <= share.listened_s <= share.elapsed_s
            assert share.since_utc_s <= daemon.utc_s
