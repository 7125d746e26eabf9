"""The six sounds that every model must reproduce."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.fft

from converter.golden.golden_windows import cases_with_features, golden_sounds
from device.hearing.features import window_features
from device.hearing.spec import FeatureSpec

NAMES = ["silence", "noise", "sine", "click", "clipping", "cry-like"]


@pytest.mark.parametrize("rate_hz", [4000, 8000, 16_000])
def test_each_sound_fills_one_window_in_int16_steps(rate_hz: int) -> None:
    sounds = golden_sounds(rate_hz, 2 * rate_hz)
    assert list(sounds) == NAMES
    for samples in sounds.values():
        assert samples.dtype == np.float32
        assert samples.shape == (2 * rate_hz,)
        np.testing.assert_array_equal(samples * 32768, np.rint(samples * 32768))
        assert np.abs(samples).max() <= 1


def test_they_are_what_they_are_called() -> None:
    sounds = golden_sounds(16_000, 32_000)
    assert not sounds["silence"].any()
    assert np.flatnonzero(np.abs(sounds["click"]) > 0.05).tolist() == [16_000]
    assert np.mean(np.abs(sounds["clipping"]) > 0.999) > 0.5
    assert np.argmax(np.abs(np.fft.rfft(sounds["sine"]))) == 2000
    assert sounds["noise"].std() == pytest.approx(0.1, rel=0.02)


def test_the_cry_glides_around_450_hz_and_pauses() -> None:
    cry = golden_sounds(16_000, 32_000)["cry-like"]
    frames = cry[:14_400].reshape(-1, 1600)  # 100 ms each, the first expiration
    lags = [np.argmax(np.correlate(frame, frame, "full")[1600 + 25 : 1600 + 50]) + 26 for frame in frames]
    f0_hz = 16_000 / np.array(lags)
    assert 440 < f0_hz.min() < 480
    assert 510 < f0_hz.max() < 540
    assert np.abs(cry[14_600:19_000]).max() < 0.02


def test_features_are_kept_of_two_sounds() -> None:
    assert cases_with_features(NAMES) == ["noise", "cry-like"]
    assert cases_with_features(["silence", "sine"]) == ["silence", "sine"]
    assert cases_with_features(["click", "cry-like", "silence"]) == ["click", "cry-like"]


def test_one_seed_gives_the_same_sounds_again() -> None:
    first, second = golden_sounds(16_000, 32_000), golden_sounds(16_000, 32_000)
    for name in NAMES:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("cepstra", [{}, {"n_mfcc": 40, "normalization": "standardize_bins"}], ids=["mel", "mfcc"])
def test_no_feature_hangs_on_rounding_errors_of_the_fft(
    cepstra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pure tone leaves far bins to the FFT's own rounding; another FFT gives other logarithms there.

    With scipy's FFT, which computes in single precision throughout, every golden feature must stay
    within the tolerance that a golden case is checked with. A click in digital silence once did not: its
    cepstra hardly vary, standardizing them took rounding errors to 0.0025, and ARM refused the model.
    """
    spec = FeatureSpec(16_000, 32_000, 1024, 1024, 500, n_mels=64, **cepstra)
    sounds = golden_sounds(16_000, 32_000)
    found = {name: window_features(spec, samples) for name, samples in sounds.items()}
    monkeypatch.setattr(np.fft, "rfft", scipy.fft.rfft)
    apart = {
        name: float(np.max(np.abs(window_features(spec, sounds[name]) - golden) / np.maximum(1, np.abs(golden))))
        for name, golden in found.items()
    }
    assert max(apart.values()) < 1e-4, apart
    assert max(apart.values()) > 0  # it is another FFT
