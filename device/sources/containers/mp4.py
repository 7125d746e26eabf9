"""The boxes of an MP4, M4A or MOV file, as far as the codec's name. Source: ISO/IEC 14496-12."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def mp4_codec(file: BinaryIO, size: int) -> str:
    """The first codec of sound that the box `moov` names; "unknown sound" if there is none, or none that is known."""
    at = 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            break
        length, name = struct.unpack(">I4s", header[:8])
        if length == 1 and len(header) == 16:
            (length,) = struct.unpack(">Q", header[8:])
        if name == b"moov":
            return _named(header + file.read(min(_MOST_BYTES, max(0, length - 16))))
        if length < 8 or at + length > size:
            break
        at += length
    return "unknown sound"


def _named(moov: bytes) -> str:
    at = moov.find(b"stsd")
    while at >= 0:
        entry = moov[at + _SAMPLE_ENTRY + 4 : at + _SAMPLE_ENTRY + 8]
        if entry in _CODECS:
            return _CODECS[entry]
        at = moov.find(b"stsd", at + 4)
    return "unknown sound"
