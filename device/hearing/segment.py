"""One segment of a stream, the samples between two gaps, on their way to windows: sliced, resampled, cut."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from device.errors import SpecError
from device.hearing.resample import Resampler
from device.hearing.windows import Slices, WindowCursor, WindowFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from device.hearing.filters import FilterChain
    from device.hearing.listening_model import ListeningModel
    from device.messages import AudioBlock, Window

    Float32 = npt.NDArray[np.float32]

SLICE_S = 0.1
"""Two rows of the deafness detector: shorter slices would double its cost."""

RESAMPLED_SLICE_S = 0.05
"""A resampler holds back up to 40 ms, most often; slices this short let them arrive with the next block."""


class WindowPipeline:
    """Resamples the sound of one segment and cuts it into windows of one format."""

    def __init__(self, window_format: WindowFormat, capture_hz: int, start_s: float) -> None:
        self.window_format = window_format
        self._resampler = Resampler(capture_hz, window_format.rate_hz)
        self._cursor = WindowCursor(
            sample_rate_hz=window_format.rate_hz,
            window_samples=window_format.window_samples,
            hop_samples=window_format.hop_samples,
            grid_samples=window_format.grid_samples,
            start_s=start_s,
        )

    def change_hop(self, window_format: WindowFormat) -> None:
        """Use the hop of this format from now on; it must not differ in anything else."""
        self.window_format = window_format
        self._cursor.change_hop(window_format.hop_samples)

    def push(self, samples: Float32) -> Iterator[tuple[WindowFormat, Window]]:
        """float32 (n,) at capture rate -> the windows that are complete now."""
        return ((self.window_format, window) for window in self._cursor.push(self._resampler.push(samples)))

    def drain(self) -> Iterator[tuple[WindowFormat, Window]]:
        """Flush the resampler -> the windows that are complete now."""
        return ((self.window_format, window) for window in self._cursor.push(self._resampler.finish()))

    def finish(self, *, short_file: bool) -> Iterator[tuple[WindowFormat, Window]]:
        """The window that covers the tail of a file, if any; see `WindowCursor.finish`."""
        return ((self.window_format, window) for window in self._cursor.finish(short_file=short_file))


class Segment:
    """The samples between two gaps.

    Args:
        rate_hz: capture rate.
        start_sample: index of its first sample in the stream.
        formats: of the windows that are cut from it.
        filters: of the stream.

    Attributes:
        next_block_sample: where the next block must start; any other start is a gap.
        next_slice_sample: where the next slice starts.
    """

    def __init__(self, rate_hz: int, start_sample: int, formats: Sequence[WindowFormat], filters: FilterChain) -> None:
        self.rate_hz = rate_hz
        self.filters = filters
        self.next_block_sample = start_sample
        self.next_slice_sample = start_sample
        self.pipelines = [WindowPipeline(each, rate_hz, start_sample / rate_hz) for each in formats]
        resampled = any(each.rate_hz != rate_hz for each in formats)
        slice_samples = max(1, round(rate_hz * (RESAMPLED_SLICE_S if resampled else SLICE_S)))
        self._slices, self._power_slices = Slices(slice_samples), Slices(slice_samples)
        self._start_sample = start_sample

    @property
    def now_s(self) -> float:
        """End of the last processed slice, in the stream."""
        return self.next_slice_sample / self.rate_hz

    def is_continued_by(self, block: AudioBlock) -> bool:
        """Whether the block follows without a gap, at the same rate."""
        return block.start_sample == self.next_block_sample and block.sample_rate_hz == self.rate_hz

    def push(self, block: AudioBlock) -> Iterator[tuple[Float32, Float32 | None]]:
        """A block -> the slices that are complete now, and the independent power beside each if the stream is a mix."""
        self.next_block_sample = block.end_sample
        slices = self._slices.push(block.samples)
        if block.independent_power is None:
            return ((samples, None) for samples in slices)
        return zip(slices, list(self._power_slices.push(block.independent_power)), strict=True)

    def finish(self) -> tuple[Float32, Float32 | None]:
        """The rest, which is shorter than a slice."""
        samples, power = self._slices.finish(), self._power_slices.finish()
        return samples, power if len(power) else None

    @property
    def is_at_start(self) -> bool:
        """Whether the next slice is the first one."""
        return self.next_slice_sample == self._start_sample


def window_formats(models: Sequence[ListeningModel], hop_s: float) -> list[WindowFormat]:
    """The formats of the windows that the models need, each once, in the order of the models.

    Raises:
        SpecError: a model cannot process a stream at this hop.
    """
    formats: dict[tuple[int, int], WindowFormat] = {}
    for model in models:
        _check(model, hop_s)
        key = model.specs[0].sample_rate_hz, model.specs[0].window_samples
        hops = [
            spec.hop for other in models for spec in other.specs if (spec.sample_rate_hz, spec.window_samples) == key
        ]
        formats[key] = WindowFormat(*key, hop_samples=round(hop_s * key[0]), grid_samples=math.lcm(*hops))
    return list(formats.values())


def _check(model: ListeningModel, hop_s: float) -> None:
    first = model.specs[0]
    for spec in model.specs:
        if (spec.sample_rate_hz, spec.window_samples) != (first.sample_rate_hz, first.window_samples):
            raise SpecError(f"model {model.name}: its inputs have different rates or windows; they must agree")
        if not spec.streamable:
            raise SpecError(f"model {model.name}: its frames are centred and cannot be streamed; train it uncentred")
        hop_samples = hop_s * spec.sample_rate_hz
        frames = hop_samples / spec.hop
        is_whole = math.isclose(frames, round(frames), abs_tol=1e-9) and round(frames) >= 1
        if not is_whole or round(hop_samples) > spec.window_samples:
            step_s = spec.hop / spec.sample_rate_hz
            raise SpecError(
                f"model {model.name}: hop_s is {hop_s}, must be a multiple of {step_s:g} s up to the window's "
                f"{spec.window_samples / spec.sample_rate_hz:g} s"
            )
