"""No owed alarm is lost, whatever is killed and when. `make chaos` tries every fault, for over an hour."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.chaos.batches import ROUNDS_PER_BATCH, run_batch
from benchmarks.chaos.faults import Killed
from benchmarks.chaos.judgement import Copy, judge
from device.alarms.journal.entries import Entry

if TYPE_CHECKING:
    from device.alarms.journal.entries import Key

_AT_UTC_S = 1_795_230_000.0


def _copy(seq: int, alarm: str = "1f3a5b7c9d0e-cry-cry-0", **other: Any) -> Copy:
    payload = {
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
    return Copy({**payload, **other}, _AT_UTC_S + seq)


def _journalled(*copies: Copy) -> dict[Key, Entry]:
    return {copy.key: Entry(*copy.key, _AT_UTC_S, urgent=True, alarm="{}", body=json.dumps({})) for copy in copies}


def test_what_was_kept_and_came_is_held_to_have_arrived() -> None:
    copies = [_copy(0), _copy(1), _copy(1, decided_to_told_s=9.5, late=True)]
    found = judge(_journalled(*copies), copies)
    assert found.holds
    assert (found.owed, found.copies, found.lost) == (2, 1, [])


def test_what_was_kept_and_did_not_come_is_lost() -> None:
    found = judge(_journalled(_copy(0), _copy(1)), [_copy(0)])
    assert found.lost == [_copy(1).key]
    assert not found.holds


def test_what_was_told_as_durable_and_kept_by_nobody_is_found() -> None:
    found = judge(_journalled(_copy(0)), [_copy(0), _copy(1), _copy(2, not_durable=True)])
    assert found.unjournalled == [_copy(1).key]
    assert found.from_memory == 1
    assert not found.holds


def test_copies_that_say_different_things_are_found() -> None:
    found = judge(_journalled(_copy(0)), [_copy(0), _copy(0, change="ended")])
    assert found.contradictory == [_copy(0).key]
    assert not found.holds


def test_a_change_that_is_missing_between_others_is_lost_unless_its_daemon_was_killed() -> None:
    copies = [_copy(0, not_durable=True), _copy(2, not_durable=True)]
    assert judge({}, copies).lost == [_copy(1).key]
    assert judge({}, copies, killed_ids={"1f3a5b7c9d0e"}).holds


def test_numbers_that_a_restart_leaves_out_are_not_missing() -> None:
    copies = [_copy(0), _copy(1000), _copy(1001)]
    assert judge(_journalled(*copies), copies).holds


def test_a_delay_counts_from_the_decision_or_from_when_all_was_well_again() -> None:
    slow = _copy(0, decided_to_told_s=30.0)
    assert judge(_journalled(slow), [slow]).worst_delay_s == 30.0
    assert judge(_journalled(slow), [slow], recovered_utc_s=[_AT_UTC_S - 2.0]).worst_delay_s == 2.0
    by_clock = _copy(5, decided_to_told_s=None)
    assert judge(_journalled(by_clock), [by_clock], recovered_utc_s=[_AT_UTC_S + 6.0]).worst_delay_s == 5.0


def test_as_many_may_be_lost_as_a_damaged_journal_is_said_to_have_lost_and_no_more() -> None:
    detail = "the journal was damaged (page 3): 7 changes were read from it, 1 could not be; what it was is set aside"
    damaged = _copy(0, "b00-journal-0", name="journal", detail=detail)
    lost, another = _copy(0), _copy(0, "1f3a5b7c9d0e-cry-cry-1")
    assert judge(_journalled(damaged, lost), [damaged, damaged]).holds
    assert not judge(_journalled(damaged, lost, another), [damaged, damaged]).holds


@pytest.mark.system
@pytest.mark.timeout(400)
def test_of_25_kills_with_the_broker_down_none_loses_an_alarm() -> None:
    batch = run_batch(Killed(), ROUNDS_PER_BATCH, "ci")
    assert batch.judgement.owed > ROUNDS_PER_BATCH, batch
    assert batch.judgement.holds, batch
