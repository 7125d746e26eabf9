"""Whether the sound that an AIFF, CAF, W64 or AU file declares is there; libsndfile shortens it without a word.

Sources: Audio Interchange File Format AIFF-C (Apple, 1991), Apple Core Audio Format Specification 1.0, Sony Pictures
Digital Wave 64 specification, the Sun/NeXT header of audio(7).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from device.sources.containers.sound_layout import SoundLayout, StreamLink

if TYPE_CHECKING:
    from typing import BinaryIO

_MAX_CHUNKS = 1000
_AU_UNKNOWN = 0xFFFFFFFF
_W64_DATA = b"data" + bytes.fromhex("f3acd3118cd100c04f8edb8a")


class _Chunks(NamedTuple):
    """How a container's chunks are built.

    Attributes:
        kind: of the file, for messages.
        first: offset of the first chunk.
        header: format of a chunk's name and size.
        sound: name of the chunk that holds the sound.
        counts_header: whether a chunk's size counts its header.
        align: chunks begin at multiples of this many bytes.
    """

    kind: str
    first: int
    header: struct.Struct
    sound: bytes
    counts_header: bool
    align: int


_CONTAINERS = {
    b"FORM": _Chunks("AIFF", 12, struct.Struct(">4sI"), b"SSND", counts_header=False, align=2),
    b"caff": _Chunks("CAF", 8, struct.Struct(">4sq"), b"data", counts_header=False, align=1),
    b"riff": _Chunks("Wave64", 40, struct.Struct("<16sq"), _W64_DATA, counts_header=True, align=8),
}


def sized_layout(file: BinaryIO, magic: bytes, size: int) -> SoundLayout:
    """The layout of a file that begins with `magic`: FORM, caff, riff (in small letters), .snd or any other."""
    container = _CONTAINERS.get(magic)
    if container is not None:
        kind, stop = container.kind, _declared_stop(file, container, size)
    elif magic == b".snd":
        kind, stop = "AU", _au_stop(file)
    else:
        kind, stop = {b"NIST": "NIST SPHERE", b"Crea": "VOC"}.get(magic, "sound"), None
    demuxer = {"AIFF": "aiff", "CAF": "caf", "Wave64": "w64", "AU": "au", "VOC": "voc"}.get(kind)
    missing = stop is not None and stop > size
    damage = f"its header declares {stop} bytes, of which {size} are there" if missing else None
    return SoundLayout((StreamLink(0, size),), kind=kind, demuxer=demuxer, damage=damage)


def _declared_stop(file: BinaryIO, container: _Chunks, size: int) -> int | None:
    """Offset of the end of the chunk of sound, as declared; None if it does not say, or there is none."""
    at = container.first
    for _ in range(_MAX_CHUNKS):
        file.seek(at)
        header = file.read(container.header.size)
        if len(header) < container.header.size:
            return None
        name, count = container.header.unpack(header)
        stop = at + count + (0 if container.counts_header else container.header.size)
        if name == container.sound:
            return None if count <= 0 else stop
        at = stop + -stop % container.align
        if not container.header.size <= at < size:
            return None
    return None


def _au_stop(file: BinaryIO) -> int | None:
    file.seek(4)
    fields = file.read(8)
    if len(fields) < 8:
        return None
    start, count = struct.unpack(">II", fields)
    return None if count == _AU_UNKNOWN else start + count
