"""Features, the input of the networks: one definition for training, conversion and the device.

Two stages. Per *frame*: window, FFT, power, mel, logarithm, DCT. Per *window*: top_db, deltas,
normalization. A frame's values do not depend on its position nor on the frames beside it: every
step is arithmetic within a row, so a frame computed in a stream equals the frame computed in a batch
bit for bit (a BLAS product over 2 and over 62 rows differs by 5e-7, enough to flip an int8 step).
Knows no stream, no file and no network; has no constants of its own: a `FeatureSpec` defines everything.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from device.errors import SpecError

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

_CHUNK_FRAMES = 16
"""Frames that are computed together at most, so that what lies between two steps stays in a small cache."""

_FLATNESS = 1e-8
"""Below this spread a window counts as constant, and is centred without being scaled."""


def window_features(spec: FeatureSpec, samples: Float32) -> Float32:
    """Features of one window: (window_samples,) in [-1, 1] -> (frame_count, bins).

    Raises:
        SpecError: another number of samples than the spec's window.
    """
    if samples.shape != (spec.window_samples,):
        raise SpecError(f"features of {samples.shape} samples wanted, the spec's window is ({spec.window_samples},)")
    return finish(spec, computer(spec).frames(samples))


def finish(spec: FeatureSpec, frames: Float32) -> Float32:
    """The per-window stage: frames of one window (frame_count, n) -> (frame_count, bins)."""
    if spec.top_db is not None:
        frames = _limit_range(spec, frames)
    return _normalize(spec, _with_deltas(spec, frames))


@functools.lru_cache(maxsize=32)
def computer(spec: FeatureSpec) -> FrameComputer:
    """The frame computer of a spec; its tables are computed once."""
    return FrameComputer(spec)


class FrameComputer:
    """The per-frame stage of one spec, with its tables."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._window = _window_table(spec)
        self._bins, self._weights, self._starts = _sparse(_mel_matrix(spec))
        self._dct = _dct_table(spec) if spec.n_mfcc else None
        self._log_scale = np.float32(10 / math.log(10) if spec.log == "db" else 1.0)
        self._log_offset = np.float32(math.log(max(spec.reference, 1e-300)) * float(self._log_scale))

    def __repr__(self) -> str:
        return f"FrameComputer({self.spec.frame_hash})"

    def frames(self, samples: Float32) -> Float32:
        """Frames of a signal, one row each: (n,) -> (1 + (n - span) // hop, bins of a frame).

        Bins are the cepstra, or the log-mel bands if `n_mfcc` is 0, or if `top_db` must be applied first.
        """
        return self.from_mel(self.mel(samples))

    def mel(self, samples: Float32) -> Float32:
        """Log-mel frames of a signal: (n,) -> (frames, n_mels), followed by the log energy if the spec has it."""
        padded = self._prepared(samples)
        count = 1 + (len(padded) - self.spec.span) // self.spec.hop
        if count < 1:
            return np.empty((0, self.spec.n_mels + self.spec.energy), np.float32)
        views = np.lib.stride_tricks.sliding_window_view(padded, self.spec.span)[:: self.spec.hop]
        parts = [self._chunk(views[first : first + _CHUNK_FRAMES]) for first in range(0, count, _CHUNK_FRAMES)]
        return np.concatenate(parts)

    def from_mel(self, mel: Float32) -> Float32:
        """The rest of the per-frame stage: log-mel frames -> cepstra (see `frames`)."""
        if self._dct is None or self.spec.top_db is not None:
            return mel
        return _cepstra(self.spec, self._dct, mel)

    def _prepared(self, samples: Float32) -> Float32:
        spec = self.spec
        if spec.pre_emphasis and spec.pre_emphasis_in == "signal":
            samples = np.append(samples[:1], samples[1:] - np.float32(spec.pre_emphasis) * samples[:-1])
        if not spec.centre:
            return samples
        half = spec.n_fft // 2
        return np.pad(samples, half, mode="reflect" if spec.pad_mode == "reflect" else "constant")

    def _chunk(self, views: Float32) -> Float32:
        """Frames (m, span) -> (m, n_mels [+ 1])."""
        spec = self.spec
        frames = np.zeros((len(views), spec.n_fft), np.float32)
        held = frames[:, : spec.span]
        if spec.pre_emphasis and spec.pre_emphasis_in == "frame":
            held[:, 0] = views[:, 0] * np.float32(1 - spec.pre_emphasis)
            np.subtract(views[:, 1:], np.float32(spec.pre_emphasis) * views[:, :-1], out=held[:, 1:])
            held *= self._window
        else:
            np.multiply(views, self._window, out=held)
        spectrum = np.fft.rfft(frames).astype(np.complex64, copy=False)  # (m, n_fft / 2 + 1)
        power = spectrum.real * spectrum.real
        power += spectrum.imag * spectrum.imag
        if spec.spectrum == "magnitude":
            np.sqrt(power, out=power)
        return self._logarithm(self._bands(power))

    def _bands(self, power: Float32) -> Float32:
        """(m, n_fft / 2 + 1) -> (m, n_mels [+ 1]): only 3 % of the matrix is not zero."""
        weighted = np.take(power, self._bins, axis=1)
        weighted *= self._weights
        bands: Float32 = np.add.reduceat(weighted, self._starts, axis=1)
        if not self.spec.energy:
            return bands
        total = power.sum(axis=1, keepdims=True) * np.float32(self.spec.spectrum_scale)
        return np.concatenate([bands, total], axis=1)

    def _logarithm(self, bands: Float32) -> Float32:
        floor = np.float32(self.spec.floor)
        if self.spec.floor_at == "max":
            np.maximum(bands, floor, out=bands)
        else:
            bands += floor
        np.log(bands, out=bands)
        bands *= self._log_scale
        bands -= self._log_offset
        return bands


