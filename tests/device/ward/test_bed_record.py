"""A bed's alarms are the same whatever order and however often its messages arrive, and after a restart of the ward."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.ward.bed_messages import UnreadableError
from device.ward.bed_record import MAX_ALARMS, BedRecord

if TYPE_CHECKING:
    import random


def moment(second: int) -> str:
    return f"2026-11-21T02:{second // 60:02d}:{second % 60:02d}.000Z"


def change(alarm_id: str, seq: int, what: str = "raised", **other: Any) -> bytes:
    members = {
        "alarm_id": alarm_id,
        "seq": seq,
        "change": what,
        "kind": "sound",
        "name": "cry",
        "model": "cry",
        "state": "ended" if what == "ended" else "active",
        "priority": "high",
        "acknowledged": False,
        "detail": "2 of 3",
        "cause": "begin",
        "start_utc": moment(0),
        "decided_utc": moment(seq),
        "time_quality": "synchronized",
    }
    return json.dumps({**members, **other}).encode()


def state(told_s: int, *alarms: bytes, **other: Any) -> bytes:
    members = {
        "hearing": True,
        "alarms": [json.loads(each) for each in alarms],
        "omitted": 0,
        "told_utc": moment(told_s),
    }
    return json.dumps({**members, **other}).encode()


def shown(bed: BedRecord) -> list[tuple[str, str, bool, str | None]]:
    return [(alarm.alarm_id, alarm.state, alarm.acknowledged, alarm.acknowledged_by) for alarm in bed.open_alarms()]


HISTORIES: dict[str, list[bytes]] = {
    "a": [change("a", 0), change("a", 1, "latched", state="latched"), change("a", 2, "reminded", state="latched")],
    "b": [change("b", 0), change("b", 1, "acknowledged", acknowledged=True, cause="acknowledged by Nora (mqtt)")],
    "c": [change("c", 0), change("c", 3, "ended")],
    "d": [change("d", 1000), change("d", 1002, "priority", priority="medium")],
}
EXPECTED = [
    ("a", "latched", False, None),
    ("b", "active", True, "Nora (mqtt)"),
    ("d", "active", False, None),
]


@given(st.randoms(use_true_random=False), st.integers(0, 3))
def test_neither_order_nor_copies_change_what_is_open(rng: random.Random, copies: int) -> None:
    messages = [message for history in HISTORIES.values() for message in history]
    messages += [message for message in messages for _ in range(rng.randint(0, copies))]
    rng.shuffle(messages)
    bed = BedRecord("anna")
    for message in messages:
        bed.apply("alarm/sound/cry/cry", message)
    assert shown(bed) == EXPECTED


def test_after_a_restart_the_retained_state_alone_says_what_is_open_since_when_and_who_saw_it() -> None:
    bed = BedRecord("anna")
    bed.apply("state", state(9, change("b", 0, acknowledged=True, acknowledged_by="Nora (mqtt)", start_utc=moment(3))))
    (alarm,) = bed.open_alarms()
    assert (alarm.alarm_id, alarm.acknowledged_by, alarm.start_utc) == ("b", "Nora (mqtt)", moment(3))


def test_the_newer_of_state_and_change_counts() -> None:
    for first, second in ((("state", 0), ("alarm/x", 1)), (("alarm/x", 1), ("state", 0))):
        messages = [
            state(5, change("a", 0)),
            change("a", 6, "acknowledged", acknowledged=True, cause="acknowledged by X"),
        ]
        bed = BedRecord("anna")
        for topic, index in (first, second):
            bed.apply(topic, messages[index])
        assert shown(bed) == [("a", "active", True, "X")]
        bed.apply("state", state(7, change("a", 0, priority="low", acknowledged=True)))
        (alarm,) = bed.open_alarms()
        assert (alarm.priority, alarm.acknowledged_by) == ("low", "X")


def test_an_alarm_that_a_later_state_does_not_list_is_over_but_not_if_a_clock_or_a_list_cannot_be_trusted() -> None:
    def left(told_s: int, omitted: int = 0, quality: str = "synchronized") -> list[str]:
        bed = BedRecord("anna")
        bed.apply("alarm/x", change("a", 5, time_quality=quality))
        bed.apply("state", state(told_s, omitted=omitted))
        return [alarm.alarm_id for alarm in bed.open_alarms()]

    assert left(6) == []
    assert left(4) == ["a"], "this state is older than the alarm"
    assert left(6, omitted=1) == ["a"]
    assert left(6, quality="unsynchronized") == ["a"]


def test_a_bed_that_never_ends_an_alarm_takes_bounded_memory_and_keeps_what_is_open() -> None:
    bed = BedRecord("anna")
    bed.apply("alarm/x", change("open", 0))
    for index in range(2 * MAX_ALARMS):
        bed.apply("alarm/x", change(f"e{index}", 0, "ended"))
    assert [alarm.alarm_id for alarm in bed.open_alarms()] == ["open"]
    for index in range(2 * MAX_ALARMS):
        bed.apply("alarm/x", change(f"o{index}", 0))
    assert len(bed.open_alarms()) == MAX_ALARMS


HOSTILE = [
    b"",
    b"no JSON",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 50_000,
    b"9" * 50_000,
    b'{"a":' * 5000,
    b"{" + b" " * (1 << 17) + b"}",
    change("", 0),
    change("a", -1),
    change("a", 2**60),
    change("a", 1).replace(b'"seq": 1', b'"seq": true'),
    change("a", 1).replace(b'"seq": 1', b'"seq": "1"'),
    change("a", 0, state="gone"),
    change("a", 0, priority=["high"]),
    change("a", 0, acknowledged=None),
    change("a", 0, decided_utc="yesterday"),
    change("a", 0, start_utc=5),
    change("a", 0, name=None),
    state(0, alarms="all"),
    state(0, alarms=[1]),
    state(0, alarms=[{}] * 1000),
    state(0, omitted=-1),
    state(0, hearing="yes"),
    b'{"open":[{"kind":1}]}',
    b'{"listened":NaN}',
    b'{"listened":2}',
    b'{"listened":true}',
    b'{"listened":1,"night":[]}',
    b'{"listened":1,"night":{"since_utc":"noon","elapsed_s":2,"listened_s":1}}',
    b'{"listened":1,"night":{"since_utc":"2026-11-21T12:00:00.000Z","elapsed_s":1,"listened_s":2}}',
    b'{"listened":1,"night":{"since_utc":"2026-11-21T12:00:00.000Z","elapsed_s":-1,"listened_s":0}}',
    b'{"listened":1,"night":{"since_utc":"2026-11-21T12:00:00.000Z","elapsed_s":1e300,"listened_s":0}}',
    b'{"listened":1,"night":{"since_utc":"2026-11-21T12:00:00.000Z","elapsed_s":1}}',
    b'{"version":"1","models":[1]}',
]


@pytest.mark.parametrize("topic", ["available", "state", "faults", "coverage", "software", "alarm/sound/cry/cry"])
@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_a_payload_that_cannot_be_read_changes_nothing(topic: str, payload: bytes) -> None:
    bed = BedRecord("anna")
    bed.apply("state", state(9, change("b", 0)))
    bed.apply("coverage", b'{"listened":0.5,"windows":1}')  # of a version that says nothing of the night
    before = shown(bed), bed.faults, bed.software, bed.is_offline, bed.coverage
    try:
        bed.apply(topic, payload)
    except UnreadableError:
        assert (shown(bed), bed.faults, bed.software, bed.is_offline, bed.coverage) == before
    else:
        pytest.fail("it was taken for a message of a bed")


def test_a_long_text_is_cut() -> None:
    bed = BedRecord("anna")
    bed.apply("alarm/x", change("a", 0, detail="x" * 60_000))
    (alarm,) = bed.open_alarms()
    assert len(alarm.detail) == 500
