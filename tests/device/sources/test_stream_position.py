"""The positions of frames: no time runs back, no sound for which there was no time, and no gap that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.sources.stream_position import StreamPosition

RATE_HZ = 8000
BLOCK = 400

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.001, 0.05, 0.05, 0.05, 0.4, 2.0, 30.0]),  # until it had been read
        st.sampled_from([1, 400, 800, 4000]),
        st.booleans(),
        st.none() | st.sampled_from([8000, 16000, 44100]),  # the rate of a microphone opened just before
    ),
    min_size=1,
    max_size=60,
)


@given(STEPS)
def test_time_never_runs_back_and_there_is_never_more_sound_than_time(
    steps: list[tuple[float, int, bool, int | None]],
) -> None:
    stream_position = StreamPosition()
    stream_position.reopen(8000)
    at_s = end_s = 0.0
    openings = 1
    for wait_s, samples, lost, rate_hz in steps:
        at_s += wait_s
        if rate_hz:
            stream_position.reopen(rate_hz)
            openings += 1
        position = stream_position.position(at_s, samples, lost=lost)
        if position is not None:
            assert position.start_sample / stream_position.rate_hz >= end_s - 1e-9
            end_s = (position.start_sample + samples) / stream_position.rate_hz
            assert stream_position.end_s == end_s
        assert end_s <= at_s + openings * (4000 / 8000 + 0.5) + 0.25 * (at_s / 60) + 1e-9


@given(st.floats(-1e-3, 1e-3), st.lists(st.floats(0.0, 0.08), min_size=50, max_size=50), st.integers(8000, 192000))
def test_neither_a_crystals_drift_nor_late_reads_make_a_gap(drift: float, jitter_s: list[float], rate_hz: int) -> None:
    stream_position = StreamPosition()
    stream_position.reopen(rate_hz)
    samples = rate_hz // 20
    ends: list[int] = []
    for number in range(3000):  # two and a half minutes
        sampled_s = (number + 1) * samples / rate_hz * (1 + drift)
        position = stream_position.position(sampled_s + jitter_s[number % 50], samples, lost=False)
        assert position is not None
        assert not position.after_gap
        assert not ends or position.start_sample == ends[-1]
        ends.append(position.start_sample + samples)


def _placed(stream_position: StreamPosition, times_s: list[float]) -> list[tuple[int, bool] | None]:
    positions = (stream_position.position(at_s, 50, lost=False) for at_s in times_s)
    return [None if position is None else (position.start_sample, position.after_gap) for position in positions]


def test_a_backlog_that_comes_in_one_burst_is_no_gap() -> None:
    stream_position = StreamPosition()
    stream_position.reopen(1000)
    steady = [0.05 * (n + 1) for n in range(20)]
    burst = [1.0 + 1.4 + 0.001 * n for n in range(28)]
    after = [2.45 + 0.05 * n for n in range(20)]
    positions = _placed(stream_position, steady + burst + after)
    assert positions == [(50 * n, False) for n in range(68)]


def test_sound_that_was_lost_without_a_word_becomes_a_gap_of_its_length() -> None:
    stream_position = StreamPosition()
    stream_position.reopen(1000)
    steady = [0.05 * (n + 1) for n in range(20)]
    later = [2.05 + 0.05 * n for n in range(20)]  # a second is missing
    positions = _placed(stream_position, steady + later)
    gaps = [position for position in positions if position and position[1]]
    assert len(gaps) == 1
    assert positions.index(gaps[0]) <= 20 + 5
    assert stream_position.end_s == pytest.approx(later[-1])


def test_a_burst_of_sound_for_which_there_was_no_time_is_dropped() -> None:
    stream_position = StreamPosition()
    stream_position.reopen(1000)
    positions = _placed(stream_position, [0.05 * (n + 1) for n in range(20)] + [1.0 + 0.0001 * n for n in range(100)])
    assert positions.count(None) == 90
    assert stream_position.end_s == pytest.approx(1.5)