class FrameCache:
    """The frames of one stream for one `frame_hash`: each is computed once, however many windows hold it.

    If `mel` is given, log-mel frames come from that cache, whose `mel_hash` must agree.
    """

    def __init__(self, spec: FeatureSpec, *, mel: FrameCache | None = None) -> None:
        self._computer = computer(spec)
        self._mel = mel
        self._first = 0
        self._rows: Float32 | None = None

    def __repr__(self) -> str:
        held = 0 if self._rows is None else len(self._rows)
        return f"FrameCache({self._computer.spec.frame_hash}, {held} frames from {self._first})"

    def reset(self) -> None:
        """Discard all frames: samples are missing, or another stream begins."""
        self._rows = None

    def frames(self, samples: Float32, first_frame: int | None) -> Float32:
        """Frames of one window of the stream: (window_samples,) -> (frame_count, n).

        Args:
            samples: the window.
            first_frame: index in the stream of the window's first frame; None for a window whose samples are not
                consecutive in the stream, which neither uses nor changes the cache.
        """
        if first_frame is None:
            return self._computer.frames(samples)
        known = self._known(first_frame)
        fresh = self._fresh(samples, first_frame, len(known))
        self._rows = np.concatenate([known, fresh]) if len(known) else fresh
        self._first = first_frame
        return self._rows

    def _known(self, first_frame: int) -> Float32:
        if self._rows is None or not self._first <= first_frame < self._first + len(self._rows):
            return np.empty((0, 0), np.float32)
        return self._rows[first_frame - self._first :]

    def _fresh(self, samples: Float32, first_frame: int, known: int) -> Float32:
        if self._mel is not None:
            return self._computer.from_mel(self._mel.frames(samples, first_frame)[known:])
        return self._computer.frames(samples[known * self._computer.spec.hop :])


# --- the per-window stage -----------------------------------------------------------------------


def _limit_range(spec: FeatureSpec, mel: Float32) -> Float32:
    """Raise all values to at least top_db under the loudest, as librosa.power_to_db; then the DCT."""
    least = mel[:, : spec.n_mels].max() - np.float32(spec.top_db or 0.0)
    limited: Float32 = np.maximum(mel, least)
    if spec.energy:
        limited[:, -1] = mel[:, -1]
    return _cepstra(spec, _cached_dct(spec), limited) if spec.n_mfcc else limited


