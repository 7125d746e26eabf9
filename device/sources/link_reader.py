"""Reads one link of a recording, decoded, as far as it is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from device.sources.decoding.decoder import DecodingError
from device.sources.decoding.opening import open_decoder
from device.sources.decoding.section import FileSection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    import numpy.typing as npt

    from device.sources.containers.sound_layout import SoundLayout, StreamLink


class BreakOffError(Exception):
    """The sound ends before it should; the message says why.

    Attributes:
        cure: what would help.
    """

    def __init__(self, why: str, cure: str = "copy or record it again for the rest") -> None:
        super().__init__(why)
        self.cure = cure


class LinkReader:
    """One link, read once from its start.

    Args:
        file: the open file; shared with no other reader at the same time.
        layout: what its container declares.
        link: the part to read.
        path: for messages.

    Raises:
        RecordingError: no decoder can read it.
        MissingExtraError: soundfile is not installed.
    """

    def __init__(self, file: BinaryIO, layout: SoundLayout, link: StreamLink, path: str) -> None:
        self._layout = layout
        self._section = FileSection(file, link, layout.patches)
        self._decoder = open_decoder(self._section, layout, path)
        self.sample_rate_hz = self._decoder.sample_rate_hz
        self.channels = self._decoder.channels
        self.frames = self._decoder.frames
        self._closed = False
        self.read_frames = 0
        """Frames that were given out."""

    def close(self) -> None:
        """Close the decoder, which ends the pieces; a second call does nothing."""
        self._closed = True
        self._decoder.close()

    def pieces(self, channel: int | None) -> Iterator[npt.NDArray[Any]]:
        """Yield frames (n, channels) in arrays that the next read reuses.

        Args:
            channel: the only one to yield, from 0; None for all.

        Raises:
            BreakOffError: after all readable frames.
        """
        while not self._closed and len(frames := self._read()):
            chosen = frames if channel is None else frames[:, channel : channel + 1]
            finite = _finite_frames(chosen)
            self.read_frames += finite
            if finite:
                yield chosen[:finite]
            if finite < len(chosen):
                raise BreakOffError("it holds NaN or infinity", "export it again with finite samples")
        if not self._closed:
            self._check_end()

    def _read(self) -> npt.NDArray[Any]:
        most = self._layout.step
        if self._layout.counted and self.frames is not None:
            # Beyond the declared end a FLAC decoder mistakes a tag that was appended for a damaged block.
            most = min(most, self.frames - self.read_frames)
        try:
            return self._decoder.read(most)
        except DecodingError as exc:
            raise BreakOffError(str(exc)) from exc

    def _check_end(self) -> None:
        declared = self._layout.declared_frames
        if declared is None and self._layout.counted:
            declared = self.frames
        self._section.check_disk()
        if self._section.error is not None:
            raise BreakOffError(self._section.error.strerror or "the disk failed")
        if declared is not None and self.read_frames < declared:
            raise BreakOffError(f"its header declares {declared / self.sample_rate_hz:.3f} s")


def _finite_frames(frames: npt.NDArray[Any]) -> int:
    """Number of frames (n, channels) before the first NaN or infinity."""
    finite = np.isfinite(frames).all(axis=1)
    return len(frames) if finite.all() else int(finite.argmin())
