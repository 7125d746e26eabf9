"""Filters remove what is configured and pass everything else; the cuts between blocks leave no trace."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.config.settings import FilterSettings, StethoscopeBand
from device.hearing.filters import BANDS_HZ, HUM_HARMONICS, FilterChain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

RATES_HZ = [8000, 16000, 44100, 48000]
BANDS = get_args(StethoscopeBand)
EVERYTHING = FilterSettings(gain_db=6.0, high_pass_hz=80.0, hum_hz=50.0, stethoscope="wide")
at_each_rate = pytest.mark.parametrize("rate_hz", RATES_HZ)


def noise(samples: int, rms: float = 0.1, *, seed: int = 0) -> Float32:
    """White noise."""
    return np.random.default_rng(seed).normal(0, rms, samples).astype(np.float32)


def sine(frequency_hz: float, seconds: float, rate_hz: int) -> Float32:
    """A tone of amplitude 0.5."""
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def rms_db(samples: Float32) -> float:
    """Level in dBFS."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-30))


def response_db(chosen: FilterSettings, frequencies_hz: Sequence[float], rate_hz: int) -> list[float]:
    """Measured with a tone each, in the second that follows the first three."""
    measured = []
    for frequency_hz in frequencies_hz:
        tone = sine(frequency_hz, 4, rate_hz)
        passed = FilterChain(chosen, rate_hz).push(tone)
        measured.append(rms_db(passed[3 * rate_hz :]) - rms_db(tone[3 * rate_hz :]))
    return measured


# ---- neutral, and gain


def test_neutral_settings_pass_the_very_samples() -> None:
    samples = noise(800)
    assert FilterChain(FilterSettings(), 16000).push(samples) is samples


@given(gain_db=st.floats(-40, 60))
def test_a_gain_is_a_factor_and_clips_nothing(gain_db: float) -> None:
    samples = noise(800, 0.5)
    louder = FilterChain(FilterSettings(gain_db=gain_db), 16000).push(samples)
    assert louder.dtype == np.float32
    np.testing.assert_allclose(louder, samples * 10 ** (gain_db / 20), rtol=1e-6)


def test_six_db_and_a_filter_too_may_leave_full_scale() -> None:
    loud = sine(1000, 1, 16000) * np.float32(1.9)
    assert np.abs(FilterChain(EVERYTHING, 16000).push(loud)).max() > 1.5


def test_gain_alone_and_neutral_settings_import_no_scipy() -> None:
    script = (
        "import sys\n"
        "from device.config.settings import FilterSettings\n"
        "from device.hearing.filters import FilterChain\n"
        "FilterChain(FilterSettings(), 16000); FilterChain(FilterSettings(gain_db=20.0), 16000)\n"
        "print('scipy' in sys.modules)\n"
        "FilterChain(FilterSettings(hum_hz=50.0), 16000)\n"
        "print('scipy' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True"]


def test_without_scipy_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['scipy'] = None\n"
        "from device.config.settings import FilterSettings\n"
        "from device.errors import MissingExtraError\n"
        "from device.hearing.filters import FilterChain\n"
        "FilterChain(FilterSettings(gain_db=20.0), 16000)\n"
        "try: FilterChain(FilterSettings(high_pass_hz=100.0), 16000)\n"
        "except MissingExtraError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "a filter needs scipy, which is not installed; install auricle[device]"


# ---- responses


@at_each_rate
@pytest.mark.parametrize("edge_hz", [5.0, 100.0, 2000.0])
def test_a_high_pass_takes_3_db_at_its_edge_24_an_octave_below_and_nothing_above(edge_hz: float, rate_hz: int) -> None:
    chosen = FilterSettings(high_pass_hz=edge_hz)
    at_edge, octave_below, above = response_db(chosen, [edge_hz, edge_hz / 2, 1.5 * edge_hz], rate_hz)
    assert at_edge == pytest.approx(-3.01, abs=0.1)
    assert octave_below < -24
    assert -0.5 < above < 0.1


