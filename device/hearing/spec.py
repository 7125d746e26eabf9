"""The specification of a network's features: every parameter that affects their values, checked, with a hash.

It is part of a model's bundle; the device has no constants of its own. Computes no features.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from device.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

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

_LATER = ("pre_emphasis_rate_hz",)
"""Fields that joined after bundles were shipped: at their default they are no part of a hash, so old hashes hold."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Every parameter that affects the values of a network's features.

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
        pre_emphasis_rate_hz: rate at which the folded filter was defined, where a network learned at another rate
            than it hears; None for `sample_rate_hz`.
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
        normalization: "fixed" (mean and scale below), "peak" (below the window's greatest value, or below the
            reference where all is less, then as fixed: no level changes it), "standardize" (per window),
            "standardize_bins" (per window and bin), "min_max" (per window to 0..1), or "none".
        mean: subtracted when fixed or peak; one number, or one per bin.
        scale: divided by when fixed or peak; one number, or one per bin.

    Raises:
        SpecError: fields contradict each other.
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
    pre_emphasis_rate_hz: int | None = None
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
    normalization: Literal["none", "fixed", "peak", "standardize", "standardize_bins", "min_max"] = "none"
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
        """Hash of all fields: equal hashes mean equal features."""
        return _hash(self.to_dict())

    @property
    def frame_hash(self) -> str:
        """Hash of the per-frame stage: models with equal hashes share their frames."""
        return _hash({key: value for key, value in self.to_dict().items() if key not in _NOT_IN_FRAME})

    @property
    def mel_hash(self) -> str:
        """Hash of the per-frame stage up to the logarithm: log-mel and MFCC with equal hashes share it."""
        return _hash({key: value for key, value in self.to_dict().items() if key not in _NOT_IN_MEL})

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON types, tuples as lists; those of `_LATER` are left out at their default."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        at_default = {field.name for field in dataclasses.fields(self) if values[field.name] == field.default}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if name not in _LATER or name not in at_default
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


def _rules(spec: FeatureSpec) -> list[tuple[bool, str]]:
    """(condition, error if it is false), in the order of the fields."""
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
        (
            spec.pre_emphasis_rate_hz is None or spec.sample_rate_hz <= spec.pre_emphasis_rate_hz <= 192_000,
            f"pre_emphasis_rate_hz is {spec.pre_emphasis_rate_hz}, must be sample_rate_hz to 192000, or null",
        ),
        (
            spec.pre_emphasis_rate_hz is None or spec.pre_emphasis_in == "mel",
            f"pre_emphasis_in is {spec.pre_emphasis_in}, pre_emphasis_rate_hz needs mel",
        ),
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
    """A JSON value as the field's type; a bool is no number, a whole number is accepted as a float."""
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        raise SpecError(f"feature spec: {name} is {value!r}, must be one of {', '.join(map(repr, get_args(kind)))}")
    if get_origin(kind) is tuple:
        if isinstance(value, list | tuple) and all(_is_number(item) for item in value):
            return tuple(float(item) for item in value)
        raise SpecError(f"feature spec: {name} is {value!r}, must be a list of numbers")
    if value is None and type(None) in get_args(kind):
        return None
    if kind is bool or int in (kind, *get_args(kind)):
        if isinstance(value, int) and isinstance(value, bool) == (kind is bool):
            return value
        raise SpecError(f"feature spec: {name} is {value!r}, must be {'true or false' if kind is bool else 'whole'}")
    if isinstance(value, int | float) and _is_number(value):
        return float(value)
    raise SpecError(f"feature spec: {name} is {value!r}, must be a number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _hash(data: Mapping[str, Any]) -> str:
    """First 16 hex digits of the SHA-256 of canonical JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
