"""A sign becomes a fault once it has lasted, and the fault ends once the sign has been absent as long as promised."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from device.hearing.deafness.sign_tracker import Change, SignTracker

STEP = 10
FOUND, OVER = 3 * STEP, 2 * STEP


def changes(tracker: SignTracker, signs: str, start: int = 0) -> list[tuple[int, Change]]:
    """Feed one step a letter, `x` with the sign and `.` without -> (sample, change) for each change."""
    found = []
    for index, sign in enumerate(signs):
        since = start + index * STEP
        change = tracker.step(since if sign == "x" else None, since + STEP)
        if change is not None:
            found.append((since + STEP, change))
    return found


@given(signs=st.text("x.", max_size=60))
@example(signs="xxx.x.x..")
def test_a_fault_is_open_exactly_between_a_lasting_sign_and_its_lasting_absence(signs: str) -> None:
    tracker = SignTracker(FOUND, OVER)
    is_open = False
    for index in range(len(signs)):
        changed = changes(tracker, signs[index], index * STEP)
        newest = signs[: index + 1]
        present, absent = newest.endswith("xxx"), newest.endswith("...")  # absence counts from its first step's end
        is_open = (is_open or present) and not absent
        assert (tracker.open_since is not None) == is_open
        assert [change.begins for _, change in changed] in ([], [is_open])


def test_a_fault_is_dated_back_to_the_first_sample_of_its_sign_at_begin_and_end() -> None:
    tracker = SignTracker(FOUND, OVER)
    assert changes(tracker, ".xxxx...") == [(40, Change(begins=True, since=10)), (80, Change(begins=False, since=10))]


def test_a_sign_that_returns_before_the_fault_is_over_continues_it() -> None:
    assert changes(SignTracker(FOUND, OVER), "xxx..xxx..x") == [(30, Change(begins=True, since=0))]


def test_a_sign_is_suspected_from_its_first_step_on_and_until_it_is_absent() -> None:
    tracker = SignTracker(FOUND, OVER)
    suspected = []
    for index, sign in enumerate("x.xxx.."):
        changes(tracker, sign, index * STEP)
        suspected.append(tracker.since)
    assert suspected == [0, None, 20, 20, 20, 20, 20]


def test_a_gap_breaks_a_run_of_the_sign_and_of_its_absence_but_no_fault() -> None:
    tracker = SignTracker(FOUND, OVER)
    assert changes(tracker, "xx") == []
    tracker.break_run()
    assert changes(tracker, "xx", 100) == []
    assert changes(tracker, "x", 120) == [(130, Change(begins=True, since=100))]
    assert changes(tracker, "..", 130) == []
    tracker.break_run()
    assert tracker.open_since == 100
    assert changes(tracker, "..", 500) == []
    assert changes(tracker, ".", 520) == [(530, Change(begins=False, since=100))]
