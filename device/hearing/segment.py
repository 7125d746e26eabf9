"""The samples between two gaps, on their way to windows: sliced, filtered, resampled to every rate that is wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import SpecError
from device.hearing.resample import Resampler
from device.hearing.windows import Slices, WindowCursor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from device.hearing.filters import FilterChain
    from device.hearing.listening_model import ListeningModel
    from device.messages import Window

    Float32 = npt.NDArray[np.float32]

SLICE_S = 0.1
"""Two rows of the deafness detector: finer costs twice its time."""

RESAMPLED_SLICE_S = 0.05
"""What a resampler holds back of a window, most often 40 ms, comes with the next block, not with the one after it."""


@dataclass(frozen=True, slots=True)
class WindowFormat:
    """What models of one rate and window have in common."""

    rate_hz: int
    window_samples: int
    hop_samples: int
    grid_samples: int


class WindowPipeline:
    """One rate's way through a segment: resampled, then cut into windows."""

    def __init__(self, rate: WindowFormat, capture_hz: int, start_s: float) -> None:
        self.rate = rate
        self._resampler = Resampler(capture_hz, rate.rate_hz)
        self.cursor = WindowCursor(
            sample_rate_hz=rate.rate_hz,
            window_samples=rate.window_samples,
            hop_samples=rate.hop_samples,
            grid_samples=rate.grid_samples,
            start_s=start_s,
        )

    def change_hop(self, rate: WindowFormat) -> None:
        """From here on, the hop of this rate, which differs in nothing else."""
        self.rate = rate
        self.cursor.change_hop(rate.hop_samples)

    def push(self, samples: Float32) -> Iterator[tuple[WindowFormat, Window]]:
        """float32 (n,) at capture rate -> the windows that are now whole."""
        return ((self.rate, window) for window in self.cursor.push(self._resampler.push(samples)))

    def drain(self) -> Iterator[tuple[WindowFormat, Window]]:
        """The windows that what the resampler still holds makes whole."""
        return ((self.rate, window) for window in self.cursor.push(self._resampler.finish()))

    def finish(self, *, short_file: bool) -> Iterator[tuple[WindowFormat, Window]]:
        """The window that covers the tail of a file, if any; see `WindowCursor.finish`."""
        return ((self.rate, window) for window in self.cursor.finish(short_file=short_file))


class Segment:
    """The samples between two gaps."""

    def __init__(self, rate_hz: int, start_sample: int, rates: Sequence[WindowFormat], filters: FilterChain) -> None:
        self.rate_hz = rate_hz
        self.filters = filters
        self.next_sample = start_sample  # where the next block must start
        self.heard_sample = start_sample  # where the next slice starts
        self.pipelines = [WindowPipeline(rate, rate_hz, start_sample / rate_hz) for rate in rates]
        resampled = any(rate.rate_hz != rate_hz for rate in rates)
        self.slices = Slices(max(1, round(rate_hz * (RESAMPLED_SLICE_S if resampled else SLICE_S))))
        self._fresh = True

    @property
    def now_s(self) -> float:
        """End of the last slice heard, in the stream."""
        return self.heard_sample / self.rate_hz

    def takes_gap(self) -> bool:
        """True once: for the first slice of a segment."""
        fresh, self._fresh = self._fresh, False
        return fresh


def window_formats(models: Sequence[ListeningModel], hop_s: float) -> list[WindowFormat]:
    """Each rate and window that the models want, once, in the models' order.

    Raises:
        SpecError: a model cannot listen to a stream at this hop.
    """
    rates: dict[tuple[int, int], WindowFormat] = {}
    for model in models:
        _check(model, hop_s)
        key = model.specs[0].sample_rate_hz, model.specs[0].window_samples
        hops = [
            spec.hop for other in models for spec in other.specs if (spec.sample_rate_hz, spec.window_samples) == key
        ]
        rates[key] = WindowFormat(*key, hop_samples=round(hop_s * key[0]), grid_samples=math.lcm(*hops))
    return list(rates.values())


def _check(model: ListeningModel, hop_s: float) -> None:
    first = model.specs[0]
    for spec in model.specs:
        if (spec.sample_rate_hz, spec.window_samples) != (first.sample_rate_hz, first.window_samples):
            raise SpecError(f"model {model.name}: its inputs have different rates or windows; they must agree")
        if not spec.streamable:
            raise SpecError(f"model {model.name}: its frames are centred and cannot be streamed; train it uncentred")
        hop_samples = hop_s * spec.sample_rate_hz
        frames = hop_samples / spec.hop
        if not math.isclose(frames, round(frames), abs_tol=1e-9) or round(hop_samples) > spec.window_samples:
            step_s = spec.hop / spec.sample_rate_hz
            raise SpecError(
                f"model {model.name}: hop_s is {hop_s}, must be a multiple of {step_s:g} s up to the window's "
                f"{spec.window_samples / spec.sample_rate_hz:g} s"
            )