@at_each_rate
@pytest.mark.parametrize("hum_hz", [50.0, 60.0])
def test_hum_and_its_harmonics_are_40_db_down_a_second_after_the_start(hum_hz: float, rate_hz: int) -> None:
    for harmonic in range(1, HUM_HARMONICS + 1):
        hum = sine(harmonic * hum_hz, 1.2, rate_hz)
        left = FilterChain(FilterSettings(hum_hz=hum_hz), rate_hz).push(hum)[rate_hz:]
        assert np.abs(left).max() < 0.5 / 100


@at_each_rate
def test_a_grid_that_drifts_by_a_tenth_of_a_hertz_stays_14_db_down(rate_hz: int) -> None:
    drifted_hz = [50.1 * harmonic for harmonic in range(1, HUM_HARMONICS + 1)]
    assert max(response_db(FilterSettings(hum_hz=50.0), drifted_hz, rate_hz)) < -14


@at_each_rate
@pytest.mark.parametrize("hum_hz", [50.0, 60.0])
def test_between_the_harmonics_and_above_them_the_sound_passes(hum_hz: float, rate_hz: int) -> None:
    between_hz = [(harmonic + 0.5) * hum_hz for harmonic in range(HUM_HARMONICS + 1)]
    above_hz = [600.0, 1000.0, 3500.0]
    for measured in response_db(FilterSettings(hum_hz=hum_hz), between_hz + above_hz, rate_hz):
        assert -0.5 < measured < 0.1


@at_each_rate
@pytest.mark.parametrize("band", BANDS)
def test_a_stethoscope_passes_its_band_and_nothing_else(band: StethoscopeBand, rate_hz: int) -> None:
    chosen = FilterSettings(stethoscope=band)
    lower_hz, upper_hz = BANDS_HZ[band]
    for edge in response_db(chosen, [lower_hz, upper_hz], rate_hz):
        assert edge == pytest.approx(-3.01, abs=0.1)
    for inside in response_db(chosen, [1.5 * lower_hz, (lower_hz * upper_hz) ** 0.5, upper_hz / 1.5], rate_hz):
        assert -0.5 < inside < 0.1
    assert max(response_db(chosen, [lower_hz / 2, min(2 * upper_hz, 0.49 * rate_hz)], rate_hz)) < -24


def test_the_bands_are_those_of_the_configuration() -> None:
    assert BANDS_HZ == {"heart": (20, 200), "lung": (60, 2000), "wide": (20, 2000)}


def test_stages_add_up() -> None:
    chosen = FilterSettings(gain_db=12.0, high_pass_hz=100.0, hum_hz=50.0, stethoscope="lung")
    quiet, edge, hum, inside = response_db(chosen, [40.0, 2000.0, 150.0, 1025.0], 16000)
    assert quiet < -30
    assert edge == pytest.approx(12 - 3.01, abs=0.2)
    assert hum < -40
    assert inside == pytest.approx(12, abs=0.2)


# ---- rates that cannot hold a frequency


def test_an_upper_edge_that_the_stream_cannot_hold_takes_nothing_off() -> None:
    chain = FilterChain(FilterSettings(stethoscope="lung"), 4000)
    assert chain.left_out == ()
    (inside,) = response_db(FilterSettings(stethoscope="lung"), [1800.0], 4000)
    assert inside == pytest.approx(0, abs=0.1)


def test_a_high_pass_that_would_leave_silence_is_left_out_and_says_so() -> None:
    chain = FilterChain(FilterSettings(high_pass_hz=2000.0), 4000)
    (sentence,) = chain.left_out
    assert sentence.startswith("the high-pass at 2000 Hz is left out, behind it a stream at 4000 Hz would be silent")
    assert sentence.endswith("choose an edge under 2000 Hz")
    samples = noise(400)
    assert chain.push(samples) is samples
    assert FilterChain(FilterSettings(high_pass_hz=2000.0), 4001).left_out == ()


