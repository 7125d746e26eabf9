"""A figure is published when it has moved, and repeated seldom while it stays where it is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from device.daemon.publishing.figure_pace import REPEATED_EVERY_S, SIGN_EVERY_S, FigurePace

_STEP = 3.0


@given(st.lists(st.one_of(st.none(), st.floats(-120, 0)), min_size=1, max_size=50), st.floats(0.5, 400.0))
def test_no_subscriber_is_further_off_than_a_step_or_waits_longer_than_the_repetition(
    values: list[float | None], every_s: float
) -> None:
    pace = FigurePace()
    known: float | None = None
    known_s = float("-inf")
    for turn, value in enumerate(values):
        now_s = turn * every_s
        if pace.is_due("level", value, now_s, step=_STEP):
            pace.record("level", value, now_s)
            known, known_s = value, now_s
        assert (known is None) == (value is None)
        assert known is None or value is None or abs(known - value) < _STEP
        assert now_s - known_s < REPEATED_EVERY_S


def test_each_figure_has_its_own_pace_and_all_are_due_again_once_forgotten() -> None:
    pace = FigurePace()
    pace.record("level", -50.0, 0.0)
    assert pace.is_due("score", 0.0, 0.0, step=_STEP)
    assert not pace.is_due("level", -50.0, REPEATED_EVERY_S - 1.0, step=_STEP)
    assert pace.is_due("level", -50.0, REPEATED_EVERY_S, step=_STEP)
    pace.forget()
    assert pace.is_due("level", -50.0, 1.0, step=_STEP)


@given(st.integers(1, 8), st.floats(0.1, 10.0))
def test_something_is_published_often_enough_and_each_figure_in_its_turn(count: int, every_s: float) -> None:
    pace = FigurePace()
    names = [f"score-{index}" for index in range(count)]
    for name in names:
        pace.record(name, 0.1, 0.0)
    pace.record_sign(0.0)
    published: list[tuple[float, str]] = [(0.0, names[-1])]
    for turn in range(1, round(1000.0 / every_s)):
        due = pace.next_sign(names, turn * every_s)
        if due is not None:
            pace.record(due, 0.1, turn * every_s)
            pace.record_sign(turn * every_s)
            published.append((turn * every_s, due))
    gaps = [later - at_s for (at_s, _), (later, _) in pairwise(published)]
    assert all(SIGN_EVERY_S <= gap < SIGN_EVERY_S + every_s + 1e-6 for gap in gaps)
    assert [name for _, name in published[1:]] == [names[turn % count] for turn in range(len(published) - 1)]


def test_no_sign_is_needed_while_figures_move_and_none_can_be_given_without_figures() -> None:
    pace = FigurePace()
    pace.record_sign(100.0)
    assert pace.next_sign(["level"], 100.0 + SIGN_EVERY_S - 0.1) is None
    assert pace.next_sign(["level"], 100.0 + SIGN_EVERY_S) == "level"
    assert pace.next_sign([], 100.0 + SIGN_EVERY_S) is None
