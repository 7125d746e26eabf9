"""Gain, high-pass, mains-hum notches and the band-pass of a stethoscope, between the microphone and the models.

Filters the captured samples, at capture rate, after the check for deafness. The configured stages are applied in
this order:

    gain         a factor; nothing is clipped, so samples may leave [-1, 1]
    high-pass    Butterworth of 4th order, 24 dB per octave below its edge
    hum          a notch at the mains frequency and at its harmonics up to the 8th
    stethoscope  a high-pass at the band's lower edge and a low-pass at its upper one, each as above

Every edge is where the response has fallen by 3 dB. A stage whose frequency is at or above half the sample rate is
left out: a low-pass or a notch would have no effect, and a high-pass would leave only silence, so that a daemon
would run and detect nothing; `left_out` says so.

Knows no models, no windows and no clock. scipy, which takes a second and 70 MB to import, is imported only if a
stage is configured; gain alone does not need it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from device.errors import MissingExtraError
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    import numpy.typing as npt

    from device.config.settings import FilterSettings, StethoscopeBand

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

BANDS_HZ: dict[StethoscopeBand, tuple[float, float]] = {
    "heart": (20.0, 200.0),
    "lung": (60.0, 2000.0),
    "wide": (20.0, 2000.0),
}
"""Lower and upper edge of each band: heart sounds are low, crackles and wheezes reach 2000 Hz, and what a lung
gives under 60 Hz is the heart's and the muscles'."""

HUM_HARMONICS = 8
"""Notches, the fundamental's included: most of what a rectifier or a ground loop leaves lies below 500 Hz, and
each notch removes a little of a voice, too."""

_ORDER = 4
_LARGEST = float(np.finfo(np.float32).max)


class FilterChain:
    """Gain and filters of one stream; the filter state continues from block to block.

    The result is the same, bit for bit, however the samples are cut into blocks.

    Args:
        settings: gain and stages; neutral settings pass the samples unchanged.
        sample_rate_hz: of the stream.

    Attributes:
        left_out: a sentence for each high-pass at or above half this rate; usually none.

    Raises:
        MissingExtraError: a stage is configured and scipy is not installed.
    """

    def __init__(self, settings: FilterSettings, sample_rate_hz: int) -> None:
        configured = list(_configured_stages(settings))
        stages = [stage for stage in configured if stage.frequency_hz < sample_rate_hz / 2]
        self._gain = 10 ** (settings.gain_db / 20)
        self._cascade = _Cascade(stages, sample_rate_hz) if stages else None
        self._name = f"{sample_rate_hz} Hz, gain {settings.gain_db:g} dB, {quantity(len(stages), 'stage')}"
        self.left_out = tuple(
            f"the high-pass at {stage.frequency_hz:g} Hz is left out, behind it "
            f"a stream at {sample_rate_hz} Hz would be silent; choose an edge under {sample_rate_hz / 2:g} Hz"
            for stage in configured
            if stage.kind == "highpass" and stage not in stages
        )

    def __repr__(self) -> str:
        return f"FilterChain({self._name})"

    def push(self, samples: Float32) -> Float32:
        """float32 (n,) at capture rate -> float32 (n,), each for the sample it replaces; finite for finite samples.

        Nothing is clipped: behind a gain, or a filter that shifts phases, magnitudes over 1.0 are right.
        """
        if not len(samples) or (self._gain == 1 and self._cascade is None):
            return samples
        wide = samples.astype(np.float64) * self._gain
        if self._cascade is not None:
            wide = self._cascade.push(wide)
        narrow: Float32 = np.clip(wide, -_LARGEST, _LARGEST).astype(np.float32)
        return narrow

    def reset(self) -> None:
        """Forget the past, because samples are missing: the next block begins anew."""
        if self._cascade is not None:
            self._cascade.reset()


class _Cascade:
    """Second-order sections in series, with their state.

    The state is float64, so that an edge at 5 Hz stays exact at 192 kHz. A stream begins as if its first sample
    had been there for ever: a constant offset, which a cheap sound card adds, makes no thump.

    Args:
        stages: one or more.
        sample_rate_hz: for which they are designed.
    """

    def __init__(self, stages: list[_Stage], sample_rate_hz: int) -> None:
        self._scipy_signal = _signal_library()
        self._sections = np.concatenate([stage.sections(self._scipy_signal, sample_rate_hz) for stage in stages])
        self._steady: Float64 = self._scipy_signal.sosfilt_zi(self._sections)  # (sections, 2), behind a constant 1
        self._state: Float64 | None = None

    def push(self, samples: Float64) -> Float64:
        """float64 (n,), n from 1 on -> float64 (n,)."""
        if self._state is None:
            self._state = self._steady * samples[0]
        filtered: Float64
        filtered, self._state = self._scipy_signal.sosfilt(self._sections, samples, zi=self._state)
        return filtered

    def reset(self) -> None:
        """The next sample is the first."""
        self._state = None


@dataclass(frozen=True, slots=True)
class _Stage:
    """One filter before it is designed for a rate.

    Attributes:
        kind: what it lets pass, as scipy calls it.
        frequency_hz: its edge at -3 dB, or the notch's centre.
        q: a notch's centre frequency over its width at -3 dB.
    """

    kind: Literal["highpass", "lowpass", "notch"]
    frequency_hz: float
    q: float = 0.0

    def sections(self, scipy_signal: ModuleType, sample_rate_hz: int) -> Float64:
        """Second-order sections (n, 6) at a rate; the bilinear transform is warped to be exact at the frequency."""
        if self.kind == "notch":
            # Orfanidis, Introduction to Signal Processing, 1996: exact in centre and width.
            numerator, denominator = scipy_signal.iirnotch(self.frequency_hz, self.q, fs=sample_rate_hz)
            return np.concatenate((numerator, denominator))[np.newaxis]
        sections: Float64 = scipy_signal.butter(_ORDER, self.frequency_hz, self.kind, fs=sample_rate_hz, output="sos")
        return sections


def _configured_stages(settings: FilterSettings) -> Iterator[_Stage]:
    """The configured stages, in the order in which they are applied."""
    if settings.high_pass_hz is not None:
        yield _Stage("highpass", settings.high_pass_hz)
    if settings.hum_hz is not None:
        yield from (_notch(settings.hum_hz, harmonic) for harmonic in range(1, HUM_HARMONICS + 1))
    if settings.stethoscope is not None:
        lower_hz, upper_hz = BANDS_HZ[settings.stethoscope]
        yield _Stage("highpass", lower_hz)
        yield _Stage("lowpass", upper_hz)


def _notch(hum_hz: float, harmonic: int) -> _Stage:
    """A notch at a harmonic of the mains frequency (1 is the frequency itself).

    Width at 50 Hz: 2 Hz at the fundamental and 1 Hz more at each harmonic. A notch of width B settles as
    exp(-pi B t): 54 dB in the first second at 2 Hz, and the grid's drift, which a harmonic multiplies, stays
    inside. Of the sound midway between two harmonics at most 0.3 dB is lost.
    """
    return _Stage("notch", harmonic * hum_hz, q=50 * harmonic / (1 + harmonic))


def _signal_library() -> ModuleType:
    try:
        import scipy.signal
    except ImportError as error:
        raise MissingExtraError("a filter needs scipy, which is not installed; install auricle[device]") from error
    library: ModuleType = scipy.signal
    return library
