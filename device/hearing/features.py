"""What a network hears: the one definition, for training, conversion and the device alike.

Two stages. Per *frame*: window, FFT, power, mel, logarithm, DCT. Per *window*: top_db, deltas,
normalization. A frame's numbers do not depend on where the frame stands: every frame goes through
the same fixed-size, padded chunk of arithmetic that has one result per row, so a frame computed in
a stream equals the frame computed in a batch bit for bit (a BLAS product over 2 and over 62 rows
differs by 5e-7, enough to flip an int8 step). Knows no stream, no file and no network; has no
constants of its own: a `FeatureSpec` says everything and travels with the model.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from device.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

CHUNK_FRAMES = 16
"""Frames that go through the arithmetic together: half a second at a hop of 500 and 16 kHz."""

_FLATNESS = 1e-8
"""Under this spread a window counts as constant, and is centred without being scaled."""

_NOT_IN_FRAME = (
    "window_samples",
    "top_db",
    "deltas",
    "delta_width",
    "delta_edges",
    "normalization",
    "mean",
    "scale",
)
_NOT_IN_MEL = (*_NOT_IN_FRAME, "n_mfcc", "dct_norm", "lifter", "lifter_origin")


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Everything that makes the numbers a network is fed.

    Attributes:
        sample_rate_hz: rate of the samples, 1000 to 192000.
        window_samples: samples of one window; the network sees `frame_count` frames of it.
        frame_length: samples under the window function, at most `n_fft`.
        n_fft: FFT size; a shorter frame is padded with zeros.
        hop: samples from one frame to the next.
        window: window function.
        window_periodic: periodic (for spectra) or symmetric (for filters; HTK, Kaldi).
        window_placement: a frame shorter than `n_fft` stands at its "start" (HTK, Kaldi,
            python_speech_features) or in its "centre" (librosa, PyTorch).
        centre: frames are centred on multiples of the hop, the signal padded by n_fft / 2.
        pad_mode: how a centred signal is padded.
        pre_emphasis: a in y[n] = x[n] - a x[n-1]; 0 is none.
        pre_emphasis_in: along the whole "signal", within each "frame" (Kaldi), or folded into the
            "mel" product as the filter's squared gain |1 - a exp(-jw)|^2 at each bin.
        spectrum: squared magnitude or magnitude.
        spectrum_scale: factor on the spectrum (1 / n_fft in python_speech_features).
        n_mels: bands.
        mel_scale: Slaney's Auditory Toolbox, HTK's 2595 log10(1 + f/700), Kaldi's 1127 ln(1 + f/700).
        triangles_in: triangles are linear in "hz" (librosa), in "mel" (HTK, Kaldi), or in whole FFT
            "bins", floor((n_fft + 1) f / rate) (python_speech_features).
        mel_norm: triangles of equal area ("slaney": 2 / bandwidth in Hz) or of equal height.
        f_min_hz: lower edge of the lowest band.
        f_max_hz: upper edge of the highest band; bands above half the rate stay at the floor.
        log: 10 log10 ("db") or natural logarithm ("ln").
        floor: smallest power.
        floor_at: the floor is the least value ("max"), or is "add"-ed.
        reference: power that is 0 dB, or 0.
        top_db: nothing in a window is farther than this below its loudest; None for no such limit.
        n_mfcc: cepstral coefficients; 0 gives the log-mel bands themselves.
        dct_norm: DCT-II "ortho", "htk" (sqrt(2 / n_mels) for all), or "none" (factor 2, as scipy).
        lifter: sinusoidal lifter length; 0 for none.
        lifter_origin: index of the first coefficient in the lifter's sine: 0 (HTK) or 1 (librosa).
        energy: coefficient 0 is replaced by the logarithm of the frame's summed spectrum.
        deltas: how many orders of differences follow the static bins: 0, 1 or 2.
        delta_width: frames in the regression, odd, at least 3.
        delta_edges: beyond the edge the fitted line goes on ("interp") or the frame is repeated
            ("nearest", HTK).
        normalization: "fixed" (mean and scale below), "standardize" (per window),
            "standardize_bins" (per window and bin), "min_max" (per window to 0..1), or "none".
        mean: subtracted when fixed; one number, or one per bin.
        scale: divided by when fixed; one number, or one per bin.

    Raises:
        SpecError: where the fields contradict each other.
    """

    sample_rate_hz: int
    window_samples: int
    frame_length: int
    n_fft: int
    hop: int
    window: Literal["hann", "hamming", "rectangular"] = "hann"
    window_periodic: bool = True
    window_placement: Literal["start", "centre"] = "centre"
    centre: bool = False
    pad_mode: Literal["reflect", "zeros"] = "reflect"
    pre_emphasis: float = 0.0
    pre_emphasis_in: Literal["signal", "frame", "mel"] = "mel"
    spectrum: Literal["power", "magnitude"] = "power"
    spectrum_scale: float = 1.0
    n_mels: int = 64
    mel_scale: Literal["slaney", "htk", "kaldi"] = "slaney"
    triangles_in: Literal["hz", "mel", "bins"] = "hz"
    mel_norm: Literal["slaney", "none"] = "slaney"
    f_min_hz: float = 0.0
    f_max_hz: float = 8000.0
    log: Literal["db", "ln"] = "db"
    floor: float = 1e-10
    floor_at: Literal["max", "add"] = "max"
    reference: float = 1.0
    top_db: float | None = None
    n_mfcc: int = 0
    dct_norm: Literal["ortho", "htk", "none"] = "ortho"
    lifter: int = 0
    lifter_origin: int = 0
    energy: bool = False
    deltas: int = 0
    delta_width: int = 9
    delta_edges: Literal["interp", "nearest"] = "nearest"
    normalization: Literal["none", "fixed", "standardize", "standardize_bins", "min_max"] = "none"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for holds, sentence in _rules(self):
            if not holds:
                raise SpecError(f"feature spec: {sentence}")

    @property
    def span(self) -> int:
        """Samples that one frame covers."""
        return self.n_fft if self.window_placement == "centre" else self.frame_length

    @property
    def frame_count(self) -> int:
        """Frames in one window."""
        padding = 2 * (self.n_fft // 2) if self.centre else 0
        return 1 + (self.window_samples + padding - self.span) // self.hop

    @property
    def static_bins(self) -> int:
        """Bins before the deltas."""
        return self.n_mfcc or self.n_mels

    @property
    def bins(self) -> int:
        """Bins of one frame as the network sees it, deltas included."""
        return self.static_bins * (1 + self.deltas)

    @property
    def shape(self) -> tuple[int, int]:
        """(frame_count, bins), what `window_features` returns."""
        return self.frame_count, self.bins

    @property
    def streamable(self) -> bool:
        """Whether a frame depends on its own samples alone."""
        return not self.centre and not (self.pre_emphasis and self.pre_emphasis_in == "signal")

    @property
    def spec_hash(self) -> str:
        """Names everything: equal hashes, equal numbers."""
        return _hash(self.to_dict())

    @property
    def frame_hash(self) -> str:
        """Names the per-frame stage: models that agree in it share their frames."""
        return _hash({key: value for key, value in self.to_dict().items() if key not in _NOT_IN_FRAME})

    @property
    def mel_hash(self) -> str:
        """Names the per-frame stage up to the logarithm: log-mel and MFCC that agree in it share it."""
        return _hash({key: value for key, value in self.to_dict().items() if key not in _NOT_IN_MEL})

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types, tuples as lists."""
        return {
            field.name: list(value) if isinstance(value := getattr(self, field.name), tuple) else value
            for field in dataclasses.fields(self)
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeatureSpec:
        """The spec that `to_dict` described.

        Raises:
            SpecError: a field is unknown, missing, of the wrong type or out of range.
        """
        hints = _field_types()
        unknown = sorted(set(data) - set(hints))
        if unknown:
            raise SpecError(f"feature spec: unknown field {unknown[0]!r}; known are {', '.join(hints)}")
        values = {name: _checked(name, value, hints[name]) for name, value in data.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise SpecError(f"feature spec: {str(error).split('() ')[-1]}") from None


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
    """The frame computer of a spec; its tables are made once."""
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

        Bins are the cepstra, or the log-mel bands where `n_mfcc` is 0 or `top_db` comes in between.
        """
        return self.from_mel(self.mel(samples))

    def mel(self, samples: Float32) -> Float32:
        """Log-mel frames of a signal: (n,) -> (frames, n_mels), the log energy behind them if wanted."""
        padded = self._prepared(samples)
        count = 1 + (len(padded) - self.spec.span) // self.spec.hop
        if count < 1:
            return np.empty((0, self.spec.n_mels + self.spec.energy), np.float32)
        views = np.lib.stride_tricks.sliding_window_view(padded, self.spec.span)[:: self.spec.hop]
        parts = [self._chunk(views[first : first + CHUNK_FRAMES]) for first in range(0, count, CHUNK_FRAMES)]
        return np.concatenate(parts)[:count]

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
        """At most CHUNK_FRAMES frames (m, span) -> (CHUNK_FRAMES, n_mels [+ 1]), rows past m of silence."""
        spec = self.spec
        frames = np.zeros((CHUNK_FRAMES, spec.n_fft), np.float32)
        held = frames[: len(views), : spec.span]
        if spec.pre_emphasis and spec.pre_emphasis_in == "frame":
            held[:, 0] = views[:, 0] * np.float32(1 - spec.pre_emphasis)
            np.subtract(views[:, 1:], np.float32(spec.pre_emphasis) * views[:, :-1], out=held[:, 1:])
            held *= self._window
        else:
            np.multiply(views, self._window, out=held)
        spectrum = np.fft.rfft(frames).astype(np.complex64, copy=False)  # (CHUNK_FRAMES, n_fft / 2 + 1)
        power = spectrum.real * spectrum.real
        power += spectrum.imag * spectrum.imag
        if spec.spectrum == "magnitude":
            np.sqrt(power, out=power)
        return self._logarithm(self._bands(power))

    def _bands(self, power: Float32) -> Float32:
        """(CHUNK_FRAMES, n_fft / 2 + 1) -> (CHUNK_FRAMES, n_mels [+ 1]): only 3 % of the matrix is not zero."""
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

    Where `mel` is given, log-mel frames are taken from that cache, whose `mel_hash` must agree.
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
        """Forget the stream: samples are missing, or another one begins."""
        self._rows = None

    def frames(self, samples: Float32, first_frame: int | None) -> Float32:
        """Frames of one window of the stream: (window_samples,) -> (frame_count, n).

        Args:
            samples: the window.
            first_frame: index in the stream of the window's first frame; None for a window that is
                not cut from the stream as it stands, which neither uses nor changes the cache.
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
    if spec.normalization == "fixed":
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


def _mel_matrix(spec: FeatureSpec) -> Float64:
    """Triangles, with pre-emphasis gain and spectrum scale folded in: (n_mels, n_fft / 2 + 1)."""
    bin_hz = np.arange(spec.n_fft // 2 + 1) * spec.sample_rate_hz / spec.n_fft
    ends = _hz_to_mel(spec.mel_scale, np.array([spec.f_min_hz, spec.f_max_hz]))
    edges_mel = np.linspace(ends[0], ends[1], spec.n_mels + 2)
    edges_hz = _mel_to_hz(spec.mel_scale, edges_mel)
    matrix = _triangles(spec, edges_mel, edges_hz, bin_hz)
    if spec.mel_norm == "slaney":
        matrix *= 2.0 / (edges_hz[2:] - edges_hz[:-2])[:, None]
    if spec.pre_emphasis and spec.pre_emphasis_in == "mel":
        gain = np.abs(1.0 - spec.pre_emphasis * np.exp(-2j * np.pi * bin_hz / spec.sample_rate_hz))
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
    """(n, n_mels [+ 1]) -> (n, n_mfcc); a plain sum of products, so that a row's bits are its own."""
    cepstra: Float64 = np.einsum("nm,cm->nc", mel[:, : spec.n_mels].astype(np.float64), dct)
    if spec.energy:
        cepstra[:, 0] = mel[:, -1]
    return cepstra.astype(np.float32)


# --- checks -------------------------------------------------------------------------------------


def _rules(spec: FeatureSpec) -> list[tuple[bool, str]]:
    """What must hold, each with the sentence to say where it does not, in the order of the fields."""
    numbers = (spec.spectrum_scale, spec.floor, spec.reference, spec.f_min_hz, spec.f_max_hz, *spec.mean, *spec.scale)
    bins = (spec.n_mfcc or spec.n_mels) * (1 + spec.deltas)
    hop, span = max(spec.hop, 1), spec.n_fft if spec.window_placement == "centre" else spec.frame_length
    reach = spec.window_samples + (2 * (spec.n_fft // 2) if spec.centre else 0)
    return [
        (1000 <= spec.sample_rate_hz <= 192_000, f"sample_rate_hz is {spec.sample_rate_hz}, must be 1000 to 192000"),
        (0 < spec.frame_length <= spec.n_fft, f"frame_length is {spec.frame_length}, must be 1 to n_fft {spec.n_fft}"),
        (2 <= spec.n_fft <= 65_536, f"n_fft is {spec.n_fft}, must be 2 to 65536"),
        (spec.hop > 0, f"hop is {spec.hop}, must be at least 1"),
        (span <= reach <= 60 * 192_000, f"window_samples is {spec.window_samples}, must hold a frame of {span}"),
        ((reach - span) // hop < 10_000, f"hop {spec.hop} gives over 10000 frames a window"),
        (
            not spec.centre or spec.pad_mode == "zeros" or spec.window_samples > spec.n_fft // 2,
            f"window_samples is {spec.window_samples}, too few to reflect n_fft / 2 = {spec.n_fft // 2}",
        ),
        (all(map(math.isfinite, numbers)), "spectrum_scale, floor, reference, f_*_hz, mean, scale must be finite"),
        (0 <= spec.pre_emphasis <= 1, f"pre_emphasis is {spec.pre_emphasis}, must be 0 to 1"),
        (spec.spectrum_scale > 0, f"spectrum_scale is {spec.spectrum_scale}, must be above 0"),
        (1 <= spec.n_mels <= 512, f"n_mels is {spec.n_mels}, must be 1 to 512"),
        (
            0 <= spec.f_min_hz < spec.f_max_hz <= 192_000,
            f"f_min_hz {spec.f_min_hz} and f_max_hz {spec.f_max_hz} must rise from 0 to at most 192000",
        ),
        (spec.floor > 1e-38, f"floor is {spec.floor}, must be above 1e-38, a float32"),
        (spec.reference > 0, f"reference is {spec.reference}, must be above 0"),
        (spec.top_db is None or 0 < spec.top_db < 1000, f"top_db is {spec.top_db}, must be 0 to 1000 or null"),
        (0 <= spec.n_mfcc <= spec.n_mels, f"n_mfcc is {spec.n_mfcc}, must be 0 to n_mels {spec.n_mels}"),
        (0 <= spec.lifter <= 1000, f"lifter is {spec.lifter}, must be 0 to 1000"),
        (spec.lifter_origin in (0, 1), f"lifter_origin is {spec.lifter_origin}, must be 0 or 1"),
        (not spec.energy or spec.n_mfcc > 0, "energy replaces a cepstral coefficient, n_mfcc is 0"),
        (spec.deltas in (0, 1, 2), f"deltas is {spec.deltas}, must be 0, 1 or 2"),
        (
            spec.delta_width % 2 == 1 and 3 <= spec.delta_width <= 99,
            f"delta_width is {spec.delta_width}, must be odd, 3 to 99",
        ),
        (
            not spec.deltas or spec.delta_width <= 1 + (reach - span) // hop,
            f"delta_width {spec.delta_width} is wider than a window",
        ),
        (len(spec.mean) in (1, bins), f"mean has {len(spec.mean)} numbers, must be 1 or {bins}"),
        (len(spec.scale) in (1, bins), f"scale has {len(spec.scale)} numbers, must be 1 or {bins}"),
        (all(value > 0 for value in spec.scale), "scale must be above 0"),
    ]


@functools.cache
def _field_types() -> dict[str, Any]:
    return get_type_hints(FeatureSpec)


def _checked(name: str, value: object, kind: Any) -> Any:
    """A JSON value as the field's type; a bool is no number, a whole number serves as float."""
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        raise SpecError(f"feature spec: {name} is {value!r}, must be one of {', '.join(map(repr, get_args(kind)))}")
    if get_origin(kind) is tuple:
        if isinstance(value, list | tuple) and all(_is_number(item) for item in value):
            return tuple(float(item) for item in value)
        raise SpecError(f"feature spec: {name} is {value!r}, must be a list of numbers")
    if kind is bool or kind is int:
        if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
            return value
        raise SpecError(f"feature spec: {name} is {value!r}, must be {'true or false' if kind is bool else 'whole'}")
    if value is None and type(None) in get_args(kind):
        return None
    if isinstance(value, int | float) and _is_number(value):
        return float(value)
    raise SpecError(f"feature spec: {name} is {value!r}, must be a number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _hash(data: Mapping[str, Any]) -> str:
    """First 16 hex digits of the SHA-256 of canonical JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
