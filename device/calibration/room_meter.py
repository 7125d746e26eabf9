"""Measures a stretch of sound as it passes: levels, octave bands, the spectrum of low notes, the strength of the pips.

It holds two seconds of sound at a time and keeps none of it: what stays are powers, one or a few for each step of 20 ms
and for each second. All is measured at 16 kHz, as the models hear it. Powers are mean squares; full scale is 1.
"""

from __future__ import annotations

import functools
import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.resample import Resampler
from device.synthesis.room_signal import PIP_HZ

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.messages import AudioBlock

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

RATE_HZ = 16_000
STEP_S = 0.02
FULL_SCALE = 0.999
"""A sample from here on is clipped."""

BANDS_HZ = (63, 125, 250, 500, 1000, 2000, 4000)
"""Centres of the octave bands (IEC 61260-1)."""

SPECTRUM_STEP_HZ = 0.5
SPECTRUM_END_HZ = 1000.0

_STEP = round(STEP_S * RATE_HZ)
_PIP_WINDOW = 4096  # 0.256 s: shorter than a pip, and 4 Hz narrow
_BESIDE = 0.03  # of its pitch: beyond the window's own width
_PITCHES = 3, len(PIP_HZ)  # the pips' own, those below, those above
_PITCHES_SIZE = 3 * len(PIP_HZ)
_SPECTRUM_WINDOW = 2 * RATE_HZ
_SPECTRUM_HOP = RATE_HZ
_LINES = round(SPECTRUM_END_HZ / SPECTRUM_STEP_HZ) + 1
_SMALLEST = 1e-20  # of a power whose logarithm is taken


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredSound:
    """What was measured of a stretch.

    Attributes:
        start_s: of the first sample, in seconds of the stream.
        sample_rate_hz: of the capture; 0 if there was no sound.
        peak: largest magnitude.
        clipped_share: of all samples.
        step_powers: float64 (n,), of each step of 20 ms from the start; NaN where sound is missing.
        pip_powers: float64 (n, 6), within 4 Hz of each pip's pitch, in the quarter of a second from each step on;
            (0, 6) if the pips were not listened for.
        beside_powers: as `pip_powers`, the mean of two pitches 3 % below and above.
        band_powers: float64 (seconds, 7), of each octave band in each second.
        mean_spectrum: float64 (2001,), mean power of each half of a hertz from 0 to 1000 Hz.
        steady_spectrum: as `mean_spectrum`, the geometric mean: what comes and goes hardly counts.
    """

    start_s: float
    sample_rate_hz: int
    peak: float
    clipped_share: float
    step_powers: Float64
    pip_powers: Float64
    beside_powers: Float64
    band_powers: Float64
    mean_spectrum: Float64
    steady_spectrum: Float64

    @property
    def heard_s(self) -> float:
        """Seconds of sound."""
        return float(np.isfinite(self.step_powers).sum() * STEP_S)

    @property
    def second_powers(self) -> Float64:
        """Mean power of each whole second of sound: (m,); of all of it if it is shorter."""
        steps = self.step_powers[np.isfinite(self.step_powers)]
        per_second = round(1 / STEP_S)
        if len(steps) < per_second:
            return steps.mean(keepdims=True) if len(steps) else steps
        means: Float64 = steps[: len(steps) // per_second * per_second].reshape(-1, per_second).mean(axis=1)
        return means


class RoomMeter:
    """Measures the blocks that it is given; a gap or another rate begins a new segment of the same stretch.

    `result` may be asked for by another thread, while the next block is measured.

    Args:
        hears_pips: whether the strength of the pips is measured too, which takes most of the time.
    """

    def __init__(self, *, hears_pips: bool = True) -> None:
        self._hears_pips = hears_pips
        self._pip_tones = _pip_tones() if hears_pips else None
        self._start_s: float | None = None
        self._next_sample = -1
        self._rate_hz = 0
        self._resampler = Resampler(RATE_HZ, RATE_HZ)
        self._waiting = np.zeros(0, np.float32)  # for the next steps
        self._window = np.zeros(0, np.float32)  # for the next spectrum
        self._step_powers = array("d")
        self._pitch_powers = array("d")
        self._band_powers = array("d")
        self._spectrum = np.zeros(_LINES)
        self._log_spectrum = np.zeros(_LINES)
        self._peak, self._clipped, self._samples = 0.0, 0, 0

    def __repr__(self) -> str:
        return f"RoomMeter({self.measured_s:.1f} s)"

    @property
    def measured_s(self) -> float:
        """Seconds since the stretch began, as far as they are measured."""
        return len(self._step_powers) * STEP_S

    @property
    def newest_power(self) -> float:
        """Mean power of the newest second; 0 before the first step."""
        heard = [power for power in self._step_powers[-round(1 / STEP_S) :] if math.isfinite(power)]
        return sum(heard) / len(heard) if heard else 0.0

    def push(self, block: AudioBlock) -> None:
        """Measure one block."""
        if block.sample_rate_hz != self._rate_hz or block.after_gap or block.start_sample != self._next_sample:
            self._begin_segment(block)
        self._next_sample = block.end_sample
        magnitudes = np.abs(block.samples)
        self._peak = max(self._peak, float(magnitudes.max()))
        self._clipped += int(np.count_nonzero(magnitudes >= FULL_SCALE))
        self._samples += len(magnitudes)
        samples = self._resampler.push(block.samples)
        self._measure_steps(samples)
        self._measure_spectra(samples)

    def result(self) -> MeasuredSound:
        """What was measured so far."""
        steps, pitches = _copied(self._step_powers), _copied(self._pitch_powers)
        pitches = pitches[: pitches.size // _PITCHES_SIZE * _PITCHES_SIZE].reshape(-1, *_PITCHES)  # (n, 3, 6)
        bands = _copied(self._band_powers)
        bands = bands[: bands.size // len(BANDS_HZ) * len(BANDS_HZ)].reshape(-1, len(BANDS_HZ))
        count = min(len(steps), len(pitches)) if self._hears_pips else len(steps)
        spectra = max(1, len(bands))
        return MeasuredSound(
            start_s=self._start_s or 0.0,
            sample_rate_hz=self._rate_hz,
            peak=self._peak,
            clipped_share=self._clipped / max(1, self._samples),
            step_powers=steps[:count],
            pip_powers=pitches[:count, 0],
            beside_powers=pitches[:count, 1:].mean(axis=1),
            band_powers=bands,
            mean_spectrum=self._spectrum / spectra,
            steady_spectrum=np.exp(self._log_spectrum / spectra),
        )

    def _begin_segment(self, block: AudioBlock) -> None:
        """Where sound is missing, steps are, so that their number stays a time."""
        at_s = block.start_sample / block.sample_rate_hz
        if self._start_s is None:
            self._start_s = at_s
        missing = max(0, round((at_s - self._start_s) / STEP_S) - len(self._step_powers))
        self._step_powers.extend([math.nan] * missing)
        self._pitch_powers.extend([math.nan] * (missing * _PITCHES_SIZE if self._hears_pips else 0))
        self._rate_hz = block.sample_rate_hz
        self._resampler = Resampler(block.sample_rate_hz, RATE_HZ)
        self._waiting = np.zeros(0, np.float32)
        self._window = np.zeros(0, np.float32)

    def _measure_steps(self, samples: Float32) -> None:
        self._waiting = np.concatenate([self._waiting, samples])
        steps = (len(self._waiting) - _PIP_WINDOW) // _STEP + 1
        for first in range(0, max(0, steps) * _STEP, _STEP):  # one at a time: its product is the same in any block
            window = self._waiting[first : first + _PIP_WINDOW].astype(np.float64)
            self._step_powers.append(float(window[:_STEP] @ window[:_STEP]) / _STEP)
            if self._pip_tones is not None:
                quadratures = (window @ self._pip_tones) ** 2
                self._pitch_powers.extend(quadratures.reshape(2, _PITCHES_SIZE).sum(axis=0).tolist())
        self._waiting = self._waiting[max(0, steps) * _STEP :]

    def _measure_spectra(self, samples: Float32) -> None:
        self._window = np.concatenate([self._window, samples])
        while len(self._window) >= _SPECTRUM_WINDOW:
            spectrum = np.abs(np.fft.rfft(self._window[:_SPECTRUM_WINDOW] * _hann())) ** 2
            powers = spectrum * (2.0 / (_SPECTRUM_WINDOW * np.sum(_hann() ** 2)))  # they sum to the mean square
            self._band_powers.extend([float(powers[low:high].sum()) for low, high in _BAND_LINES])
            self._spectrum += powers[:_LINES]
            self._log_spectrum += np.log(powers[:_LINES] + _SMALLEST)
            self._window = self._window[_SPECTRUM_HOP:]


def _copied(values: array[float]) -> Float64:
    """The values at this moment: one copy is made at once, so that another thread may append meanwhile."""
    return np.frombuffer(values[:], np.float64) if values else np.zeros(0)


@functools.cache
def _pip_tones() -> Float64:
    """(4096, 36): windowed cosines, then sines, of all pitches; their products' squares sum to a tone's power."""
    seconds = np.arange(_PIP_WINDOW) / RATE_HZ
    window = np.hanning(_PIP_WINDOW + 2)[1:-1]
    angles = 2 * np.pi * np.outer(seconds, np.outer((1.0, 1 - _BESIDE, 1 + _BESIDE), PIP_HZ).ravel())
    scale = math.sqrt(2.0) / window.sum()
    tones: Float64 = np.hstack([np.cos(angles), np.sin(angles)]) * window[:, None] * scale
    return tones


@functools.cache
def _hann() -> Float64:
    window: Float64 = np.hanning(_SPECTRUM_WINDOW + 1)[:-1]
    return window


_BAND_LINES = [
    (math.ceil(centre_hz / math.sqrt(2) / SPECTRUM_STEP_HZ), math.ceil(centre_hz * math.sqrt(2) / SPECTRUM_STEP_HZ))
    for centre_hz in BANDS_HZ
]
