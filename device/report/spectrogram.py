"""A recording of any length as one log-mel picture, in bounded memory.

Frames are summed in columns. When all columns are full, neighbours are merged, and each column then covers twice
the time. A column keeps the mean and the maximum of its frames and shows the average of the two, so that a click of
10 ms stays visible in ten hours without raising the noise floor. The result depends on the samples alone, never on
the block size.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.errors import MissingExtraError
from device.hearing.features import computer
from device.hearing.resample import Resampler
from device.hearing.spec import FeatureSpec
from device.report.columns import Columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.messages import AudioBlock

    Float32 = npt.NDArray[np.float32]

MOST_COLUMNS = 1600
"""Columns of the widest picture: about the width of a wide page in pixels."""

_HIGHEST_RATE_HZ = 16_000
_LOWEST_RATE_HZ = 1_000
_BANDS = 128
_FRAMES_AT_ONCE = 1024
_LEAST_RANGE_DB = 50.0
_QUIETEST_DB = -120.0
_NO_SOUND = 255
_COLOURS = 255
_ANCHORS = (
    (6, 5, 20),
    (29, 17, 71),
    (74, 21, 117),
    (124, 38, 130),
    (178, 55, 121),
    (226, 82, 100),
    (249, 136, 98),
    (254, 195, 138),
    (253, 250, 200),
)
"""Dark violet over red to pale yellow; lightness rises evenly, so it is readable in grey and in print."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrogram:
    """A finished picture and the meaning of its edges.

    Attributes:
        png: the picture, one pixel for each column and band, low frequencies at the bottom; transparent
            where samples are missing.
        start_s: time of its left edge.
        end_s: time of its right edge.
        f_max_hz: frequency of its upper edge; the lower one is 0.
        low_db: level of the darkest colour, in dB below a full-scale sine.
        high_db: level of the brightest colour.
    """

    png: bytes
    start_s: float
    end_s: float
    f_max_hz: float
    low_db: float
    high_db: float

    def frequencies_hz(self, rows: int) -> npt.NDArray[np.float64]:
        """The middle of each of so many equal rows, from the lowest up: (rows,)."""
        mel = (np.arange(rows) + 0.5) / rows * _mel(self.f_max_hz)
        return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))

    def height_of(self, frequency_hz: float) -> float:
        """Position of a frequency: 0 at the lower and 1 at the upper edge of the picture."""
        return float(_mel(frequency_hz) / _mel(self.f_max_hz))


