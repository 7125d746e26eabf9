"""What a network attended to during events, as a veil over the spectrogram, in bounded memory.

Attention is kept as a multiple of even attention, in columns as the spectrogram's frames are: windows overlap, and a
column shows the average of the mean and the maximum of what lies in it. The veil is drawn where the model had an event,
and shows what lies above even attention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.report.columns import Columns
from device.report.spectrogram import MOST_COLUMNS, saved_png

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from device.messages import Attended
    from device.report.spans import Span
    from device.report.spectrogram import Spectrogram

    Float64 = npt.NDArray[np.float64]

_ROWS = 128
_COLOUR = (64, 240, 208)
"""Turquoise, which the colours of the spectrogram do not hold."""

_DENSEST = 0.85
"""Opacity of the most attended place of an event."""

_LEAST_PEAK = 1.0
"""Attention above the even one that the densest place stands for at least: a nearly even map stays faint."""


@dataclass(frozen=True, slots=True, eq=False)
class AttentionVeil:
    """A finished veil.

    Attributes:
        png: the picture, low frequencies at the bottom, as high as the spectrogram; transparent outside events.
        start_s: time of its left edge.
        end_s: time of its right edge.
    """

    png: bytes
    start_s: float
    end_s: float


class AttentionCollector:
    """Collects what one model attended to.

    Args:
        first: the first window's attention, which says where bands and frames lie; to be pushed as well.
        most_columns: of the widest veil, even.
    """

    def __init__(self, first: Attended, *, most_columns: int = MOST_COLUMNS) -> None:
        self._model = first.model
        self._hop_s = float(first.frame_s[1] - first.frame_s[0]) if len(first.frame_s) > 1 else 1.0
        self._origin_s = float(first.frame_s[0]) % self._hop_s
        self._edges_hz = first.edges_hz
        self._columns = Columns(most_columns, first.shares.shape[1])

    def __repr__(self) -> str:
        return f"AttentionCollector({self._model!r}, {self._columns.used} columns)"

    def push(self, attended: Attended) -> None:
        """Add a window, in stream order."""
        first = max(0, round((float(attended.frame_s[0]) - self._origin_s) / self._hop_s))
        self._columns.add(first, attended.shares * np.float32(attended.shares.size))

    def finish(self, picture: Spectrogram, events: Sequence[Span]) -> AttentionVeil | None:
        """The veil over the model's events; None if it had none.

        Raises:
            MissingExtraError: pillow is not installed.
        """
        spans = [(span.began_s, span.ended_s) for span in events if span.model == self._model]
        if not spans or not self._columns.used:
            return None
        levels = np.nan_to_num(self._columns.levels())  # (columns, bands)
        start_s, column_s = self._origin_s - self._hop_s / 2, self._columns.frames_each * self._hop_s
        middle_s = start_s + (np.arange(len(levels)) + 0.5) * column_s
        opacity = np.zeros((len(levels), _ROWS))
        bands = _bands_at(picture.frequencies_hz(_ROWS), self._edges_hz)
        for began_s, ended_s in spans:
            within = (middle_s >= began_s - column_s / 2) & (middle_s <= ended_s + column_s / 2)
            if within.any():
                above = np.maximum(levels[within] - 1.0, 0.0)  # even attention points to nothing
                shown = _DENSEST * np.sqrt(above / max(above.max(), _LEAST_PEAK))
                opacity[within] = np.where(bands >= 0, shown[:, bands], 0.0)
        return AttentionVeil(_png(opacity), start_s, start_s + len(levels) * column_s)


def _bands_at(frequencies_hz: Float64, edges_hz: Float64) -> npt.NDArray[np.int64]:
    """The band whose peak is nearest to each frequency; -1 beyond the bands."""
    nearest = np.abs(frequencies_hz[:, None] - edges_hz[None, 1:-1]).argmin(axis=1)
    return np.where((frequencies_hz >= edges_hz[0]) & (frequencies_hz <= edges_hz[-1]), nearest, -1)


def _png(opacity: Float64) -> bytes:
    """(columns, rows) in [0, 1] -> a PNG of one colour."""
    pixels = np.empty((*opacity.T.shape, 4), np.uint8)
    pixels[..., :3] = _COLOUR
    pixels[..., 3] = np.round(255 * opacity.T[::-1])
    return saved_png(pixels)
