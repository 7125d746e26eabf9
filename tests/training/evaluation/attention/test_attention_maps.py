"""Shares of attention over time and frequency from the scores that a network returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError
from device.hearing.features import band_edges_hz, window_features
from training.evaluation.attention.attention_maps import attention_of, shortest_half
from training.networks.han import STREAMING_LOG_MEL as SPEC

if TYPE_CHECKING:
    import numpy.typing as npt

FRAMES, BANDS = SPEC.frame_count, SPEC.static_bins


@dataclass
class FakeNetwork:
    outputs: Any

    def predict_on_batch(self, _features: npt.NDArray[np.float32]) -> Any:
        return self.outputs


def scores(*, frame: int | None = None, band: int | None = None, windows: int = 1) -> list[npt.NDArray[np.float64]]:
    """Logits, band scores and time scores that attend to one frame, to one band, or to all alike."""
    bands, frames = np.zeros((windows, FRAMES, BANDS)), np.zeros((windows, FRAMES))
    if frame is not None:
        frames[:, frame] = 50.0
    if band is not None:
        bands[:, :, band] = 50.0
    return [np.tile([[2.0, 0.0, 1.0, 0.0]], (windows, 1)), bands, frames]


def attention(outputs: Any, starts_s: tuple[float, ...] = (0.0,)) -> list[Any]:
    features = np.zeros((len(starts_s), *SPEC.shape, 1), np.float32)
    return attention_of(FakeNetwork(outputs), SPEC, features, starts_s)


def test_a_map_sums_to_one_and_points_to_where_the_scores_are() -> None:
    (window,) = attention(scores(frame=20, band=7), (4.0,))
    assert window.shares.shape == (FRAMES, BANDS)
    assert window.shares.sum() == pytest.approx(1.0)
    assert window.shares[20, 7] == pytest.approx(1.0)
    middle_s = 4.0 + (20 * SPEC.hop + SPEC.n_fft / 2) / SPEC.sample_rate_hz
    start_s, end_s = window.points_to_s()
    assert start_s == pytest.approx(middle_s - SPEC.hop / SPEC.sample_rate_hz / 2)
    assert end_s == pytest.approx(middle_s + SPEC.hop / SPEC.sample_rate_hz / 2)
    edges_hz = band_edges_hz(SPEC)
    assert window.points_to_hz() == (edges_hz[7], edges_hz[9])
    assert window.entropy == pytest.approx(0.0, abs=1e-6)
    assert window.probability.sum() == pytest.approx(1.0)


def test_even_attention_has_an_entropy_of_one_and_points_to_half_of_everything() -> None:
    (window,) = attention(scores())
    assert window.entropy == pytest.approx(1.0)
    start_s, end_s = window.points_to_s()
    assert end_s - start_s == pytest.approx(FRAMES / 2 * SPEC.hop / SPEC.sample_rate_hz)


def test_the_ablation_attends_to_time_alone() -> None:
    logits, _, frames = scores(frame=3)
    (window,) = attention([logits, frames])
    assert window.over_bands == pytest.approx(np.full(BANDS, 1 / BANDS))
    assert window.over_time[3] == pytest.approx(1.0)
    assert window.points_to_hz() == (SPEC.f_min_hz, pytest.approx(SPEC.f_max_hz))


def test_probabilities_are_taken_as_they_are() -> None:
    _, bands, frames = scores()
    (window,) = attention([np.array([[0.1, 0.2, 0.3, 0.4]]), bands, frames])
    assert window.probability == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("outputs", [np.zeros((1, 4)), [np.zeros((1, 4)), np.zeros((1, 5))]])
def test_a_network_without_attention_is_refused(outputs: Any) -> None:
    with pytest.raises(ConfigError, match="the network gives no attention of 62 frames x 32 bands: give a han network"):
        attention(outputs)


def test_shares_within_a_stretch_stand_beside_its_share_of_the_time() -> None:
    (window,) = attention(scores(frame=20), (10.0,))
    middle_s = float(window.frame_s[20])
    share, time = window.share_within([(middle_s - 0.1, middle_s + 0.1), (0.0, 1.0)])
    assert share == pytest.approx(1.0)
    assert time == pytest.approx(6 / FRAMES, abs=1.1 / FRAMES)
    assert window.share_within([]) == (0.0, 0.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40).filter(lambda shares: sum(shares) > 0.01))
def test_the_shortest_half_holds_half_and_no_shorter_run_does(shares: list[float]) -> None:
    held = np.array(shares)
    first, last = shortest_half(held)
    length = last - first + 1
    assert held[first : last + 1].sum() >= held.sum() / 2 * (1 - 1e-6)
    for start in range(len(held) - length + 2):
        assert length == 1 or held[start : start + length - 1].sum() < held.sum() / 2


def test_band_edges_are_where_tones_are_loudest() -> None:
    edges_hz = band_edges_hz(SPEC)
    for band in (5, 15, 25):
        tone = np.sin(2 * np.pi * edges_hz[band + 1] * np.arange(SPEC.window_samples) / SPEC.sample_rate_hz)
        features = window_features(SPEC, tone.astype(np.float32))[:, :BANDS]
        assert abs(int(features.mean(axis=0).argmax()) - band) <= 1
