"""Coverage: two figures that are 1.0 if all sound is scored, and one fault if too little is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.hearing.coverage import Coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.messages import Fault

WINDOW_S, HOP_S, STEP_S = 2.0, 0.5, 0.1


def _windows(from_s: float, to_s: float, hop_s: float) -> list[tuple[float, float]]:
    """(start, end) of each window that fits."""
    count = max(0, int((to_s - from_s - WINDOW_S) / hop_s + 1e-6) + 1)
    return [(from_s + index * hop_s, from_s + index * hop_s + WINDOW_S) for index in range(count)]


def _follow(
    coverage: Coverage,
    windows: list[tuple[float, float]],
    *,
    to_s: float,
    from_s: float = 0.0,
    lag_s: float = 0.0,
    trusted: bool = True,
    explained: Callable[[float], bool] = lambda _: False,
) -> Iterator[tuple[float, Fault | None]]:
    """The stream in slices of 100 ms; each window is scored `lag_s` after its end. (second, what was judged)."""
    coverage.advance_to(from_s)
    due = list(windows)
    for step in range(1, round((to_s - from_s) / STEP_S) + 1):
        now_s = from_s + step * STEP_S
        while due and due[0][1] + lag_s <= now_s + 1e-9:
            coverage.add_window(*due.pop(0), trusted=trusted)
        coverage.advance_to(now_s)
        yield now_s, coverage.check(explained=explained(now_s))


def _faults(checked: Iterator[tuple[float, Fault | None]]) -> list[tuple[float, bool]]:
    return [(round(now_s, 3), fault.begins) for now_s, fault in checked if fault is not None]


@settings(max_examples=30)
@given(
    hop_s=st.sampled_from([0.1, 0.25, 0.3125, 0.5, 1.0, 2.0]),
    lag_s=st.sampled_from([0.0, 0.1]),
    from_s=st.sampled_from([0.0, 7.03, 3600.0]),
)
def test_where_all_is_heard_both_figures_are_one_from_first_to_last(hop_s: float, lag_s: float, from_s: float) -> None:
    """Sound that waited for its window to be complete once counted as missed: 0.85 after 10 s, 0.95 after 30."""
    coverage, windows = Coverage(hop_s, WINDOW_S), _windows(from_s, from_s + 45, hop_s)
    for _, fault in _follow(coverage, windows, from_s=from_s, to_s=from_s + 45, lag_s=lag_s):
        assert fault is None
        assert coverage.listened == pytest.approx(1.0)
        assert coverage.windows == 1.0
    total = coverage.total
    assert total.listened_s == pytest.approx(total.elapsed_s)
    assert total.elapsed_s == pytest.approx(45, abs=WINDOW_S + 0.3)
    assert total.scored == total.due == pytest.approx(len(windows), abs=1)


@pytest.mark.parametrize(("hop_s", "part"), [(1.0, 0.5), (1.5, 1 / 3), (2.0, 0.25)])
def test_a_widened_hop_costs_windows_and_no_second(hop_s: float, part: float) -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    seen = []
    for now_s, fault in _follow(coverage, _windows(0, 62, hop_s), to_s=62):
        assert fault is None
        if now_s > 33:
            seen.append((coverage.listened, coverage.windows))
    assert np.allclose([listened for listened, _ in seen], 1.0)
    assert np.allclose([windows for _, windows in seen], part, atol=1 / 60 + 1e-9)


def test_a_window_every_four_seconds_leaves_half_of_them_unheard() -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    assert _faults(_follow(coverage, _windows(0, 70, 4.0), to_s=70)) == [(33.0, True)]
    assert coverage.listened == pytest.approx(0.5, abs=0.07)
    assert coverage.windows == pytest.approx(1 / 8, abs=0.02)


def test_nothing_heard_is_a_fault_once_and_its_end_once() -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    assert _faults(_follow(coverage, [], to_s=50)) == [(33.0, True)]
    assert coverage.fault_since_s == pytest.approx(0.8)
    assert _faults(_follow(coverage, _windows(50, 120, HOP_S), from_s=50, to_s=120)) == [(80.0, False)]
    assert coverage.fault_since_s is None
    assert coverage.listened == pytest.approx(1.0)


def test_the_fault_says_both_figures() -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    ((_, fault),) = [(now_s, fault) for now_s, fault in _follow(coverage, [], to_s=40) if fault is not None]
    assert fault is not None
    assert fault.kind == "coverage"
    assert fault.at_s == pytest.approx(33.0)
    assert fault.detail == "0% of the last 30 s were listened to, 0% of the windows"


@given(missed=st.integers(0, 60))
def test_a_fault_begins_under_four_fifths_and_not_over(missed: int) -> None:
    """Of 30 s, so many half seconds in a row are in no window."""
    heard_s = (60 - missed) * 0.5
    coverage = Coverage(HOP_S, WINDOW_S)
    windows = _windows(0, heard_s, HOP_S) if heard_s >= WINDOW_S else []
    found = _faults(_follow(coverage, windows, to_s=33.0))
    listened_s = heard_s if windows else 0.0
    # The half minute that is judged at 33.0 s began at 0.8 s.
    assert found == ([(33.0, True)] if max(0.0, listened_s - 0.8) < 0.8 * 30 - 1e-9 else [])


def test_what_another_fault_explains_is_not_told_again() -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    assert _faults(_follow(coverage, [], to_s=100, explained=lambda _: True)) == []
    assert coverage.listened == 0.0


def test_what_was_explained_is_never_held_against_what_comes_after() -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    list(_follow(coverage, [], to_s=100, explained=lambda _: True))
    assert _faults(_follow(coverage, _windows(100, 200, HOP_S), from_s=100, to_s=200)) == []
    assert _faults(_follow(coverage, [], from_s=200, to_s=300)) == [(209.0, True)]


def test_an_explanation_that_ends_gives_half_a_minute() -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    found = _faults(_follow(coverage, [], to_s=100, explained=lambda now_s: now_s < 50))
    assert found == [(82.0, True)]


def test_an_untrusted_window_is_scored_and_covers_nothing() -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    list(_follow(coverage, _windows(0, 40, HOP_S), to_s=40, trusted=False))
    assert (coverage.listened, coverage.windows) == (0.0, 1.0)
    assert coverage.total.listened_s == 0.0
    assert repr(coverage) == "Coverage(0% listened, 100% of windows)"


def test_before_anything_there_is_nothing_to_complain_of() -> None:
    coverage = Coverage(HOP_S, WINDOW_S)
    assert (coverage.listened, coverage.windows, coverage.total) == (1.0, 1.0, (0.0, 0.0, 0, 0))
    assert coverage.check(explained=False) is None


@settings(max_examples=50)
@given(
    gaps=st.lists(st.tuples(st.floats(0.5, 20), st.floats(0, 5)), max_size=6),
    hop_s=st.sampled_from([0.25, 0.5, 1.0]),
)
def test_the_seconds_are_those_that_windows_cover(gaps: list[tuple[float, float]], hop_s: float) -> None:
    """Segments with gaps between them: what is counted is what a plain mask of the stream says."""
    windows, at_s = [], 0.0
    for sound_s, missing_s in gaps:
        windows += _windows(at_s, at_s + sound_s, hop_s)
        at_s += sound_s + missing_s
    end_s = round(at_s, 1) + 5
    coverage = Coverage(hop_s, WINDOW_S)
    list(_follow(coverage, windows, to_s=end_s))
    covered = np.zeros(round(end_s * 1000), bool)
    for start_s, stop_s in windows:
        covered[round(start_s * 1000) : round(stop_s * 1000)] = True
    total = coverage.total
    assert total.elapsed_s == pytest.approx(end_s - WINDOW_S - 0.2)
    assert total.listened_s == pytest.approx(covered[: round(total.elapsed_s * 1000)].sum() / 1000, abs=0.01)
    newest = covered[round(max(0, total.elapsed_s - 30) * 1000) : round(total.elapsed_s * 1000)]
    assert coverage.listened == pytest.approx(newest.mean(), abs=0.01)
