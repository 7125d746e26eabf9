"""The backlog hands out every ordinal once, by alarm, what is urgent and new first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device.daemon.delivery.backlog import Backlog


def _drained(backlog: Backlog, at_once: int = 3) -> list[int]:
    drained: list[int] = []
    while rows := backlog.peek(at_once):
        backlog.remove(rows)
        drained += [ordinal for _, ordinal in rows]
    return drained


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 7), st.integers(0, 40))
def test_every_ordinal_comes_once_and_those_of_one_alarm_in_order(alarms: list[int], at_once: int, loaded: int) -> None:
    backlog = Backlog()
    rows = [(f"a{alarm}", ordinal) for ordinal, alarm in enumerate(alarms)]
    backlog.load(reversed(rows[:loaded]))
    for alarm_id, ordinal in rows[loaded:]:
        backlog.add(alarm_id, ordinal, urgent=ordinal % 2 == 0)
    assert len(backlog) == len(rows)
    drained = _drained(backlog, at_once)
    assert sorted(drained) == list(range(len(rows)))
    for alarm in range(6):
        of_one = [ordinal for ordinal in drained if alarms[ordinal] == alarm]
        assert of_one == sorted(of_one)
    assert len(backlog) == 0


def test_alarms_come_in_the_order_of_their_rows_new_urgent_and_preferred_ones_first() -> None:
    backlog = Backlog()
    backlog.load([("urgent", 9), ("urgent", 4), ("old", 1), ("later", 2), ("urgent", 3)])
    backlog.add("new", 10, urgent=False)
    backlog.add("cry", 11, urgent=True)
    assert [ordinal for _, ordinal in backlog.peek(99)] == [11, 3, 4, 9, 1, 2, 10]
    backlog.prefer("later")
    assert backlog.peek(2) == [("later", 2), ("cry", 11)]
    assert backlog.peek(2, skip={"later", "cry", "urgent"}) == [("old", 1), ("new", 10)]
    assert (backlog.head("urgent"), backlog.head("none")) == (3, None)


def test_a_row_that_is_not_there_any_more_is_ignored() -> None:
    backlog = Backlog()
    backlog.load([("a", 1)])
    backlog.remove([("a", 1), ("b", 2)])
    assert len(backlog) == 0
