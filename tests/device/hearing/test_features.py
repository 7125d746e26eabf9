"""The numbers that a network receives: against librosa, HTK's formulas, python_speech_features, and themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pytest
import python_speech_features as psf
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import SpecError
from device.hearing.bundle.reader import read_bundle
from device.hearing.features import FrameCache, FrameComputer, computer, finish, window_features
from device.hearing.spec import FeatureSpec
from device.runtime.model_library import bundle_path
from tests.device.hearing import golden_features as golden

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


LOG_MEL: FeatureSpec = golden.LOG_MEL
MFCC = replace(LOG_MEL, n_mfcc=40)
HTK = replace(
    LOG_MEL,
    window="hamming",
    window_periodic=False,
    window_placement="start",
    frame_length=400,
    n_fft=512,
    hop=160,
    n_mels=26,
    mel_scale="htk",
    triangles_in="mel",
    mel_norm="none",
    log="ln",
    n_mfcc=13,
    dct_norm="htk",
    lifter=22,
)


def _noise(samples: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def _speech_like(samples: int) -> npt.NDArray[np.float32]:
    """Harmonics that come and go over a faint noise: 80 dB of range, as in real rooms."""
    t = np.arange(samples) / 16000
    tone = sum(np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 20))
    return (0.1 * tone * np.clip(np.sin(2 * np.pi * 1.5 * t), 0, 1) + 1e-4 * _noise(samples)).astype(np.float32)


NOISE = _noise(32000)

# --- against librosa ----------------------------------------------------------------------------
# Both work in float32 from the FFT on. In noise the bands agree to units in the last place (1e-4 dB); a band
# 70 dB under its neighbours holds the float32 FFT's own rounding, and is known to 0.01 dB.


@pytest.mark.parametrize("signal", [NOISE, _speech_like(32000)], ids=["noise", "speech-like"])
@pytest.mark.parametrize("htk", [False, True])
def test_log_mel_agrees_with_librosa(signal: npt.NDArray[np.float32], htk: bool) -> None:  # noqa: FBT001 - a case
    spec = replace(LOG_MEL, mel_scale="htk" if htk else "slaney", mel_norm="none" if htk else "slaney")
    power = librosa.feature.melspectrogram(
        y=signal, sr=16000, n_fft=1024, hop_length=500, n_mels=64, center=False, htk=htk, norm=None if htk else "slaney"
    )
    expected = librosa.power_to_db(power, top_db=None).T
    np.testing.assert_allclose(window_features(spec, signal), expected, atol=1e-2)
    if signal is NOISE:
        np.testing.assert_allclose(window_features(spec, signal), expected, atol=1e-4)


def test_centred_frames_top_db_and_reference_agree_with_librosa() -> None:
    signal = _speech_like(32000)
    spec = replace(LOG_MEL, hop=512, centre=True, top_db=60.0, reference=0.25)
    power = librosa.feature.melspectrogram(
        y=signal, sr=16000, n_fft=1024, hop_length=512, n_mels=64, pad_mode="reflect"
    )
    expected = librosa.power_to_db(power, ref=0.25, top_db=60.0).T
    assert spec.shape == (63, 64)
    np.testing.assert_allclose(window_features(spec, signal), expected, atol=1e-2)


@pytest.mark.parametrize("lifter", [0, 22])
def test_mfcc_agrees_with_librosa(lifter: int) -> None:
    signal = _speech_like(32000)
    spec = replace(MFCC, top_db=80.0, lifter=lifter, lifter_origin=1)
    expected = librosa.feature.mfcc(
        y=signal, sr=16000, n_mfcc=40, n_fft=1024, hop_length=500, n_mels=64, center=False, lifter=lifter
    ).T
    # bands known to 0.01 dB at worst, lifted by up to 12
    np.testing.assert_allclose(window_features(spec, signal), expected, atol=0.02)


@pytest.mark.parametrize("edges", ["interp", "nearest"])
def test_deltas_agree_with_librosa(edges: str) -> None:
    signal = _speech_like(32000)
    spec = FeatureSpec.from_dict({**MFCC.to_dict(), "deltas": 2, "delta_edges": edges})
    static = window_features(MFCC, signal).T
    once = librosa.feature.delta(static, mode=edges)
    expected = np.concatenate([static, once, librosa.feature.delta(once, mode=edges)]).T
    np.testing.assert_allclose(window_features(spec, signal), expected, atol=1e-3)


# --- against HTK's formulas ---------------------------------------------------------------------


def test_htk_front_end_agrees_with_the_formulas_of_the_htk_book() -> None:
    """HTK book 3.4, 5.4 to 5.9, written out frame by frame in float64."""
    signal = _speech_like(32000)
    spec = replace(HTK, pre_emphasis=0.97, pre_emphasis_in="frame")
    mel_points = np.linspace(0.0, 2595 * np.log10(1 + 8000 / 700), 28)
    bin_mel = 2595 * np.log10(1 + np.arange(257) * 16000 / 512 / 700)
    expected = np.empty((198, 13))
    for t in range(198):
        frame = signal[160 * t : 160 * t + 400].astype(np.float64)
        frame = np.append(frame[0] * (1 - 0.97), frame[1:] - 0.97 * frame[:-1])
        frame *= 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
        power = np.abs(np.fft.rfft(frame, 512)) ** 2
        bands = np.empty(26)
        for j in range(26):
            rise = (bin_mel - mel_points[j]) / (mel_points[j + 1] - mel_points[j])
            fall = (mel_points[j + 2] - bin_mel) / (mel_points[j + 2] - mel_points[j + 1])
            bands[j] = np.log(max(1e-10, float(np.clip(np.minimum(rise, fall), 0, None) @ power)))
        for i in range(13):
            cosine = np.cos(np.pi * i / 26 * (np.arange(1, 27) - 0.5))
            expected[t, i] = np.sqrt(2 / 26) * (bands @ cosine) * (1 + 11 * np.sin(np.pi * i / 22))
    # float32 FFT against float64: 1e-6 relative in loud bins, more in bins 80 dB below their neighbours
    np.testing.assert_allclose(window_features(spec, signal), expected, atol=0.02, rtol=1e-4)


def test_kaldi_and_htk_scales_are_the_same_curve() -> None:
    signal = _noise(32000)
    kaldi = window_features(replace(LOG_MEL, mel_scale="kaldi", triangles_in="mel"), signal)
    htk = window_features(replace(LOG_MEL, mel_scale="htk", triangles_in="mel"), signal)
    np.testing.assert_allclose(kaldi, htk, atol=1e-3)


def test_pre_emphasis_folded_into_the_mel_product_equals_the_filter_on_the_signal() -> None:
    signal = _noise(32000)
    folded = window_features(replace(LOG_MEL, pre_emphasis=0.97, pre_emphasis_in="mel"), signal)
    filtered = window_features(replace(LOG_MEL, pre_emphasis=0.97, pre_emphasis_in="signal"), signal)
    # the filter's gain is that at the bin centre: exact for a tone, within half a dB for noise
    assert np.abs(folded - filtered).mean() < 0.05
    assert np.abs(folded - filtered).max() < 1.0


def test_pre_emphasis_of_another_rate_has_the_gain_of_that_rate_at_each_frequency() -> None:
    """A tone in one band rises by 10 log10 |1 - 0.97 exp(-2 pi j f / 32000)|^2, whatever rate it is heard at."""
    for hz in (300.0, 1000.0, 6000.0):
        tone = (0.1 * np.sin(2 * np.pi * hz * np.arange(32000) / 16000)).astype(np.float32)
        spec = replace(LOG_MEL, pre_emphasis=0.97, pre_emphasis_rate_hz=32_000)
        raised = window_features(spec, tone).max() - window_features(LOG_MEL, tone).max()
        gain = abs(1 - 0.97 * np.exp(-2j * np.pi * hz / 32_000)) ** 2
        assert raised == pytest.approx(10 * np.log10(gain), abs=0.3)


# --- against python_speech_features, its own conventions expressed in the spec ------------------


def test_mfcc_agrees_with_python_speech_features() -> None:
    samples = 400 + 160 * 197  # a whole number of frames: the reference pads the last one with zeros
    signal = _speech_like(samples)
    spec = replace(
        HTK,
        window_samples=samples,
        pre_emphasis=0.97,
        pre_emphasis_in="signal",
        triangles_in="bins",
        spectrum_scale=1 / 512,
        floor=float(np.finfo(np.float64).eps),
        dct_norm="ortho",
        energy=True,
    )
    expected = psf.mfcc(signal, 16000, winfunc=np.hamming, nfilt=26, nfft=512, preemph=0.97, ceplifter=22)
    # the reference works in float64 throughout: 1e-6 relative in a band, times the lifter's 12
    np.testing.assert_allclose(window_features(spec, signal), expected, atol=0.02, rtol=1e-4)


def test_delta_agrees_with_python_speech_features() -> None:
    static = window_features(HTK, _speech_like(32000))
    spec = replace(HTK, deltas=1, delta_width=5)
    np.testing.assert_allclose(
        window_features(spec, _speech_like(32000))[:, 13:], psf.delta(static.astype(np.float64), 2), atol=1e-4
    )


# --- golden vectors -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", sorted(golden.computed()))
def test_golden_vectors_hold(case: str) -> None:
    with np.load(golden.PATH, allow_pickle=False) as kept:
        # another machine's FFT and logarithm may differ in the last place: 1e-5 relative, dB near 0 absolute
        np.testing.assert_allclose(golden.computed()[case], kept[case], rtol=1e-5, atol=2e-4)


def test_all_features_of_all_golden_signals_are_finite() -> None:
    for case, features in golden.computed().items():
        assert np.isfinite(features).all(), case


# --- one path for batch and stream --------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, 40_000), frames=st.integers(1, 70), seed=st.integers(0, 5))
def test_a_frame_has_the_same_bits_wherever_it_stands(start: int, frames: int, seed: int) -> None:
    signal = _noise(80_000, seed)
    whole = computer(MFCC).frames(signal[start % 500 :])
    first = (start - start % 500) // 500
    part = computer(MFCC).frames(signal[start : start + 1024 + 500 * (frames - 1)])
    assert np.array_equal(part, whole[first : first + len(part)])


@pytest.mark.parametrize("model", ["cry", "lung"])
def test_each_frame_of_a_shipped_model_has_the_same_bits_alone_and_among_any_number(model: str) -> None:
    (spec,) = read_bundle(bundle_path(model)).specs
    signal = _noise(spec.span + 40 * spec.hop)
    whole = computer(spec).frames(signal)
    for first in range(41):
        alone = computer(spec).frames(signal[first * spec.hop : first * spec.hop + spec.span])
        assert np.array_equal(alone[0], whole[first])
        assert np.array_equal(computer(spec).frames(signal[first * spec.hop :]), whole[first:])


@settings(max_examples=30, deadline=None)
@given(hops=st.lists(st.integers(0, 80), min_size=1, max_size=8), mfcc=st.booleans())
def test_cached_frames_equal_batch_frames_bit_for_bit(hops: list[int], mfcc: bool) -> None:  # noqa: FBT001 - a case
    signal = _noise(32000 + 500 * sum(hops))
    mel = FrameCache(LOG_MEL)
    spec = MFCC if mfcc else LOG_MEL
    cache = FrameCache(MFCC, mel=mel) if mfcc else mel
    first = 0
    for hop in hops:
        first += hop
        window = signal[500 * first : 500 * first + 32000]
        assert np.array_equal(finish(spec, cache.frames(window, first)), window_features(spec, window))


def test_a_reset_cache_forgets_the_stream() -> None:
    cache = FrameCache(LOG_MEL)
    cache.frames(_noise(32000, 1), 0)
    cache.reset()
    other = _noise(32000, 2)
    assert np.array_equal(cache.frames(other, 0), computer(LOG_MEL).frames(other))


def test_a_window_outside_the_stream_leaves_the_cache_alone() -> None:
    cache, signal = FrameCache(LOG_MEL), _noise(40000)
    cache.frames(signal[:32000], 0)
    cache.frames(_noise(32000, 9), None)
    assert np.array_equal(cache.frames(signal[8000:], 16), computer(LOG_MEL).frames(signal[8000:]))


@pytest.mark.real_audio
def test_real_cries_give_the_same_bits_in_batch_and_stream(data_dir: Path) -> None:
    files = sorted((data_dir / "esc50" / "crying_baby").glob("*.ogg"))[:3]
    assert files, "the recordings are missing"
    for file in files:
        signal, rate_hz = soundfile.read(file, dtype="float32")
        assert rate_hz == 16000
        cache = FrameCache(MFCC)
        for start in range(0, len(signal) - 32000, 8000):
            window = signal[start : start + 32000]
            assert np.array_equal(cache.frames(window, start // 500), computer(MFCC).frames(window))


# --- the edges ----------------------------------------------------------------------------------


@pytest.mark.parametrize("normalization", ["none", "fixed", "peak", "standardize", "standardize_bins", "min_max"])
@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, 1e-30])
def test_a_constant_window_gives_finite_features(normalization: str, level: float) -> None:
    spec = FeatureSpec.from_dict({**MFCC.to_dict(), "normalization": normalization, "deltas": 1})
    features = window_features(spec, np.full(32000, level, np.float32))
    assert features.shape == spec.shape
    assert np.isfinite(features).all()


def test_standardized_features_ignore_the_level() -> None:
    spec = replace(LOG_MEL, normalization="standardize")
    loud, quiet = window_features(spec, _noise(32000)), window_features(spec, _noise(32000) * np.float32(0.01))
    np.testing.assert_allclose(loud, quiet, atol=1e-4)


def test_features_below_the_peak_ignore_the_level_down_to_the_reference() -> None:
    spec = replace(LOG_MEL, normalization="peak", reference=1e-5, floor=1e-12, mean=(-20.0,), scale=(10.0,))
    loud, quiet = window_features(spec, _noise(32000)), window_features(spec, _noise(32000) * np.float32(0.01))
    np.testing.assert_allclose(loud, quiet, atol=1e-3)
    assert loud.max() == pytest.approx(2.0)
    peak_db = window_features(replace(spec, normalization="none"), _noise(32000)).max()
    assert 40 < peak_db < 80
    below = window_features(spec, _noise(32000) * np.float32(1e-4))  # 80 dB less, so below the reference
    assert below.max() == pytest.approx(2.0 + (peak_db - 80) / 10, abs=1e-3)


def test_silence_stays_below_every_sound_when_peaks_are_levelled() -> None:
    spec = replace(LOG_MEL, normalization="peak", reference=1e-3, floor=1e-12)
    assert window_features(spec, np.zeros(32000, np.float32)).max() == pytest.approx(-90.0)


def test_min_max_spans_zero_to_one() -> None:
    features = window_features(replace(LOG_MEL, normalization="min_max"), _noise(32000))
    assert features.min() == 0.0
    assert features.max() == 1.0


def test_fixed_normalization_may_have_one_number_per_bin() -> None:
    mean = tuple(float(bin_) for bin_ in range(64))
    plain = window_features(LOG_MEL, _noise(32000))
    spec = replace(LOG_MEL, normalization="fixed", mean=mean, scale=(2.0,))
    np.testing.assert_allclose(window_features(spec, _noise(32000)), (plain - np.array(mean)) / 2, atol=1e-5)


def test_bands_above_half_the_rate_stay_at_the_floor() -> None:
    spec = replace(LOG_MEL, f_max_hz=15_000.0, n_mels=128)
    features = window_features(spec, _noise(32000))
    np.testing.assert_allclose(features[:, -10:], -100.0, rtol=1e-6)


def test_a_signal_shorter_than_a_frame_has_no_frames() -> None:
    assert FrameComputer(LOG_MEL).frames(_noise(1023)).shape == (0, 64)


def test_a_window_of_another_length_is_refused() -> None:
    with pytest.raises(SpecError, match=r"\(31999,\) samples wanted, the spec's window is \(32000,\)"):
        window_features(LOG_MEL, _noise(31999))
