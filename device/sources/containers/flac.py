"""The STREAMINFO of a FLAC file, and of each stream in it, if several were joined. Source: RFC 9639."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.errors import RecordingError
from device.sources.containers.mpeg import skip_id3
from device.sources.containers.search import find_all
from device.sources.containers.sound_layout import SoundLayout, StreamLink

if TYPE_CHECKING:
    from typing import BinaryIO

_STREAMINFO_BYTES = 34
_FEWEST_FRAMES = 16
_MARKERS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
"""The stream marker and the header of STREAMINFO behind it, with and without further metadata."""

_LONGEST_TAG = 1 << 22
"""Bytes before a later stream in which an ID3 tag of its own is sought."""


def flac_layout(file: BinaryIO, path: str, start: int, size: int) -> SoundLayout:
    """Read STREAMINFO: one read of the decoder is one FLAC block, so that a damaged one is dropped whole.

    Streams that were joined, as by `cat`, each begin with a marker, and are links of one recording.

    Args:
        file: the open file; its position moves.
        path: for messages.
        start: offset of the stream marker `fLaC`.
        size: of the file.

    Raises:
        RecordingError: there is no STREAMINFO, and so nothing that says how the sound is to be decoded.
    """
    file.seek(start + 4)
    block_type_and_length = file.read(4)
    info = file.read(_STREAMINFO_BYTES)
    if len(info) < _STREAMINFO_BYTES or block_type_and_length[0] & 0x7F:
        raise RecordingError(
            f"{path} begins like a FLAC file but has no STREAMINFO block, without which no player can read it; "
            "copy or export it again."
        )
    starts = [start, *(at for at in find_all(file, _MARKERS, start + 4) if _is_stream(file, at))]
    stops = [*(_before_tag(file, at) for at in starts[1:]), size]
    return SoundLayout(
        tuple(StreamLink(*pair) for pair in zip(starts, stops, strict=True)),
        step=max(_FEWEST_FRAMES, min(_block_frames(file, at) for at in starts)),
        kind="FLAC",
        demuxer="flac",
        counted=True,
    )


def _block_frames(file: BinaryIO, start: int) -> int:
    """Frames of the largest block of the stream at an offset."""
    file.seek(start + 10)
    return int.from_bytes(file.read(2), "big")


def _is_stream(file: BinaryIO, start: int) -> bool:
    """Whether what follows a marker is a STREAMINFO: its block sizes and its rate are possible."""
    file.seek(start + 8)
    info = file.read(_STREAMINFO_BYTES)
    least, most, rate_hz = (int.from_bytes(info[a:b], "big") for a, b in ((0, 2), (2, 4), (10, 13)))
    return len(info) == _STREAMINFO_BYTES and _FEWEST_FRAMES <= least <= most and rate_hz >> 4 > 0


def _before_tag(file: BinaryIO, start: int) -> int:
    """Where the ID3 tag of a later stream begins; the stream's own offset if it has none."""
    first = max(0, start - _LONGEST_TAG)
    file.seek(first)
    before = file.read(start - first)
    at = before.rfind(b"ID3")
    while at >= 0:
        if skip_id3(file, first + at) == start:
            return first + at
        at = before.rfind(b"ID3", 0, at)
    return start