def _with_deltas(spec: FeatureSpec, frames: Float32) -> Float32:
    """(frames, static bins) -> (frames, static bins * (1 + deltas))."""
    parts = [frames]
    for _ in range(spec.deltas):
        parts.append(_delta(spec, parts[-1]))
    return np.concatenate(parts, axis=1) if spec.deltas else frames


def _delta(spec: FeatureSpec, frames: Float32) -> Float32:
    """Slope per frame of a line fitted over delta_width frames (HTK book, 5.16): (n, bins) -> (n, bins).

    sum_k k (c[t + k] - c[t - k]) / (2 sum_k k^2); a Savitzky-Golay derivative of order 1.
    """
    half = spec.delta_width // 2
    padded = np.pad(frames, ((half, half), (0, 0)), mode="edge").astype(np.float64)
    count = len(frames)
    slope = np.zeros(frames.shape)
    for k in range(1, half + 1):
        slope += k * (padded[half + k : half + k + count] - padded[half - k : half - k + count])
    slope /= 2 * sum(k * k for k in range(1, half + 1))
    if spec.delta_edges == "interp":
        slope[:half] = slope[half]
        slope[count - half :] = slope[count - half - 1]
    return slope.astype(np.float32)


def _normalize(spec: FeatureSpec, frames: Float32) -> Float32:
    """(frames, bins) -> the same shape; finite for a constant window."""
    if spec.normalization == "none":
        return frames
    if spec.normalization in {"fixed", "peak"}:
        # A window below the reference (0 after the logarithm) is not raised: silence stays silence.
        frames = frames - max(frames.max(), np.float32(0.0)) if spec.normalization == "peak" else frames
        mean, scale = np.array(spec.mean, np.float32), np.array(spec.scale, np.float32)
        fixed: Float32 = (frames - mean) / scale
        return fixed
    if spec.normalization == "min_max":
        least, span = frames.min(), frames.max() - frames.min()
        return _scaled(frames - least, span)
    axis = 0 if spec.normalization == "standardize_bins" else None
    centred: Float32 = frames - frames.mean(axis=axis, keepdims=True, dtype=np.float64).astype(np.float32)
    return _scaled(centred, frames.std(axis=axis, keepdims=True, dtype=np.float64).astype(np.float32))


def _scaled(centred: Float32, spread: Float32 | np.float32) -> Float32:
    divisor = np.where(spread > _FLATNESS, spread, np.float32(1.0)).astype(np.float32)
    scaled: Float32 = centred / divisor
    return scaled


def band_edges_hz(spec: FeatureSpec) -> Float64:
    """Where the bands lie: (n_mels + 2,); band k rises from edge k, peaks at k + 1 and ends at k + 2."""
    return _mel_to_hz(spec.mel_scale, _band_edges_mel(spec))


# --- tables -------------------------------------------------------------------------------------


def _window_table(spec: FeatureSpec) -> Float32:
    """Window function placed in a frame: (span,)."""
    length = spec.frame_length
    angle = 2 * np.pi * np.arange(length) / max(1, length if spec.window_periodic else length - 1)
    alpha = {"hann": 0.5, "hamming": 0.54, "rectangular": 1.0}[spec.window]
    table = np.zeros(spec.span)
    start = (spec.span - length) // 2
    table[start : start + length] = alpha - (1 - alpha) * np.cos(angle)
    return table.astype(np.float32)


def _hz_to_mel(scale: str, hz: Float64) -> Float64:
    """Slaney (Auditory Toolbox): linear to 1 kHz, 27 steps per factor 6.4 above; HTK; Kaldi."""
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    if scale == "kaldi":
        return 1127.0 * np.log(1.0 + hz / 700.0)
    above = 15.0 + 27.0 * np.log(np.maximum(hz, 1e-9) / 1000.0) / math.log(6.4)
    return np.where(hz < 1000.0, 3.0 * hz / 200.0, above)


def _mel_to_hz(scale: str, mel: Float64) -> Float64:
    """The inverse of `_hz_to_mel`."""
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    if scale == "kaldi":
        return 700.0 * (np.exp(mel / 1127.0) - 1.0)
    return np.where(mel < 15.0, 200.0 * mel / 3.0, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))


