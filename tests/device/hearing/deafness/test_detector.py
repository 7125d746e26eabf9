"""A deaf microphone is noticed in its time, a quiet room never is."""

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
from device.hearing.deafness.limits import DeafnessLimits
from device.hearing.deafness.noise_floor import white_spread_db
from device.messages import AudioBlock

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.messages import Fault

    Float32 = npt.NDArray[np.float32]

DATA = Path(__file__).parents[5] / "shared" / "data"
RATE_HZ = 16000
LOW_RATE_HZ = 2000
"""For what takes hours: the laws hold at any rate."""
CAPTURE_RATES_HZ = [8000, 16000, 44100, 48000]
"""Those of microphones."""
at_each_rate = pytest.mark.parametrize("rate_hz", CAPTURE_RATES_HZ)


def white(seconds: float, rms: float = 0.01, *, rate_hz: int = RATE_HZ, seed: int = 0) -> Float32:
    """White noise."""
    return np.random.default_rng(seed).normal(0, rms, round(seconds * rate_hz)).astype(np.float32)


def room(seconds: float, rms: float = 0.003, *, rate_hz: int = RATE_HZ, seed: int = 0) -> Float32:
    """Room tone: noise that breathes by 1 dB, as air, houses and streets do."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, rms, round(seconds * rate_hz))
    breaths_db = rng.normal(0, 1.0, int(seconds * 5) + 2)
    times = np.arange(len(noise)) / rate_hz * 5
    return (noise * 10 ** (np.interp(times, np.arange(len(breaths_db)), breaths_db) / 20)).astype(np.float32)


def in_16_bits(samples: Float32) -> Float32:
    """The samples as a 16-bit sound card gives them."""
    return (np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1) / 2**15).astype(np.float32)


def feed(detector: DeafnessDetector, samples: Float32, *, start: int = 0, rate_hz: int = RATE_HZ) -> list[Fault]:
    """Push half-second blocks."""
    faults: list[Fault] = []
    step = rate_hz // 2
    for offset in range(0, len(samples), step):
        faults += detector.push(AudioBlock(samples[offset : offset + step], rate_hz, start + offset))
    return faults


def faults_of(*parts: Float32, rate_hz: int = RATE_HZ, gates_to_zero: bool = False) -> list[Fault]:
    """What is found in these sounds, one after the other."""
    detector = DeafnessDetector(rate_hz, gates_to_zero=gates_to_zero)
    return feed(detector, np.concatenate(parts), rate_hz=rate_hz)


def suspect_s(detector: DeafnessDetector) -> float | None:
    """Since when the newest samples are suspected."""
    return detector.suspect_since_s


def kinds(faults: list[Fault]) -> list[tuple[str, bool]]:
    """(kind, begins) of each."""
    return [(fault.kind, fault.begins) for fault in faults]


# ---- silence, stuck, dc, repeated


def deaf(kind: str, seconds: float, rate_hz: int) -> Float32:
    """What a microphone with this fault gives."""
    count = round(seconds * rate_hz)
    if kind == "silence":
        return np.zeros(count, np.float32)
    if kind == "stuck":
        return np.full(count, -0.25, np.float32)
    if kind == "dc":
        return in_16_bits(0.2 + white(seconds, 2**-15, rate_hz=rate_hz, seed=3))
    return np.resize(white(0.064, rate_hz=rate_hz, seed=4), count)


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
def test_deafness_is_suspected_before_it_is_told_and_until_it_is_over(kind: str) -> None:
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
    # A driver that hangs behind a gate: the pause was once taken for the end of the repetition, each time.
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
    # A clock in front of a gating microphone: the silence between the clicks repeats itself without a driver's help.
    for first in range(0, 6400, 800):
        samples = np.zeros(5 * RATE_HZ, np.float32)
        samples[first::RATE_HZ] = 2**-15
        assert faults_of(samples, gates_to_zero=True) == []


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


def test_gated_silence_is_no_collapsed_floor_and_ends_none() -> None:
    gated = [np.concatenate((room(20, seed=seed), np.zeros(40 * RATE_HZ, np.float32))) for seed in range(5)]
    assert faults_of(room(150), *gated, gates_to_zero=True) == []
    assert kinds(faults_of(room(150), *gated, white(91, 0.0001), gates_to_zero=True)) == [("floor", True)]


# ---- collapsed floor


@pytest.mark.parametrize("rate_hz", [4000, *CAPTURE_RATES_HZ])
def test_a_collapsed_floor_is_found_within_90_s(rate_hz: int) -> None:
    onset_s = 150.3
    parts = (room(onset_s, rate_hz=rate_hz), white(95, 0.003 / 30, rate_hz=rate_hz), room(10, rate_hz=rate_hz))
    faults = faults_of(*parts, rate_hz=rate_hz)
    assert kinds(faults) == [("floor", True), ("floor", False)]
    begin, end = faults
    assert onset_s + 60 <= begin.at_s <= onset_s + 90
    assert begin.since_s == pytest.approx(onset_s, abs=1.1)
    assert onset_s + 95 < end.at_s < onset_s + 95 + 6
    assert "dB under the learned one" in begin.detail


def test_a_microphone_that_goes_deaf_after_two_minutes_is_found_too() -> None:
    for onset_s in (119.97, 120.0, 121.5, 149.0, 179.97):
        faults = faults_of(room(onset_s), white(91, 0.0001))
        assert kinds(faults) == [("floor", True)]
        assert faults[0].at_s <= onset_s + 90


def test_a_collapsed_floor_in_dither_alone_is_found() -> None:
    assert kinds(faults_of(room(150), in_16_bits(white(91, 2**-15)))) == [("floor", True)]


def test_a_collapsed_floor_is_suspected_after_seconds() -> None:
    detector = DeafnessDetector(RATE_HZ)
    feed(detector, room(150))
    assert suspect_s(detector) is None
    assert detector.learned_floor_db == pytest.approx(20 * np.log10(0.003) - 1.3, abs=0.5)
    assert feed(detector, white(8, 0.0001), start=150 * RATE_HZ) == []
    assert suspect_s(detector) == pytest.approx(150, abs=1.1)
    feed(detector, room(2), start=158 * RATE_HZ)
    assert suspect_s(detector) is None


def test_a_floor_that_falls_by_less_than_20_db_is_a_quieter_room() -> None:
    assert faults_of(room(150), white(120, 0.003 / 8)) == []


@at_each_rate
def test_a_quiet_room_that_breathes_has_not_collapsed(rate_hz: int) -> None:
    assert faults_of(white(200, 0.1, rate_hz=rate_hz), room(100, 0.001, rate_hz=rate_hz), rate_hz=rate_hz) == []


def breathing(seconds: float, rms: float, spread_db: float, rate_hz: int) -> Float32:
    """White noise whose rows' levels spread by so many dB in all, its own spread included."""
    row = round(rate_hz * 0.05)
    own_db = white_spread_db(row)
    rows = white(seconds, rms, rate_hz=rate_hz, seed=5).reshape(-1, row)
    levels_db = np.random.default_rng(6).normal(0, np.sqrt(max(0, spread_db**2 - own_db**2)), (len(rows), 1))
    return (rows * 10 ** (levels_db / 20)).astype(np.float32).reshape(-1)