class SpectrogramCollector:
    """Makes the picture of one recording from its blocks.

    Args:
        sample_rate_hz: rate of the blocks; above 16 kHz they are resampled to it, as the picture
            ends at 8 kHz.
        most_columns: width of the widest picture, even.
    """

    def __init__(self, sample_rate_hz: int, *, most_columns: int = MOST_COLUMNS) -> None:
        self._from_hz = sample_rate_hz
        self._rate_hz = min(max(sample_rate_hz, _LOWEST_RATE_HZ), _HIGHEST_RATE_HZ)
        self._spec = _spec(self._rate_hz)
        self._columns = Columns(most_columns, self._spec.n_mels)
        self._resampler = Resampler(self._from_hz, self._rate_hz)
        self._pending: list[Float32] = []
        self._pending_samples = 0
        self._next_frame = 0

    def __repr__(self) -> str:
        return f"SpectrogramCollector({self._from_hz} Hz, {self._columns.used} columns)"

    def push(self, block: AudioBlock) -> None:
        """Add the next block; if samples are missing before it, the picture stays empty there."""
        if block.after_gap:
            self._finish_segment()
            self._next_frame = -(-block.start_sample * self._rate_hz // (self._from_hz * self._spec.hop))
            self._resampler = Resampler(self._from_hz, self._rate_hz)
        self._buffer(self._resampler.push(block.samples))

    def finish(self) -> Spectrogram | None:
        """Return the picture of all blocks; None if they are shorter than one frame."""
        self._finish_segment()
        if self._columns.used == 0:
            return None
        levels = self._columns.levels()
        low_db, high_db = _range_db(levels)
        hop_s = self._spec.hop / self._rate_hz
        start_s = (self._spec.span - self._spec.hop) / 2 / self._rate_hz
        return Spectrogram(
            png=_png(levels, low_db, high_db),
            start_s=start_s,
            end_s=start_s + len(levels) * self._columns.frames_each * hop_s,
            f_max_hz=self._spec.f_max_hz,
            low_db=low_db,
            high_db=high_db,
        )

    def _buffer(self, samples: Float32) -> None:
        """Buffer samples until they make a full batch: a sum of frames must not depend on the block size."""
        self._pending.append(samples)
        self._pending_samples += len(samples)
        step = _FRAMES_AT_ONCE * self._spec.hop
        batch = step - self._spec.hop + self._spec.span
        if self._pending_samples < batch:
            return
        held = np.concatenate(self._pending)
        first = 0
        while len(held) - first >= batch:
            self._add(computer(self._spec).frames(held[first : first + batch]))
            first += step
        self._pending = [held[first:].copy()]
        self._pending_samples = len(held) - first

    def _finish_segment(self) -> None:
        held = np.concatenate([*self._pending, self._resampler.finish()])
        self._pending, self._pending_samples = [], 0
        if len(held) >= self._spec.span:
            self._add(computer(self._spec).frames(held))

    def _add(self, frames: Float32) -> None:
        self._columns.add(self._next_frame, frames)
        self._next_frame += len(frames)


def _spec(rate_hz: int) -> FeatureSpec:
    """Frames of 32 ms every 10 ms, zero-padded to twice their length so that low bands are not empty."""
    frame = round(0.032 * rate_hz)
    return FeatureSpec(
        sample_rate_hz=rate_hz,
        window_samples=2 * frame,
        frame_length=frame,
        n_fft=1 << (2 * frame - 1).bit_length(),
        hop=max(1, round(0.010 * rate_hz)),
        window_placement="start",
        spectrum_scale=(4.0 / frame) ** 2,  # a full-scale sine under a Hann window reads 0 dB
        n_mels=_BANDS,
        mel_norm="none",
        f_max_hz=rate_hz / 2,
        floor=10 ** (_QUIETEST_DB / 10),
    )


def _mel(frequency_hz: float) -> float:
    """Slaney's mel scale, on which the picture's bands are spaced."""
    if frequency_hz < 1000.0:
        return 3.0 * frequency_hz / 200.0
    return float(15.0 + 27.0 * np.log(frequency_hz / 1000.0) / np.log(6.4))


def _range_db(levels: Float32) -> tuple[float, float]:
    """From the noise floor to the loudest, at least 50 dB; digital silence is ignored."""
    audible = levels[np.isfinite(levels) & (levels > _QUIETEST_DB + 1)]
    if len(audible) == 0:
        return _QUIETEST_DB, _QUIETEST_DB + _LEAST_RANGE_DB
    high_db = float(np.ceil(np.percentile(audible, 99.9)))
    low_db = float(np.floor(np.percentile(audible, 5.0)))
    return min(low_db, high_db - _LEAST_RANGE_DB), high_db


def _png(levels: Float32, low_db: float, high_db: float) -> bytes:
    """(columns, bands) in dB -> a palette PNG, bands upwards.

    Raises:
        MissingExtraError: pillow is not installed.
    """
    scaled = np.clip((levels - low_db) / (high_db - low_db), 0.0, 1.0) * (_COLOURS - 1)
    indices = np.where(np.isnan(scaled), _NO_SOUND, np.round(scaled)).astype(np.uint8)
    return saved_png(np.ascontiguousarray(indices.T[::-1]), palette=colour_map().tobytes())


def saved_png(pixels: npt.NDArray[np.uint8], *, palette: bytes | None = None) -> bytes:
    """A PNG of pixels (rows, columns, 4) with their opacity, or (rows, columns) of a palette.

    Raises:
        MissingExtraError: pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("a report needs pillow, which is not installed; install auricle[device]") from error
    image, stream = Image.fromarray(pixels), io.BytesIO()
    if palette is None:
        image.save(stream, "PNG", compress_level=9)
        return stream.getvalue()
    image.putpalette(palette)
    image.save(stream, "PNG", transparency=_NO_SOUND, compress_level=9)
    return stream.getvalue()


def colour_map() -> npt.NDArray[np.uint8]:
    """The palette, dark to bright: uint8 (256, 3); the last entry is the transparent one."""
    at = np.linspace(0, len(_ANCHORS) - 1, _COLOURS)
    channels = [np.interp(at, range(len(_ANCHORS)), channel) for channel in zip(*_ANCHORS, strict=True)]
    colours = np.round(np.stack(channels, axis=1)).astype(np.uint8)
    return np.concatenate([colours, np.zeros((1, 3), np.uint8)])
