"""What a container says about the sound in it: which bytes hold it, in what form, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

SAMPLES_AT_ONCE = 16384
"""Samples of all channels together in one read of the decoder; bounds the memory."""

FRAMES_AT_ONCE = SAMPLES_AT_ONCE // 8
"""Frames of one read if the number of channels is not known beforehand."""


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """How the bare samples of a WAV file are to be read, in libsndfile's terms."""

    samplerate: int
    channels: int
    subtype: str
    endian: Literal["LITTLE", "BIG"]


class StreamLink(NamedTuple):
    """A part of the file that is a whole stream by itself: bytes `start` to `stop`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class SoundLayout:
    """Where the sound is in a file, and what its container declares about it.

    Attributes:
        links: the streams in it, one after the other; most files hold one.
        step: frames (samples per channel) of one read of the decoder.
        kind: what the file is, for messages, such as "AAC in an ADTS stream".
        for_libsndfile: whether libsndfile may be able to read it.
        demuxer: FFmpeg's name of the container, if FFmpeg may read what libsndfile cannot.
        declared_frames: frames that a WAV header declares; None if it does not say.
        counted: whether the decoder's own number of frames is what the header declares; otherwise it is an estimate.
        pcm: how to read bare samples; None if the decoder finds out by itself.
        damage: why the sound ends at the last link's `stop` before it should; None if nothing is damaged.
        note: what is odd about the header, in one clause; the sound is whole all the same.
        patches: offset -> bytes that the decoder reads in place of the file's: sizes that were never corrected.
    """

    links: tuple[StreamLink, ...]
    step: int = FRAMES_AT_ONCE
    kind: str = "sound"
    for_libsndfile: bool = True
    demuxer: str | None = None
    declared_frames: int | None = None
    counted: bool = False
    pcm: PcmFormat | None = None
    damage: str | None = None
    note: str | None = None
    patches: dict[int, bytes] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """Offset of the first byte of sound."""
        return self.links[0].start

    @property
    def stop(self) -> int:
        """Offset one past the last byte of sound."""
        return self.links[-1].stop