@at_each_rate
def test_a_floor_has_collapsed_up_to_twice_the_spread_of_white_noise(rate_hz: int) -> None:
    for times, expected in [(1.0, [("floor", True)]), (1.9, [("floor", True)]), (2.1, [])]:
        left = breathing(91, 0.0001, times * white_spread_db(round(rate_hz * 0.05)), rate_hz)
        assert kinds(faults_of(room(125, rate_hz=rate_hz), left, rate_hz=rate_hz)) == expected


def test_a_collapse_that_was_none_is_over_once_the_room_breathes() -> None:
    # However low it stays: what spreads like a room is heard by a microphone that lives.
    onset_s, back_s = 125, 216
    faults = faults_of(room(onset_s), white(back_s - onset_s, 0.0001), room(60, 0.0001, seed=1))
    assert kinds(faults) == [("floor", True), ("floor", False)]
    assert back_s < faults[1].at_s <= back_s + 60


@at_each_rate
def test_a_floor_has_collapsed_from_20_db_on(rate_hz: int) -> None:
    detector = DeafnessDetector(rate_hz)
    feed(detector, room(125, rate_hz=rate_hz), rate_hz=rate_hz)
    learned_db = detector.learned_floor_db or 0
    for down_db, expected in [(19.7, []), (20.3, [("floor", True)])]:
        left = white(91, 10 ** ((learned_db - down_db) / 20), rate_hz=rate_hz)
        assert kinds(faults_of(room(125, rate_hz=rate_hz), left, rate_hz=rate_hz)) == expected


