"""Attention that lies on events, attention that knows nothing, and attention over normal breathing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.data.datasets.annotated_recording import AnnotatedSpan
from training.evaluation.attention.attention_maps import WindowAttention
from training.evaluation.attention.attention_worth import event_spans, worth_figures

if TYPE_CHECKING:
    from training.evaluation.measured import Figure

EVENT = [(0.5, 1.0)]


def window(*, peak_s: float | None = None) -> WindowAttention:
    """Twenty frames of 0.1 s; the attention is on one of them, or on all alike."""
    frame_s = np.arange(20, dtype=np.float64) * 0.1 + 0.05
    shares = np.full((20, 4), 1 / 80)
    if peak_s is not None:
        shares = np.zeros((20, 4))
        shares[int(np.argmin(np.abs(frame_s - peak_s))), 1] = 1.0
    return WindowAttention(np.full(4, 0.25), shares, 0.0, frame_s, np.arange(6.0))


def figures(windows: dict[str, list[tuple[WindowAttention, list[tuple[float, float]]]]]) -> dict[str, Figure]:
    return {one.measure: one for one in worth_figures("han", windows, rng=np.random.default_rng(0))}


def test_attention_on_the_events_exceeds_their_share_of_the_time() -> None:
    found = figures({name: [(window(peak_s=0.75), EVENT), (window(), [])] for name in "abc"})
    assert found["attention within events"].value == pytest.approx(1.0)
    assert found["time within events"].value == pytest.approx(0.25)
    assert found["attention / time within events"].value == pytest.approx(4.0)
    assert found["entropy of attention"].value == pytest.approx(1.0)
    assert (found["entropy of attention"].subjects, found["entropy of attention"].items) == (3, 3)


def test_attention_that_knows_nothing_has_a_ratio_of_one() -> None:
    assert figures({"a": [(window(), EVENT)]})["attention / time within events"].value == pytest.approx(1.0)


def test_a_window_that_events_fill_says_nothing_of_where() -> None:
    found = figures({"a": [(window(peak_s=0.75), [(0.0, 2.0)])]})
    assert found["attention within events"].value is None
    assert found["entropy of attention"].value is None


def test_intervals_come_from_subjects() -> None:
    mixed = {f"p{number}": [(window(peak_s=0.75 if number % 2 else 1.5), EVENT)] for number in range(10)}
    found = figures(mixed)["attention within events"]
    assert found.value == pytest.approx(0.5)
    assert found.low is not None
    assert found.high is not None
    assert 0.1 < found.low < 0.5 < found.high < 0.9


def test_normal_breathing_is_no_event() -> None:
    events = [AnnotatedSpan(0, 1, "Normal"), AnnotatedSpan(1, 2, "Wheeze"), AnnotatedSpan(2, 3, "normal")]
    assert event_spans(events) == [(1, 2)]
