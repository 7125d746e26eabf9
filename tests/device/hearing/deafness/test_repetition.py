"""A repeated buffer is found whatever its length; tones, clocks and coarse noise are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.hearing.deafness.repetition import NO_REPEAT, Repetition
from tests.device.hearing.deafness.microphone_sounds import (
    CAPTURE_RATES_HZ,
    RATE_HZ,
    at_each_rate,
    faults_of,
    in_16_bits,
    kinds,
    room,
    white,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.hearing.deafness.repetition import Repeat

    Float32 = npt.NDArray[np.float32]

ROW, SHORTEST, LONGEST = 20, 5, 200


def repeats_in(samples: Float32, rows_at_once: int = 1) -> list[Repeat]:
    """The repetition at the end of each row of a sound."""
    repetition = Repetition(ROW, SHORTEST, LONGEST)
    rows = samples[: len(samples) // ROW * ROW].reshape(-1, ROW)
    constant = rows.min(axis=1) == rows.max(axis=1)
    return [
        repeat
        for first in range(0, len(rows), rows_at_once)
        for repeat in repetition.push(rows[first : first + rows_at_once], constant[first : first + rows_at_once])
    ]


def noise(samples: int, seed: int = 0) -> Float32:
    """White noise of this many samples."""
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


pieces = st.lists(
    st.tuples(st.sampled_from(["noise", "silence", "buffer"]), st.integers(1, 250), st.integers(1, 900)), max_size=5
)


def sound_of(parts: list[tuple[str, int, int]]) -> Float32:
    """Pieces of (kind, buffer length, samples), and noise before and after them."""
    made = [noise(60)]
    for seed, (kind, buffer, samples) in enumerate(parts):
        source = np.zeros(1, np.float32) if kind == "silence" else noise(buffer if kind == "buffer" else samples, seed)
        made.append(np.resize(source, samples))
    return np.concatenate([*made, noise(60, 99)])


@given(parts=pieces)
def test_each_reported_repetition_is_one_sample_for_sample(parts: list[tuple[str, int, int]]) -> None:
    samples = sound_of(parts)
    for index, (period, lasted) in enumerate(repeats_in(samples)):
        end = (index + 1) * ROW
        if period:
            assert SHORTEST <= period <= LONGEST
            assert lasted >= ROW
            assert np.array_equal(samples[end - lasted : end], samples[end - lasted - period : end - period])


@given(parts=pieces, rows_at_once=st.integers(2, 30))
def test_rows_that_come_together_repeat_as_those_that_come_alone(
    parts: list[tuple[str, int, int]], rows_at_once: int
) -> None:
    samples = sound_of(parts)
    assert repeats_in(samples, rows_at_once) == repeats_in(samples)


@pytest.mark.parametrize("period", [SHORTEST, 7, ROW, 64, LONGEST])
def test_a_repetition_is_dated_back_to_the_first_copy_and_ends_with_the_first_other_sample(period: int) -> None:
    buffer = noise(period, 1)
    samples = np.concatenate((noise(100), np.resize(buffer, 600), noise(100, 2)))
    found = repeats_in(samples)
    assert found[34] == (period, 700 - 100 - period)  # the row that ends with the last copy
    assert found[35] == NO_REPEAT


@pytest.mark.parametrize("period", [SHORTEST - 1, LONGEST + 1])
def test_a_period_shorter_or_longer_than_any_buffer_is_no_repetition(period: int) -> None:
    found = repeats_in(np.concatenate((noise(100), np.resize(noise(period, 1), 1000))))
    assert found == [NO_REPEAT] * len(found)


def test_samples_before_a_gap_repeat_nothing_after_it() -> None:
    copies = np.resize(noise(64, 1), 640).reshape(-1, ROW)
    repetition = Repetition(ROW, SHORTEST, LONGEST)
    sound = np.zeros(len(copies), np.bool_)
    assert repetition.push(copies, sound)[-1].period == 64
    repetition.reset()
    assert repetition.push(noise(ROW).reshape(1, ROW), sound[:1]) == [NO_REPEAT]
    assert repetition.push(copies[:3], sound[:3]) == [NO_REPEAT] * 3


@given(
    length_s=st.floats(0.005, 1.0),
    onset_s=st.floats(0, 2),
    rate_hz=st.sampled_from(CAPTURE_RATES_HZ),
    seed=st.integers(0, 9),
)
@example(length_s=0.005, onset_s=0.0, rate_hz=16000, seed=0)
@example(length_s=1.0, onset_s=1.7, rate_hz=16000, seed=0)
@example(length_s=1.0, onset_s=1.7, rate_hz=44100, seed=0)
@example(length_s=1024 / 48000, onset_s=0.3, rate_hz=48000, seed=0)
@example(length_s=0.051, onset_s=0.3, rate_hz=8000, seed=0)
@settings(deadline=None, max_examples=60)
def test_a_repeated_buffer_of_any_length_is_found_within_3_s_of_its_first_delivery(
    length_s: float, onset_s: float, rate_hz: int, seed: int
) -> None:
    shortest_s = np.ceil(0.005 * rate_hz) / rate_hz
    buffer = white(max(length_s, shortest_s), rate_hz=rate_hz, seed=seed)
    copies = np.resize(buffer, 4 * rate_hz)
    faults = faults_of(room(onset_s, rate_hz=rate_hz, seed=seed + 1), copies, rate_hz=rate_hz)
    assert kinds(faults) == [("repeated", True)]
    assert faults[0].at_s <= onset_s + 3
    assert faults[0].since_s == pytest.approx(onset_s + len(buffer) / rate_hz, abs=1e-3)
    assert f"the same {1000 * len(buffer) / rate_hz:.1f} ms come again and again" in faults[0].detail


@at_each_rate
@pytest.mark.parametrize("gates_to_zero", [False, True])
@pytest.mark.parametrize(("length_s", "pause_s"), [(0.3, 0.15), (0.8, 0.15), (1.0, 0.5), (0.128, 0.05)])
def test_a_repeated_buffer_with_a_pause_of_silence_in_it_is_found(
    length_s: float, pause_s: float, *, gates_to_zero: bool, rate_hz: int
) -> None:
    # A driver that hangs behind a gate: the pause once counted as the end of the repetition, each time.
    buffer = in_16_bits(white(length_s, rate_hz=rate_hz))
    buffer[: round(pause_s * rate_hz)] = 0
    copies, after = np.resize(buffer, 4 * rate_hz), room(3, rate_hz=rate_hz, seed=1)
    before = room(2.031, rate_hz=rate_hz)
    faults = faults_of(before, copies, after, rate_hz=rate_hz, gates_to_zero=gates_to_zero)
    assert kinds(faults) == [("repeated", True), ("repeated", False)]
    assert faults[0].at_s <= 2.031 + 3


def test_silence_behind_a_repeated_buffer_is_silence() -> None:
    gated = np.concatenate((white(0.15), np.zeros(2400, np.float32)))
    faults = faults_of(room(1), np.resize(gated, 4 * RATE_HZ), np.zeros(5 * RATE_HZ, np.float32))
    assert kinds(faults) == [("repeated", True), ("repeated", False), ("silence", True)]
    assert faults[2].since_s == pytest.approx(5.0, abs=0.16)


def test_a_repeated_buffer_of_speech_in_16_bits_is_found() -> None:
    time_s = np.arange(1600) / RATE_HZ
    buffer = in_16_bits((0.3 * np.sin(2 * np.pi * 210 * time_s) * np.hanning(1600) + white(0.1)).astype(np.float32))
    assert kinds(faults_of(room(3), np.resize(buffer, 5 * RATE_HZ))) == [("repeated", True)]


def test_a_tone_is_no_repeated_buffer() -> None:
    # A test beep of 1 kHz in 16 bits repeats itself exactly, every millisecond.
    tone = in_16_bits((0.5 * np.sin(2 * np.pi * 1000 * np.arange(8 * RATE_HZ) / RATE_HZ)).astype(np.float32))
    assert faults_of(room(3), tone) == []


def test_noise_in_few_steps_is_no_repeated_buffer() -> None:
    # A quiet microphone in 16 bits knows three values and equals its own past by accident often, never for long.
    assert faults_of(in_16_bits(white(60, 0.4 * 2**-15))) == []


def test_equal_clicks_in_digital_silence_are_no_repeated_buffer() -> None:
    # A clock in front of a gating microphone: the silence between the clicks repeats itself although no driver hangs.
    for first in range(0, 6400, 800):
        samples = np.zeros(5 * RATE_HZ, np.float32)
        samples[first::RATE_HZ] = 2**-15
        assert faults_of(samples, gates_to_zero=True) == []
