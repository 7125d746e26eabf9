"""MP3 files: the tag before the sound, how many bytes of sound a Xing header declares, and where joined files begin.

Sources: ID3v2.4 structure document, section 3.1; ISO/IEC 11172-3, section 2.4.2.3 (frame header); the Xing and Info
headers are described by the LAME project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.sources.containers.search import find_all
from device.sources.containers.sound_layout import FRAMES_AT_ONCE, SoundLayout, StreamLink
from device.sources.containers.tags import ID3V1_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_ID3_HEADER_BYTES = 10
_HAS_FOOTER = 0x10
_HEAD_BYTES = 64
_LONGEST_PADDING = 4096
_HAS_FRAMES, _HAS_BYTES = 1, 2
_XING_AT = (36, 21, 13)
"""Where a Xing header stands in its frame: behind 4 bytes of header and side information, all zeros."""

_MOST_FILES = 1000
_SHORTEST_PART_BYTES = 1024
"""Bytes from which on a part can be a file of its own; some encoders count a frame too few."""


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
    """The sound from `start`, where a frame begins; files that were joined, as by `cat`, are its links."""
    starts = _starts(file, start, size)
    declared = _xing_bytes(file, starts[-1])
    present = size - starts[-1]
    missing = declared is not None and present < declared
    return SoundLayout(
        tuple(StreamLink(*pair) for pair in zip(starts, [*starts[1:], size], strict=True)),
        step=FRAMES_AT_ONCE,
        kind="MP3",
        demuxer="mp3",
        damage=f"its header declares {declared} bytes of sound, of which {present} are there" if missing else None,
    )


def _starts(file: BinaryIO, start: int, size: int) -> list[int]:
    """Where the joined files begin: at a Xing header, or behind the bytes that one declares.

    The decoder hears no more than a Xing header declares; without one it hears on.
    """
    headers = sorted({at for at in _xing_frames(file, start) if at >= start})
    starts = [start]
    while len(starts) < _MOST_FILES:
        later = next((at for at in headers if at >= starts[-1] + _SHORTEST_PART_BYTES), size)
        counted = _behind_counted(file, starts[-1], later)
        if counted is None and later == size:
            break
        starts.append(later if counted is None else counted)
    return starts


def _behind_counted(file: BinaryIO, start: int, stop: int) -> int | None:
    """Offset of sound that the Xing header at `start` does not count, before `stop`; None if there is none."""
    declared = _xing_bytes(file, start)
    if declared is None or declared < _SHORTEST_PART_BYTES or start + declared > stop - _SHORTEST_PART_BYTES:
        return None  # the end, or a damaged header
    at = start + declared
    file.seek(at)
    if file.read(3) == b"TAG":
        at += ID3V1_BYTES
    found = first_frame(file, skip_id3(file, at))
    return found if found is not None and found < stop - _SHORTEST_PART_BYTES else None


def _xing_frames(file: BinaryIO, start: int) -> Iterator[int]:
    """Offsets of the frames that hold a Xing or Info header."""
    for at in find_all(file, (b"Xing", b"Info"), start):
        for distance in _XING_AT:
            file.seek(max(0, at - distance))
            frame = file.read(distance)
            if len(frame) == distance and is_frame(frame) and not any(frame[4:]):
                yield at - distance


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
