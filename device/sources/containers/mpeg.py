"""MP3 files: the tag before the sound, and how many bytes of sound a Xing header declares.

Sources: ID3v2.4 structure document, section 3.1; ISO/IEC 11172-3, section 2.4.2.3 (frame header); the Xing and Info
headers are described by the LAME project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.sources.containers.sound_layout import FRAMES_AT_ONCE, SoundLayout, StreamLink

if TYPE_CHECKING:
    from typing import BinaryIO

_ID3_HEADER_BYTES = 10
_HAS_FOOTER = 0x10
_HEAD_BYTES = 64
_LONGEST_PADDING = 4096
_HAS_FRAMES, _HAS_BYTES = 1, 2


def skip_id3(file: BinaryIO, at: int = 0) -> int:
    """Offset of what follows the ID3v2 tags at an offset; the offset itself if there is none."""
    while True:
        file.seek(at)
        header = file.read(_ID3_HEADER_BYTES)
        if len(header) < _ID3_HEADER_BYTES or not header.startswith(b"ID3") or max(header[6:10]) > 0x7F:
            return at
        size = sum(byte << 7 * place for place, byte in enumerate(reversed(header[6:10])))
        at += _ID3_HEADER_BYTES + size + (_ID3_HEADER_BYTES if header[5] & _HAS_FOOTER else 0)


def is_frame(header: bytes) -> bool:
    """Whether these bytes begin a frame of MPEG audio, layer I to III."""
    return (
        len(header) >= 4
        and header[0] == 0xFF
        and header[1] & 0xE0 == 0xE0
        and header[1] & 0x18 != 0x08  # version
        and header[1] & 0x06 != 0  # layer; 0 is AAC
        and header[2] >> 4 != 0xF  # bit rate
        and header[2] & 0x0C != 0x0C  # sample rate
    )


def first_frame(file: BinaryIO, at: int) -> int | None:
    """Offset of the first frame within the padding that some programs leave behind a tag; None if there is none."""
    file.seek(at)
    head = file.read(_LONGEST_PADDING)
    offset = len(head) - len(head.lstrip(b"\0"))
    return at + offset if is_frame(head[offset:]) else None


def mpeg_layout(file: BinaryIO, start: int, size: int) -> SoundLayout:
    """The sound from `start`, where a frame begins."""
    declared = _xing_bytes(file, start)
    missing = declared is not None and size - start < declared
    return SoundLayout(
        (StreamLink(start, size),),
        step=FRAMES_AT_ONCE,
        kind="MP3",
        demuxer="mp3",
        damage=f"its header declares {declared} bytes of sound, of which {size - start} are there" if missing else None,
    )


def _xing_bytes(file: BinaryIO, start: int) -> int | None:
    """Bytes of all frames, if the first one holds a Xing or Info header that says so."""
    file.seek(start)
    head = file.read(_HEAD_BYTES)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0:
        return None
    flags = int.from_bytes(head[at + 4 : at + 8], "big")
    if not flags & _HAS_BYTES:
        return None
    where = at + 8 + (4 if flags & _HAS_FRAMES else 0)
    return int.from_bytes(head[where : where + 4], "big")
