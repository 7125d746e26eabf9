"""Many windows of few examples: each has its example's target, and its middle in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.datasets.annotated_recording import AnnotatedRecording
from training.data.examples import Example
from training.preparation.dense_windows import dense_windows


def example(start_s: float, end_s: float, duration_s: float, target: float = 1.0) -> Example:
    recording = AnnotatedRecording(Path("a.wav"), "x", (), "s", "", "", 16_000, duration_s, (), "")
    return Example(recording, start_s, end_s, (target,), "s", "train")


@given(start_s=st.floats(0, 15), length_s=st.floats(0.1, 5), count=st.integers(1, 40))
def test_windows_lie_in_the_recording_and_their_middles_in_the_example(
    start_s: float, length_s: float, count: int
) -> None:
    windows = dense_windows([example(start_s, start_s + length_s, 20.0)], 2.0, count)
    assert len(windows) == count
    for one in windows:
        assert 0 <= one.start_s <= one.end_s <= 20
        assert one.end_s - one.start_s == pytest.approx(2.0)
        middle_s = (one.start_s + one.end_s) / 2
        assert start_s <= max(middle_s, start_s + 0.05) or one.start_s == 0
        assert middle_s <= start_s + length_s or one.start_s == 0


def test_each_example_gives_as_many_with_its_own_target() -> None:
    windows = dense_windows([example(1, 2, 20, 1.0), example(5, 9, 20, 0.0), example(9, 10, 20, 0.0)], 2.0, 7)
    assert [one.target for one in windows] == [(1.0,)] * 3 + [(0.0,)] * 6
    assert [round((one.start_s + one.end_s) / 2, 2) for one in windows[:3]] == [1.17, 1.5, 1.83]


def test_a_recording_shorter_than_the_window_is_one_as_it_is() -> None:
    (one, _) = dense_windows([example(0, 1.5, 1.5)], 2.0, 2)
    assert (one.start_s, one.end_s) == (0.0, 1.5)
