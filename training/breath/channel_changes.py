"""What other stethoscopes, rooms and hands do to a window of breath sounds, done to its decibels.

Each change keeps the labels. A smooth curve over the bands is another stethoscope or chest; noise with a colour of its
own is added in power; masks are SpecAugment's (D. S. Park et al., Interspeech 2019); `mixed` is mixup (H. Zhang et al.,
ICLR 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class ChannelChanges:
    """How often and how far a window is changed.

    Attributes:
        curve_share: windows whose bands are raised and lowered along a smooth curve.
        curve_db: standard deviation of its knots.
        tilt_db: standard deviation of its slope from the lowest band to the highest.
        noise_share: windows that noise is added to.
        noise_below_db: least and greatest distance of the noise from the window's peak.
        band_mask_share: windows of which some bands are silenced.
        frame_mask_share: windows of which some frames are silenced.
        mixup: alpha of the Beta distribution of the shares in which two windows are mixed.
    """

    curve_share: float = 0.7
    curve_db: float = 5.0
    tilt_db: float = 6.0
    noise_share: float = 0.5
    noise_below_db: tuple[float, float] = (15.0, 60.0)
    band_mask_share: float = 0.7
    frame_mask_share: float = 0.5
    mixup: float = 0.3


_CURVE_KNOTS, _NOISE_KNOTS = 6, 5
_NOISE_DB = 6.0
_WIDEST_BAND_MASK, _LONGEST_FRAME_MASK = 1 / 6, 1 / 10


def through_another_channel(decibels: Float32, changes: ChannelChanges, rng: Rng) -> Float32:
    """Curve, then noise: (n, frames, bands) in decibels -> the same shape."""
    count, _, bands = decibels.shape
    curve = _curves(rng, count, bands, _CURVE_KNOTS, changes.curve_db)
    curve += rng.normal(0, changes.tilt_db, (count, 1)) * np.linspace(-0.5, 0.5, bands)
    curve[np.flatnonzero(rng.random(count) >= changes.curve_share)] = 0.0
    changed = decibels + curve[:, None, :]
    level = changed.max(axis=(1, 2)) - rng.uniform(*changes.noise_below_db, count)
    colour = level[:, None] + _curves(rng, count, bands, _NOISE_KNOTS, _NOISE_DB)
    grain = rng.gamma(2.0, 0.5, changed.shape)  # mean 1, as a band of a few bins scatters from frame to frame
    noisy = 10 * np.log10(10 ** (changed / 10) + 10 ** (colour / 10)[:, None, :] * grain)
    chosen = np.flatnonzero(rng.random(count) < changes.noise_share)
    changed[chosen] = noisy[chosen]
    return changed.astype(np.float32)


def masked(windows: Float32, changes: ChannelChanges, rng: Rng) -> Float32:
    """Bands and frames at the window's least value: (n, frames, bands) -> the same shape, as a copy."""
    changed = windows.copy()
    _, frames, bands = windows.shape
    for window in changed:
        if rng.random() < changes.band_mask_share:
            first, width = _mask(rng, bands, _WIDEST_BAND_MASK)
            window[:, first : first + width] = window.min()
        if rng.random() < changes.frame_mask_share:
            first, width = _mask(rng, frames, _LONGEST_FRAME_MASK)
            window[first : first + width] = window.min()
    return changed


def mixed(windows: Float32, targets: Float32, changes: ChannelChanges, rng: Rng) -> tuple[Float32, Float32]:
    """Each window and its targets mixed with another's; a label that either leaves open is open."""
    share = rng.beta(changes.mixup, changes.mixup, (len(windows), 1)).astype(np.float32)
    share, partner = np.maximum(share, 1 - share), rng.permutation(len(windows))
    return (
        share[..., None] * windows + (1 - share[..., None]) * windows[partner],
        share * targets + (1 - share) * targets[partner],
    )


def _curves(rng: Rng, count: int, bands: int, knots: int, spread_db: float) -> Float64:
    """Straight lines between random knots: (count, bands)."""
    places, at = np.linspace(0, 1, knots), np.linspace(0, 1, bands)
    return np.stack([np.interp(at, places, values) for values in rng.normal(0, spread_db, (count, knots))])


def _mask(rng: Rng, size: int, widest: float) -> tuple[int, int]:
    """First place and width."""
    width = int(rng.integers(0, max(1, int(size * widest))))
    return int(rng.integers(0, size - width + 1)), width
