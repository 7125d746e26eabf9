"""The sound that a page embeds: all of a short recording, the surroundings of the events of a long one.

FLAC, 16 bit: lossless, the same bytes in every run, and played by every browser. Sound that would make a page too
large for a browser (Firefox accepts 32 MB in one URL) is resampled to 16 kHz.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.errors import MissingExtraError
from device.hearing.resample import Resampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy.typing as npt

    from device.report.spans import Span

    ClipReader = Callable[[float, float], tuple[npt.NDArray[np.float32], int]]
    """(start_s, end_s) -> samples round(start_s * rate) to round(end_s * rate), float32 (n,), and the rate."""

WHOLE_UP_TO_S = 600.0
"""Recordings up to this length are embedded completely; of longer ones at most this much in total."""

AROUND_S = 10.0
"""Seconds kept before and after an event."""

LONGEST_EVENT_S = 40.0
"""Only this much of the beginning of a longer event is kept."""

_MOST_SAMPLES = 10_000_000
_LISTENING_RATE_HZ = 16_000
_LOWEST_RATE_HZ, _HIGHEST_RATE_HZ = 8_000, 48_000
_PIECE_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class PageClip:
    """An embedded stretch of the recording.

    Attributes:
        start_s: where it starts in the recording.
        end_s: where it ends.
        data: the encoded sound.
        mime: its media type.
    """

    start_s: float
    end_s: float
    data: bytes
    mime: str = "audio/flac"


def stretches(spans: Sequence[Span], duration_s: float) -> tuple[list[tuple[float, float]], int]:
    """Return the stretches to embed as (start_s, end_s) in time order, and the number of spans left out."""
    if duration_s <= WHOLE_UP_TO_S:
        return ([(0.0, duration_s)] if duration_s > 0 else []), 0
    kept: list[tuple[float, float]] = []
    for number, span in enumerate(spans):
        wider = _merged([*kept, _around(span, duration_s)])
        if sum(end_s - start_s for start_s, end_s in wider) > WHOLE_UP_TO_S:
            return kept, len(spans) - number
        kept = wider
    return kept, 0


def read_clips(wanted: Sequence[tuple[float, float]], reader: ClipReader) -> list[PageClip]:
    """Read the stretches again, and encode them piece by piece.

    Raises:
        MissingExtraError: soundfile is not installed.
    """
    total_s = sum(end_s - start_s for start_s, end_s in wanted)
    return [PageClip(start_s, end_s, _flac(_pieces(start_s, end_s, reader), total_s)) for start_s, end_s in wanted]


def _around(span: Span, duration_s: float) -> tuple[float, float]:
    end_s = min(span.end_s, span.start_s + LONGEST_EVENT_S)
    return max(0.0, span.start_s - AROUND_S), min(duration_s, end_s + AROUND_S)


def _merged(ranges: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Merge overlapping ranges."""
    joined: list[tuple[float, float]] = []
    for start_s, end_s in sorted(ranges):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end_s)
        else:
            joined.append((start_s, end_s))
    return joined


def _pieces(start_s: float, end_s: float, reader: ClipReader) -> Iterator[tuple[npt.NDArray[np.float32], int]]:
    """The stretch in pieces of 10 s, so that ten minutes are never held as float samples."""
    edges = [*np.arange(start_s, end_s, _PIECE_S).tolist(), end_s]
    return (reader(first_s, last_s) for first_s, last_s in itertools.pairwise(edges))


def _flac(pieces: Iterator[tuple[npt.NDArray[np.float32], int]], total_s: float) -> bytes:
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("a report needs soundfile, which is not installed; install auricle[device]") from error
    first, rate_hz = next(pieces)
    resampler = Resampler(rate_hz, listening_rate_hz(rate_hz, total_s))
    descriptor = os.memfd_create("sound")  # a BytesIO would need callbacks, and memory that is written and executed
    with os.fdopen(descriptor, "rb") as memory:
        with soundfile.SoundFile(descriptor, "w", resampler.to_hz, 1, "PCM_16", format="FLAC", closefd=False) as sound:
            sound.write(resampler.push(first))
            for piece, _ in pieces:
                sound.write(resampler.push(piece))
            sound.write(resampler.finish())
        memory.seek(0)
        return memory.read()


def listening_rate_hz(sample_rate_hz: int, total_s: float) -> int:
    """Return the recording's own rate, unless a browser would reject it or the page would become too large."""
    if sample_rate_hz < _LOWEST_RATE_HZ:
        return _LOWEST_RATE_HZ
    if sample_rate_hz > _HIGHEST_RATE_HZ or sample_rate_hz * total_s > _MOST_SAMPLES:
        return _LISTENING_RATE_HZ
    return sample_rate_hz