any_settings = st.builds(
    FilterSettings,
    gain_db=st.floats(-40, 60),
    high_pass_hz=st.none() | st.floats(5, 2000),
    hum_hz=st.none() | st.floats(40, 70),
    stethoscope=st.sampled_from([None, *BANDS]),
)


@given(chosen=any_settings, rate_hz=st.integers(50, 192000), seed=st.integers(0, 9))
@example(chosen=FilterSettings(high_pass_hz=5.0, stethoscope="heart"), rate_hz=192000, seed=0)
@example(chosen=FilterSettings(high_pass_hz=1999.9, hum_hz=50.0, stethoscope="wide"), rate_hz=4000, seed=0)
@settings(deadline=None, max_examples=100)
def test_every_setting_is_stable_at_every_rate(chosen: FilterSettings, rate_hz: int, seed: int) -> None:
    burst = np.concatenate((noise(2000, 0.3, seed=seed), np.zeros(50000, np.float32)))
    passed = FilterChain(chosen, rate_hz).push(burst)
    loudest = np.abs(passed).max()
    assert loudest < 10 ** (chosen.gain_db / 20) * 10
    assert np.abs(passed[-100:]).max() <= 0.2 * loudest  # it rings out, however narrow a notch


# ---- blocks, gaps, starts


@given(
    chosen=any_settings,
    cuts=st.lists(st.integers(0, 3000), max_size=30),
    rate_hz=st.sampled_from(RATES_HZ),
    seed=st.integers(0, 9),
)
@example(chosen=EVERYTHING, cuts=list(range(3001)), rate_hz=16000, seed=0)
@settings(deadline=None, max_examples=100)
def test_block_size_never_changes_a_bit(chosen: FilterSettings, cuts: list[int], rate_hz: int, seed: int) -> None:
    samples = 0.02 + noise(3000, seed=seed)
    whole, cut_up = FilterChain(chosen, rate_hz), FilterChain(chosen, rate_hz)
    pieces = [cut_up.push(samples[start:stop]) for start, stop in pairwise([0, *sorted(cuts), 3000])]
    np.testing.assert_array_equal(np.concatenate(pieces), whole.push(samples), strict=True)


def test_the_samples_that_come_in_are_left_as_they_are() -> None:
    samples = noise(800)
    before = samples.copy()
    FilterChain(EVERYTHING, 16000).push(samples)
    np.testing.assert_array_equal(samples, before)


def test_an_offset_makes_no_thump_where_a_stream_begins() -> None:
    offset = np.full(16000, 0.3, np.float32) + noise(16000, 1e-4)
    for chosen in (FilterSettings(high_pass_hz=20.0), FilterSettings(stethoscope="heart"), EVERYTHING):
        assert np.abs(FilterChain(chosen, 16000).push(offset)).max() < 3e-3
    hum_only = FilterChain(FilterSettings(hum_hz=50.0), 16000).push(offset)
    assert np.abs(hum_only - 0.3).max() < 3e-3


def test_a_gap_begins_a_stream_anew() -> None:
    chain, fresh = FilterChain(EVERYTHING, 16000), FilterChain(EVERYTHING, 16000)
    chain.push(noise(5000, seed=1))
    chain.reset()
    later = noise(5000, seed=2)
    np.testing.assert_array_equal(chain.push(later), fresh.push(later))


@given(
    chosen=any_settings,
    samples=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50),
)
@example(chosen=FilterSettings(gain_db=60.0, high_pass_hz=100.0), samples=[3e38, -3e38] * 20)
@settings(deadline=None, max_examples=100)
def test_finite_samples_stay_finite(chosen: FilterSettings, samples: list[float]) -> None:
    passed = FilterChain(chosen, 16000).push(np.array(samples, np.float32))
    assert np.isfinite(passed).all()


def test_the_chain_names_what_it_does() -> None:
    assert repr(FilterChain(EVERYTHING, 48000)) == "FilterChain(48000 Hz, gain 6 dB, 11 stages)"
