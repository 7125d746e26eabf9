"""Decodes with PyAV what libsndfile does not know: AAC and ALAC in M4A, FLAC in Ogg, WMA, Matroska and many more.

PyAV is optional (the extra `formats`): it holds all of FFmpeg, more than a Pi at a bedside needs.
"""

from __future__ import annotations

import contextlib
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import MissingExtraError
from device.sources.decoding.decoder import DecodingError

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy.typing as npt

    from device.sources.decoding.section import FileSection

_COUNTING = frozenset({"mov", "asf", "ape", "wv", "tta"})
"""Demuxers whose duration stands in the file; the others estimate it, or take it from the last page that is there."""

_SLACK_S = 0.5
"""A stream may be this much shorter than its container says, by what its encoder and decoder delay."""


class LibavDecoder:
    """FFmpeg's libraries on a section of a file: the first sound stream in it, at its first frame's rate.

    Args:
        section: what it reads.
        demuxer: FFmpeg's name of the container. It is never guessed: some formats are lists of other files to open.

    Raises:
        DecodingError: there is no sound that FFmpeg could decode.
        MissingExtraError: PyAV is not installed.
    """

    def __init__(self, section: FileSection, demuxer: str) -> None:
        self._av = av = _av()
        self._heard_frames = 0
        self._closing = contextlib.ExitStack()
        try:
            self._container = self._closing.enter_context(av.open(section, format=demuxer, metadata_errors="replace"))
            self._stream: Any = next(iter(self._container.streams.audio), None)
            self._chunks = self._decoded()
            self._waiting = next(self._chunks, np.empty((0, 1), np.float32))
        except (av.FFmpegError, ValueError, OverflowError) as exc:
            self._closing.close()
            raise DecodingError(_reason(exc)) from exc
        except BaseException:
            self._closing.close()
            raise
        if not len(self._waiting):
            self._closing.close()
            raise DecodingError("it holds no stream of sound")
        self.channels: int = self._waiting.shape[1]
        self.frames = self._declared_frames()
        self._expected_frames = (self.frames or 0) if demuxer in _COUNTING else 0

    def read(self, most: int) -> npt.NDArray[Any]:
        """See `SoundDecoder.read`."""
        try:
            if not len(self._waiting):
                self._waiting = next(self._chunks, self._waiting)
        except (self._av.FFmpegError, ValueError) as exc:
            raise DecodingError(_reason(exc)) from exc
        frames, self._waiting = self._waiting[:most], self._waiting[most:]
        self._heard_frames += len(frames)
        if not len(frames) and self._heard_frames < self._expected_frames - _SLACK_S * self.sample_rate_hz:
            raise DecodingError(f"its header declares {self._expected_frames / self.sample_rate_hz:.3f} s")
        return frames

    def close(self) -> None:
        """See `SoundDecoder.close`."""
        self._chunks.close()
        self._closing.close()

    def _decoded(self) -> Generator[npt.NDArray[np.float32], None, None]:
        """Yield what each packet holds, (n, channels); the first frame says rate and channels of all."""
        resampler = None
        for frame in () if self._stream is None else self._container.decode(self._stream):
            if resampler is None:
                self.sample_rate_hz: int = frame.sample_rate
                resampler = self._av.AudioResampler(format="fltp", layout=frame.layout, rate=frame.sample_rate)
            for converted in resampler.resample(frame):
                yield np.ascontiguousarray(converted.to_ndarray().T)
        for converted in resampler.resample(None) if resampler is not None else ():
            yield np.ascontiguousarray(converted.to_ndarray().T)

    def _declared_frames(self) -> int | None:
        stream, container = self._stream, self._container
        duration_s: float | None = None
        if stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration_s = container.duration / self._av.time_base
        return None if duration_s is None else round(duration_s * self.sample_rate_hz)


def is_installed() -> bool:
    """Whether PyAV can be imported; loads nothing."""
    try:
        return importlib.util.find_spec("av") is not None
    except ValueError:  # it was imported from nowhere
        return False


def _av() -> Any:
    try:
        import av
    except ImportError as exc:
        raise MissingExtraError("PyAV is not installed; pip install 'auricle[formats]' brings it.") from exc
    av.logging.set_level(None)  # what FFmpeg has to say to itself is no message of ours
    return av


def _reason(exc: Exception) -> str:
    return str(getattr(exc, "strerror", None) or exc).rstrip(".")
