"""Attention maps of a network that returns its attention's scores: windows in, shares of time and frequency out.

The network's outputs are logits or probabilities, then, for a hierarchical one, the scores of the bands in each frame
(frames, bands), then those of the frames (frames,), all before their softmax. A map says which share of the
attention lies on each frame and band; it sums to 1. Knows no file and draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from device.hearing.features import band_edges_hz
from device.hearing.network.probabilities import softmax

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]


_EVEN = 1e-9
"""Shares of bands that differ by less are the same."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowAttention:
    """What a network attended to in one window.

    Attributes:
        probability: of each label (labels,).
        shares: of the attention on each frame and band (frames, bands); sums to 1.
        start_s: of the window in its recording.
        frame_s: when each frame's middle is, in the recording (frames,).
        edges_hz: the bands' edges (bands + 2,), as `band_edges_hz` gives them.
    """

    probability: Float64
    shares: Float64
    start_s: float
    frame_s: Float64
    edges_hz: Float64

    @property
    def over_time(self) -> Float64:
        """Share of the attention on each frame (frames,)."""
        return np.asarray(self.shares.sum(axis=1))

    @property
    def over_bands(self) -> Float64:
        """Share of the attention on each band (bands,)."""
        return np.asarray(self.shares.sum(axis=0))

    @property
    def entropy(self) -> float:
        """Of the attention over time, 0 for one frame alone to 1 for all alike."""
        share = self.over_time
        held = share[share > 0]
        return float(-(held * np.log(held)).sum() / np.log(len(share)))

    def points_to_s(self) -> tuple[float, float]:
        """The shortest stretch, in seconds of the recording, that holds half of the attention."""
        first, last = shortest_half(self.over_time)
        half_hop_s = (self.frame_s[1] - self.frame_s[0]) / 2
        return float(self.frame_s[first] - half_hop_s), float(self.frame_s[last] + half_hop_s)

    def points_to_hz(self) -> tuple[float, float]:
        """The narrowest run of bands, from peak to peak of their neighbours, that holds half of the attention.

        All bands where a network attends to time alone.
        """
        if np.ptp(self.over_bands) < _EVEN:
            return float(self.edges_hz[0]), float(self.edges_hz[-1])
        first, last = shortest_half(self.over_bands)
        return float(self.edges_hz[first]), float(self.edges_hz[last + 2])

    def share_within(self, spans_s: Iterable[tuple[float, float]]) -> tuple[float, float]:
        """Share of the attention that lies within stretches of the recording, and the stretches' share of the time."""
        inside = np.zeros(len(self.frame_s), np.bool_)
        for start_s, end_s in spans_s:
            inside |= (self.frame_s >= start_s) & (self.frame_s < end_s)
        return float(self.over_time[inside].sum()), float(inside.mean())


def shortest_half(shares: Float64) -> tuple[int, int]:
    """First and last index of the shortest run that holds half of the sum, the greatest of equally short ones."""
    total = np.concatenate([[0.0], np.cumsum(shares)])
    half = total[-1] / 2 * (1 - 1e-9)
    for length in range(1, len(shares) + 1):
        held = total[length:] - total[:-length]
        if held.max() >= half:
            first = int(held.argmax())
            return first, first + length - 1
    return 0, len(shares) - 1


def attention_of(
    network: Any, spec: FeatureSpec, features: Float32, starts_s: Iterable[float]
) -> list[WindowAttention]:
    """What a network attends to in windows.

    Args:
        network: a Keras model with one input.
        spec: of its features.
        features: (n, frames, bins, 1).
        starts_s: where each window begins in its recording.

    Raises:
        ConfigError: the network has no outputs of attention, or of other shapes.
    """
    outputs = network.predict_on_batch(features)
    outputs = [np.asarray(one, np.float64) for one in (outputs if isinstance(outputs, list | tuple) else [outputs])]
    shares = _shares(outputs, spec)
    centre_s = (np.arange(spec.frame_count) * spec.hop + (0 if spec.centre else spec.span / 2)) / spec.sample_rate_hz
    return [
        WindowAttention(probability, share, start_s, start_s + centre_s, band_edges_hz(spec))
        for probability, share, start_s in zip(_probabilities(outputs[0]), shares, starts_s, strict=True)
    ]


def _shares(outputs: list[Float64], spec: FeatureSpec) -> Float64:
    """(n, frames, bands): the share of a frame, divided among its bands by theirs, or evenly where none attends."""
    shape = (spec.frame_count, spec.static_bins)
    found = [one.shape[1:] for one in outputs[1:]]
    if found == [shape, shape[:1]]:
        bands, frames = softmax(outputs[1]), softmax(outputs[2])
    elif found == [shape[:1]]:
        frames = softmax(outputs[1])
        bands = np.full((len(frames), *shape), 1 / shape[1])
    else:
        raise ConfigError(f"the network gives no attention of {shape[0]} frames x {shape[1]} bands: give a han network")
    return np.asarray(frames[:, :, None] * bands)


def _probabilities(scores: Float64) -> Float64:
    """Logits or probabilities of exclusive labels -> probabilities."""
    is_probability = (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1.0, atol=1e-3)
    return scores if is_probability else softmax(scores)