def _band_edges_mel(spec: FeatureSpec) -> Float64:
    ends = _hz_to_mel(spec.mel_scale, np.array([spec.f_min_hz, spec.f_max_hz]))
    return np.linspace(ends[0], ends[1], spec.n_mels + 2)


def _mel_matrix(spec: FeatureSpec) -> Float64:
    """Triangles, with pre-emphasis gain and spectrum scale folded in: (n_mels, n_fft / 2 + 1)."""
    bin_hz = np.arange(spec.n_fft // 2 + 1) * spec.sample_rate_hz / spec.n_fft
    edges_mel, edges_hz = _band_edges_mel(spec), band_edges_hz(spec)
    matrix = _triangles(spec, edges_mel, edges_hz, bin_hz)
    if spec.mel_norm == "slaney":
        matrix *= 2.0 / (edges_hz[2:] - edges_hz[:-2])[:, None]
    if spec.pre_emphasis and spec.pre_emphasis_in == "mel":
        rate_hz = spec.pre_emphasis_rate_hz or spec.sample_rate_hz
        gain = np.abs(1.0 - spec.pre_emphasis * np.exp(-2j * np.pi * bin_hz / rate_hz))
        matrix *= gain**2 if spec.spectrum == "power" else gain
    return matrix * spec.spectrum_scale


def _triangles(spec: FeatureSpec, edges_mel: Float64, edges_hz: Float64, bin_hz: Float64) -> Float64:
    if spec.triangles_in == "mel":
        edges, at = edges_mel, _hz_to_mel(spec.mel_scale, bin_hz)
    elif spec.triangles_in == "bins":
        edges = np.floor((spec.n_fft + 1) * edges_hz / spec.sample_rate_hz)
        at = np.arange(len(bin_hz), dtype=np.float64)
    else:
        edges, at = edges_hz, bin_hz
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (at - low) / np.maximum(middle - low, 1e-12)
    falling = (high - at) / np.maximum(high - middle, 1e-12)
    return np.maximum(0.0, np.where(at < middle, rising, falling))


def _sparse(matrix: Float64) -> tuple[npt.NDArray[np.intp], Float32, npt.NDArray[np.intp]]:
    """The matrix as (bin of each weight, weight, where each band's weights start).

    An empty band gets one weight of zero: `reduceat` has no empty sums.
    """
    rows = [np.flatnonzero(row) if row.any() else np.array([0]) for row in matrix]
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    weights = np.concatenate([row[bins] for row, bins in zip(matrix, rows, strict=True)])
    return np.concatenate(rows), weights.astype(np.float32), starts


def _dct_table(spec: FeatureSpec) -> Float64:
    """DCT-II with norm and lifter: (n_mfcc, n_mels), float64 (in float32 MFCCs err by 2.4e-4)."""
    count = spec.n_mels
    k = np.arange(spec.n_mfcc)[:, None]
    table = np.cos(np.pi * k * (np.arange(count)[None, :] + 0.5) / count)
    table *= 2.0 if spec.dct_norm == "none" else math.sqrt(2.0 / count)
    if spec.dct_norm == "ortho":
        table[0] *= math.sqrt(0.5)
    if spec.lifter:
        table *= 1.0 + (spec.lifter / 2.0) * np.sin(np.pi * (k + spec.lifter_origin) / spec.lifter)
    return table


@functools.lru_cache(maxsize=32)
def _cached_dct(spec: FeatureSpec) -> Float64:
    return _dct_table(spec)


def _cepstra(spec: FeatureSpec, dct: Float64, mel: Float32) -> Float32:
    """(n, n_mels [+ 1]) -> (n, n_mfcc); a plain sum of products, so that no row depends on the others by a bit."""
    cepstra: Float64 = np.einsum("nm,cm->nc", mel[:, : spec.n_mels].astype(np.float64), dct)
    if spec.energy:
        cepstra[:, 0] = mel[:, -1]
    return cepstra.astype(np.float32)