def test_a_floor_that_was_always_low_has_not_collapsed() -> None:
    assert faults_of(white(300, 0.0001)) == []


def test_a_minute_with_a_sound_in_it_has_no_collapsed_floor() -> None:
    quiet = [np.concatenate((white(20, 0.0001, seed=seed), white(1, 0.01, seed=seed))) for seed in range(10)]
    assert faults_of(room(150), *quiet) == []


def test_a_deaf_night_stays_a_fault_and_its_clicks_do_not_end_it() -> None:
    # Deaf minutes must not be learned: after two of them the fault would end by itself.
    night = white(600, 0.0001, rate_hz=LOW_RATE_HZ)
    night[:: 97 * LOW_RATE_HZ] = 0.5
    detector = DeafnessDetector(LOW_RATE_HZ)
    faults = feed(detector, np.concatenate((room(150, rate_hz=LOW_RATE_HZ), night)), rate_hz=LOW_RATE_HZ)
    assert kinds(faults) == [("floor", True)]
    faults = feed(detector, room(10, rate_hz=LOW_RATE_HZ), start=750 * LOW_RATE_HZ, rate_hz=LOW_RATE_HZ)
    assert kinds(faults) == [("floor", False)]


def test_the_floor_is_that_of_the_quietest_of_the_last_minutes() -> None:
    detector = DeafnessDetector(LOW_RATE_HZ, settings=DeafnessLimits(floor_minutes=5))
    learned_db = []
    for minute, rms in enumerate([0.001, *[0.1] * 7]):
        feed(
            detector,
            room(60, rms, rate_hz=LOW_RATE_HZ, seed=minute),
            start=60 * minute * LOW_RATE_HZ,
            rate_hz=LOW_RATE_HZ,
        )
        learned_db.append(round(detector.learned_floor_db or 0))
    # Learned a minute late; forgotten once five others have been learned.
    assert learned_db == [0, *[learned_db[1]] * 5, *[learned_db[1] + 40] * 2]
    assert DeafnessLimits().floor_minutes == 60


@pytest.mark.parametrize("samples", [50, 200, 800, 2400])
def test_white_noise_spreads_as_the_formula_says(samples: int) -> None:
    power = np.square(np.random.default_rng(0).normal(size=(4000, samples))).mean(axis=1)
    assert np.std(10 * np.log10(power)) == pytest.approx(white_spread_db(samples), rel=0.04)


def test_the_spread_at_16_khz_is_that_of_the_specification() -> None:
    assert 2 * white_spread_db(800) == pytest.approx(0.43, abs=0.01)


# ---- clipping


def clipped_noise(seconds: float, part: float, seed: int = 0, *, rate_hz: int = RATE_HZ) -> Float32:
    """Noise of which this part of the samples is at full scale."""
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


def test_the_learned_floor_outlives_a_gap() -> None:
    detector = DeafnessDetector(RATE_HZ)
    feed(detector, room(150))
    learned_db = detector.learned_floor_db
    assert detector.push(AudioBlock(white(0.5, 0.0001), RATE_HZ, 200 * RATE_HZ, after_gap=True)) == []
    assert detector.learned_floor_db == learned_db
    assert kinds(feed(detector, white(90, 0.0001), start=round(200.5 * RATE_HZ))) == [("floor", True)]


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
