"""Whatever dies, and whenever: what was owed arrives. `make chaos` tries more of it, for hours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.chaos.faults import Killed
from benchmarks.chaos.judgement import Copy, judge
from benchmarks.chaos.lots import LOT, try_lot
from device.alarms.journal.entries import Entry

if TYPE_CHECKING:
    from device.alarms.journal.entries import Key

_AT_UTC_S = 1_795_230_000.0


def _told(seq: int, alarm: str = "1f3a5b7c9d0e-cry-cry-0", **other: Any) -> Copy:
    said = {
        "alarm_id": alarm,
        "seq": seq,
        "name": "cry",
        "change": "raised",
        "detail": "3 of 4 windows at or above 0.6",
        "decided_utc": "2026-11-21T03:00:00.000Z",
        "decided_to_told_s": 0.25,
        "late": False,
        "not_durable": False,
    }
    return Copy({**said, **other}, _AT_UTC_S + seq)


def _kept(*copies: Copy) -> dict[Key, Entry]:
    return {copy.key: Entry(*copy.key, _AT_UTC_S, urgent=True, alarm="{}", body=json.dumps({})) for copy in copies}


def test_what_was_kept_and_came_is_held_to_have_arrived() -> None:
    copies = [_told(0), _told(1), _told(1, decided_to_told_s=9.5, late=True)]
    found = judge(_kept(*copies), copies)
    assert found.holds
    assert (found.owed, found.copies, found.lost) == (2, 1, [])


def test_what_was_kept_and_did_not_come_is_lost() -> None:
    found = judge(_kept(_told(0), _told(1)), [_told(0)])
    assert found.lost == [_told(1).key]
    assert not found.holds


def test_what_was_told_as_durable_and_kept_by_nobody_is_found() -> None:
    found = judge(_kept(_told(0)), [_told(0), _told(1), _told(2, not_durable=True)])
    assert found.unkept == [_told(1).key]
    assert found.from_memory == 1
    assert not found.holds


def test_copies_that_say_different_things_are_found() -> None:
    found = judge(_kept(_told(0)), [_told(0), _told(0, change="ended")])
    assert found.contradicted == [_told(0).key]
    assert not found.holds


def test_a_change_that_is_missing_between_others_is_lost_unless_its_daemon_was_killed() -> None:
    copies = [_told(0, not_durable=True), _told(2, not_durable=True)]
    assert judge({}, copies).lost == [_told(1).key]
    assert judge({}, copies, killed={"1f3a5b7c9d0e"}).holds


def test_numbers_that_a_restart_leaves_out_are_not_missing() -> None:
    copies = [_told(0), _told(1000), _told(1001)]
    assert judge(_kept(*copies), copies).holds


def test_a_delay_counts_from_the_decision_or_from_when_all_was_well_again() -> None:
    slow = _told(0, decided_to_told_s=30.0)
    assert judge(_kept(slow), [slow]).worst_delay_s == 30.0
    assert judge(_kept(slow), [slow], well_utc_s=[_AT_UTC_S - 2.0]).worst_delay_s == 2.0
    by_clock = _told(5, decided_to_told_s=None)
    assert judge(_kept(by_clock), [by_clock], well_utc_s=[_AT_UTC_S + 6.0]).worst_delay_s == 5.0


def test_as_many_may_be_lost_as_a_damaged_journal_is_said_to_have_lost_and_no_more() -> None:
    said = "the journal was damaged (page 3): 7 changes were read from it, 1 could not be; what it was is set aside"
    told = _told(0, "b00-journal-0", name="journal", detail=said)
    lost, another = _told(0), _told(0, "1f3a5b7c9d0e-cry-cry-1")
    assert judge(_kept(told, lost), [told, told]).holds
    assert not judge(_kept(told, lost, another), [told, told]).holds


@pytest.mark.system
@pytest.mark.timeout(400)
def test_of_25_kills_with_the_broker_down_none_loses_an_alarm() -> None:
    lot = try_lot(Killed(), LOT, "ci")
    assert lot.judgement.owed > LOT, lot
    assert lot.judgement.holds, lot
