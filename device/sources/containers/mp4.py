"""The boxes of an MP4, M4A or MOV file: the codec's name, and where joined files begin. Source: ISO/IEC 14496-12."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from device.sources.containers.sound_layout import StreamLink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_CODECS = {
    b"mp4a": "AAC",
    b"alac": "ALAC",
    b"Opus": "Opus",
    b"fLaC": "FLAC",
    b"ac-3": "AC-3",
    b"ec-3": "E-AC-3",
    b"samr": "AMR",
    b"sawb": "AMR wideband",
    b".mp3": "MP3",
}
_MOST_BOXES = 1000
_MOST_BYTES = 1 << 20
_SAMPLE_ENTRY = 12
"""Bytes from the name of the box `stsd` to that of its first entry."""


def mp4_links(file: BinaryIO, size: int) -> tuple[StreamLink, ...]:
    """The files that were joined, as by `cat`, each of which begins with a box `ftyp`; most often one."""
    starts = [0, *(at for at, _, name in _boxes(file, size) if name == b"ftyp" and at)]
    return tuple(StreamLink(*pair) for pair in zip(starts, [*starts[1:], size], strict=True))


def mp4_codec(file: BinaryIO, size: int) -> str:
    """The first codec of sound that the box `moov` names; "unknown sound" if there is none, or none that is known."""
    for at, length, name in _boxes(file, size):
        if name == b"moov":
            file.seek(at)
            return _named(file.read(min(_MOST_BYTES, length)))
    return "unknown sound"


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, bytes, name) of the outermost boxes; the last one may end behind the file."""
    at = 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return
        length, name = struct.unpack(">I4s", header[:8])
        if length == 1 and len(header) == 16:
            (length,) = struct.unpack(">Q", header[8:])
        yield at, length, name
        if length < 8 or at + length > size:
            return
        at += length


def _named(moov: bytes) -> str:
    at = moov.find(b"stsd")
    while at >= 0:
        entry = moov[at + _SAMPLE_ENTRY + 4 : at + _SAMPLE_ENTRY + 8]
        if entry in _CODECS:
            return _CODECS[entry]
        at = moov.find(b"stsd", at + 4)
    return "unknown sound"
