"""A deaf microphone is noticed in time, a quiet room never is; see the other modules for single signs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.hearing.deafness.detector import DeafnessDetector
from device.messages import AudioBlock
from tests.device.hearing.deafness.microphone_sounds import (
    CAPTURE_RATES_HZ,
    LOW_RATE_HZ,
    RATE_HZ,
    at_each_rate,
    deaf,
    faults_of,
    feed,
    in_16_bits,
    kinds,
    room,
    suspect_s,
    white,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

DATA = Path(__file__).parents[5] / "shared" / "data"


# ---- silence, stuck, dc, repeated


@pytest.mark.parametrize("rate_hz", [4000, *CAPTURE_RATES_HZ])
@pytest.mark.parametrize("kind", ["silence", "stuck", "dc", "repeated"])
def test_deafness_is_found_within_3_s_of_its_onset_and_over_when_sound_is_back(kind: str, rate_hz: int) -> None:
    for onset_s in (0.0, 7.013, 9.999):
        before, after = room(onset_s, rate_hz=rate_hz), room(5, rate_hz=rate_hz, seed=1)
        faults = faults_of(before, deaf(kind, 6, rate_hz), after, rate_hz=rate_hz)
        assert kinds(faults) == [(kind, True), (kind, False)]
        begin, end = faults
        assert begin.at_s <= onset_s + 3
        assert begin.since_s == pytest.approx(onset_s, abs=0.12)  # a row, or the first copy of a buffer
        assert end.since_s == begin.since_s
        assert onset_s + 6 < end.at_s < onset_s + 6 + 1.5


@pytest.mark.parametrize("kind", ["silence", "stuck", "dc", "repeated"])
def test_what_lasts_only_a_second_is_no_fault(kind: str) -> None:
    assert faults_of(room(5), deaf(kind, 1, RATE_HZ), room(5, seed=1)) == []


@pytest.mark.parametrize("kind", ["silence", "stuck", "dc", "repeated"])
def test_deafness_is_suspected_before_it_is_reported_and_until_it_is_over(kind: str) -> None:
    detector = DeafnessDetector(RATE_HZ)
    early, late = np.split(deaf(kind, 6, RATE_HZ), [RATE_HZ])
    assert feed(detector, room(5)) == []
    assert suspect_s(detector) is None
    assert feed(detector, early, start=5 * RATE_HZ) == []
    assert suspect_s(detector) == pytest.approx(5, abs=0.12)
    assert kinds(feed(detector, late, start=6 * RATE_HZ)) == [(kind, True)]
    assert suspect_s(detector) == pytest.approx(5, abs=0.12)
    assert kinds(feed(detector, room(2), start=11 * RATE_HZ)) == [(kind, False)]
    assert suspect_s(detector) is None


def test_an_offset_under_a_quiet_room_is_no_fault() -> None:
    # Cheap sound cards add 3 % of full scale; the room is 50 dB under it.
    assert faults_of(in_16_bits(0.03 + room(30, 2e-4))) == []


def test_dithered_silence_is_not_digital_silence() -> None:
    rng = np.random.default_rng(0)
    triangular = rng.uniform(-1, 1, 20 * RATE_HZ) / 2 + rng.uniform(-1, 1, 20 * RATE_HZ) / 2
    assert faults_of(in_16_bits((triangular * 2**-15).astype(np.float32))) == []


def test_one_kind_of_deafness_follows_another() -> None:
    faults = faults_of(*(deaf(kind, 5, RATE_HZ) for kind in ("silence", "stuck", "repeated")), room(3))
    expected = [(kind, begins) for kind in ("silence", "stuck", "repeated") for begins in (True, False)]
    assert kinds(faults) == expected


@at_each_rate
def test_a_microphone_that_gates_to_zero_may_be_silent(rate_hz: int) -> None:
    detector = DeafnessDetector(rate_hz, gates_to_zero=True)
    night = np.concatenate((room(5, rate_hz=rate_hz), np.zeros(60 * rate_hz, np.float32)))
    assert feed(detector, night, rate_hz=rate_hz) == []
    assert suspect_s(detector) is None


@at_each_rate
@pytest.mark.parametrize("kind", ["stuck", "dc", "repeated"])
def test_a_microphone_that_gates_to_zero_may_not_be_deaf_otherwise(kind: str, rate_hz: int) -> None:
    faults = faults_of(deaf(kind, 5, rate_hz), rate_hz=rate_hz, gates_to_zero=True)
    assert kinds(faults) == [(kind, True)]
    assert faults[0].at_s <= 3


# ---- clipping


def clipped_noise(seconds: float, part: float, seed: int = 0, *, rate_hz: int = RATE_HZ) -> Float32:
    """Noise with this share of its samples at full scale."""
    samples = white(seconds, 0.1, rate_hz=rate_hz, seed=seed)
    rng = np.random.default_rng(seed + 1)
    hit = rng.random(len(samples)) < part
    samples[hit] = np.sign(samples[hit])
    return samples


@at_each_rate
def test_heavy_clipping_for_10_s_is_a_warning_that_suspects_nothing(rate_hz: int) -> None:
    detector = DeafnessDetector(rate_hz)
    loud = in_16_bits(clipped_noise(15, 0.06, rate_hz=rate_hz))
    faults = feed(detector, np.concatenate((room(7.3, rate_hz=rate_hz), loud)), rate_hz=rate_hz)
    assert kinds(faults) == [("clipping", True)]
    assert 17 <= faults[0].at_s <= 7.3 + 12
    assert suspect_s(detector) is None
    faults = feed(detector, room(15, rate_hz=rate_hz), start=round(22.3 * rate_hz), rate_hz=rate_hz)
    assert kinds(faults) == [("clipping", False)]


@at_each_rate
def test_light_clipping_is_none(rate_hz: int) -> None:
    assert faults_of(room(5, rate_hz=rate_hz), clipped_noise(30, 0.04, rate_hz=rate_hz), rate_hz=rate_hz) == []


def test_short_clipping_is_none() -> None:
    bursts = [np.concatenate((clipped_noise(8, 0.5, seed=seed), room(3))) for seed in range(4)]
    assert faults_of(*bursts) == []


def test_a_loud_sine_that_just_reaches_full_scale_is_not_clipped() -> None:
    sine = np.sin(2 * np.pi * 433.3 * np.arange(30 * RATE_HZ) / RATE_HZ).astype(np.float32)
    assert faults_of(sine) == []
    assert kinds(faults_of(np.clip(1.05 * sine, -1, 1))) == [("clipping", True)]


# ---- blocks and gaps


piece = st.one_of(
    st.tuples(st.sampled_from(["silence", "stuck", "dc", "repeated"]), st.floats(0.1, 5)),
    st.tuples(st.sampled_from(["room", "clipped", "gated"]), st.floats(0.1, 12)),
)


def sound_of(pieces: list[tuple[str, float]]) -> Float32:
    """Some pieces at a low rate, of any length."""
    parts = [np.zeros(0, np.float32)]
    for index, (kind, seconds) in enumerate(pieces):
        if kind == "room":
            parts.append(room(seconds, rate_hz=LOW_RATE_HZ, seed=index))
        elif kind == "clipped":
            parts.append(np.clip(white(seconds, 1.0, rate_hz=LOW_RATE_HZ, seed=index), -1, 1))
        elif kind == "gated":  # a repeated buffer that is half silence
            gated = np.concatenate((white(0.15, rate_hz=LOW_RATE_HZ), np.zeros(300, np.float32)))
            parts.append(np.resize(gated, round(seconds * LOW_RATE_HZ)))
        else:
            parts.append(deaf(kind, seconds, LOW_RATE_HZ))
    return np.concatenate(parts)


@given(pieces=st.lists(piece, min_size=1, max_size=6), cuts=st.lists(st.floats(0, 1), max_size=40))
@example(pieces=[("gated", 12.0)], cuts=[part / 200 for part in range(200)])
@settings(deadline=None, max_examples=60)
def test_block_size_never_changes_the_result(pieces: list[tuple[str, float]], cuts: list[float]) -> None:
    samples = sound_of(pieces)
    edges = [0, *sorted({int(cut * len(samples)) for cut in cuts} - {0}), len(samples)]
    whole, cut_up = DeafnessDetector(LOW_RATE_HZ), DeafnessDetector(LOW_RATE_HZ)
    expected = whole.push(AudioBlock(samples, LOW_RATE_HZ, 0))
    found = []
    for start, stop in pairwise(edges):
        found += cut_up.push(AudioBlock(samples[start:stop], LOW_RATE_HZ, start))
    assert found == expected
    assert cut_up.suspect_since_s == whole.suspect_since_s
    assert cut_up.finish() == whole.finish()


def test_blocks_of_one_sample_find_the_same() -> None:
    samples = sound_of([("room", 2.013), ("repeated", 3.0), ("room", 1.5), ("silence", 3.01), ("room", 1.2)])
    expected = DeafnessDetector(LOW_RATE_HZ).push(AudioBlock(samples, LOW_RATE_HZ, 0))
    assert len(expected) == 4
    detector = DeafnessDetector(LOW_RATE_HZ)
    found = [
        fault
        for start in range(len(samples))
        for fault in detector.push(AudioBlock(samples[start : start + 1], LOW_RATE_HZ, start))
    ]
    assert found == expected


def test_begin_and_end_take_turns_for_each_kind() -> None:
    samples = sound_of([("silence", 4), ("room", 0.5), ("silence", 4), ("room", 3), ("stuck", 4), ("silence", 4)])
    faults = faults_of(samples, rate_hz=LOW_RATE_HZ)
    for kind in {fault.kind for fault in faults}:
        begins = [fault.begins for fault in faults if fault.kind == kind]
        assert begins == [index % 2 == 0 for index in range(len(begins))]
    # Half a second of sound between two silences is a loose contact, not two faults.
    assert kinds(faults)[:2] == [("silence", True), ("silence", False)]
    assert faults[1].at_s > 8.5


def test_times_are_those_of_the_stream() -> None:
    detector = DeafnessDetector(RATE_HZ)
    start = 3600 * RATE_HZ
    faults = feed(detector, np.zeros(4 * RATE_HZ, np.float32), start=start)
    assert [(fault.since_s, fault.at_s) for fault in faults] == [(3600.0, 3602.5)]


def test_silence_on_both_sides_of_a_gap_is_not_added_up() -> None:
    detector = DeafnessDetector(RATE_HZ)
    zeros = np.zeros(2 * RATE_HZ, np.float32)
    assert detector.push(AudioBlock(zeros, RATE_HZ, 0)) == []
    assert suspect_s(detector) == 0.0
    assert detector.push(AudioBlock(room(0.01), RATE_HZ, 10 * RATE_HZ, after_gap=True)) == []
    assert suspect_s(detector) is None
    assert detector.push(AudioBlock(zeros, RATE_HZ, 20 * RATE_HZ, after_gap=True)) == []
    assert kinds(detector.push(AudioBlock(zeros, RATE_HZ, 22 * RATE_HZ))) == [("silence", True)]


def test_a_fault_outlives_a_gap_until_sound_contradicts_it() -> None:
    detector = DeafnessDetector(RATE_HZ)
    zeros = np.zeros(4 * RATE_HZ, np.float32)
    assert kinds(detector.push(AudioBlock(zeros, RATE_HZ, 0))) == [("silence", True)]
    assert detector.push(AudioBlock(zeros, RATE_HZ, 10 * RATE_HZ, after_gap=True)) == []
    assert suspect_s(detector) == 0.0
    faults = detector.push(AudioBlock(room(2), RATE_HZ, 20 * RATE_HZ, after_gap=True))
    assert kinds(faults) == [("silence", False)]
    assert (faults[0].since_s, faults[0].at_s) == (0.0, 21.05)


def test_what_is_still_a_fault_ends_with_the_audio() -> None:
    detector = DeafnessDetector(RATE_HZ)
    feed(detector, np.concatenate((room(1), np.zeros(round(5.01 * RATE_HZ), np.float32))))
    ends = detector.finish()
    assert [(fault.kind, fault.begins, fault.since_s, fault.at_s) for fault in ends] == [("silence", False, 1.0, 6.01)]
    assert DeafnessDetector(RATE_HZ).finish() == []


def test_a_block_of_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="A block at 8000 Hz came to a detector for 16000 Hz"):
        DeafnessDetector(RATE_HZ).push(AudioBlock(room(1), 8000, 0))


# ---- rooms


def test_ten_minutes_of_a_quiet_room_raise_nothing() -> None:
    assert faults_of(in_16_bits(room(600, 0.0005))) == []


def recording(name: str) -> Float32:
    """A recording of the ambient set, at 16 kHz."""
    samples, rate_hz = soundfile.read(DATA / "ambient" / "loops" / f"{name}.ogg", dtype="float32")
    assert rate_hz == RATE_HZ
    return np.asarray(samples, np.float32)


def looped(name: str, seconds: float, level_db: float) -> Float32:
    """A recording again and again, brought to an RMS level in dBFS."""
    samples = recording(name)
    samples = samples * np.float32(10 ** (level_db / 20) / np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return np.resize(samples, round(seconds * RATE_HZ))


QUIET = ["noice__night_0", "noisekun__night", "noice__office_0", "noice__public_library_1", "noice__soft_wind_0"]
LOUD = ["moodist__ceiling-fan", "moodist__heavy-rain", "noisekun__rain", "moodist__washing-machine", "moodist__dryer"]


@pytest.mark.real_audio
@pytest.mark.parametrize("name", [*QUIET, *LOUD])
def test_ten_minutes_of_a_recorded_room_raise_nothing(name: str) -> None:
    assert faults_of(in_16_bits(looped(name, 600, -50))) == []


@pytest.mark.real_audio
@pytest.mark.parametrize(("loud", "quiet"), list(zip(LOUD, QUIET, strict=True)))
def test_a_fan_or_rain_that_stops_after_it_ran_since_the_start_is_no_fault(loud: str, quiet: str) -> None:
    tone = looped(quiet, 500, -58)
    tone[: 250 * RATE_HZ] += looped(loud, 250, -28)
    assert faults_of(in_16_bits(tone)) == []


@pytest.mark.real_audio
def test_a_microphone_that_dies_in_a_recorded_room_is_found() -> None:
    for name in QUIET:
        faults = faults_of(in_16_bits(looped(name, 200, -45)), in_16_bits(white(91, 10 ** (-85 / 20))))
        assert kinds(faults) == [("floor", True)]


@pytest.mark.real_audio
def test_clips_that_were_padded_with_zeros_are_silent_in_the_padding() -> None:
    # ESC-50 fills its shorter clips with digital zeros up to 5 s.
    samples, rate_hz = soundfile.read(DATA / "esc50" / "breathing" / "1-36393-A-23.ogg", dtype="float32")
    last_sound_s = float(np.flatnonzero(samples)[-1]) / rate_hz
    assert 1 < last_sound_s < 2
    detector = DeafnessDetector(rate_hz)
    faults = feed(detector, samples)
    assert kinds(faults) == [("silence", True)]
    assert faults[0].since_s == pytest.approx(last_sound_s, abs=0.06)
    assert faults[0].at_s - last_sound_s <= 3
    assert kinds(detector.finish()) == [("silence", False)]


@pytest.mark.real_audio
def test_crying_infants_raise_nothing() -> None:
    paths = sorted((DATA / "donateacry" / "cry").glob("*.ogg"))
    assert len(paths) > 300
    for path in paths[::8]:
        samples, rate_hz = soundfile.read(path, dtype="float32")
        assert faults_of(samples, rate_hz=rate_hz) == []
