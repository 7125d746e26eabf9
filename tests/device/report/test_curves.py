"""Score curves that stay short and lose no peak."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from device.report.curves import MOST_POINTS, CurveCollector


def _collected(probabilities: list[float], most_points: int) -> CurveCollector:
    collector = CurveCollector(most_points=most_points)
    for number, probability in enumerate(probabilities):
        collector.add(number * 0.5, number * 0.5 + 2.0, probability)
    return collector


def test_a_curve_of_few_windows_is_exact() -> None:
    probabilities = np.random.default_rng(3).random(MOST_POINTS).tolist()
    start_s, end_s, kept = _collected(probabilities, MOST_POINTS).points()
    assert kept.tolist() == probabilities
    assert start_s.tolist() == [number * 0.5 for number in range(MOST_POINTS)]
    assert (end_s - start_s == 2.0).all()


@given(st.lists(st.floats(0.0, 1.0), max_size=300))
def test_no_curve_is_too_long_and_every_point_is_a_window_in_order(probabilities: list[float]) -> None:
    start_s, _, kept = _collected(probabilities, 16).points()
    assert len(kept) <= 16
    assert (np.diff(start_s) > 0).all()
    assert [probabilities[round(s * 2)] for s in start_s] == kept.tolist()


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=300))
def test_the_highest_and_the_lowest_window_are_never_lost(probabilities: list[float]) -> None:
    _, _, kept = _collected(probabilities, 16).points()
    assert kept.max() == max(probabilities)
    assert kept.min() == min(probabilities)


def test_a_single_peak_in_ten_hours_keeps_its_time() -> None:
    probabilities = [0.01] * 72_000
    probabilities[51_234] = 0.99
    start_s, _, kept = _collected(probabilities, MOST_POINTS).points()
    assert start_s[kept.argmax()] == 51_234 / 2


def test_a_label_without_windows_has_an_empty_curve() -> None:
    assert [len(values) for values in CurveCollector().points()] == [0, 0, 0]
