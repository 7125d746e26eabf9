"""Where the sound of a WAV file ends: by its header where the file agrees, else by the file.

A header counts too little if its writer was killed before it could correct the header, corrected it for the last time
seconds before a power cut, or counted past 4 GiB in 32 bits. What follows the counted sound then is no chunk.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from device.quantity import quantity
from device.sources.containers.tags import is_tag

if TYPE_CHECKING:
    from typing import BinaryIO

_UNKNOWN_SIZES = (range(0x7FFFF000, 0x80000001), range(0xFFFFFF00, 0x100000000))
"""Sizes that a writer puts if it cannot seek back to correct them: sox 0x7ffff000, arecord
0x7fffff00, ffmpeg 0xffffffff, others one of these less the header. The ranges are narrow (4 KiB of
2 GiB), so that a long recording that was truncated is still detected."""

_WITHOUT_A_SIZE = "its header declares no length (a recorder that was killed leaves that): it is heard to its end"
_WRAP = 2**32
_LONG = 0xFFFFFFFF
_KNOWN_CHUNKS = frozenset(
    b"LIST list id3  ID3  fact cue  bext iXML JUNK junk PAD  FLLR smpl inst afsp PEAK _PMX cart levl umid axml chna "
    b"DISP labl note plst minf elm1 regn ovwf SMED slnt acid strc tlst LGWV bwf  ds64 data fmt  chna dbmd".split(b" ")
) - {b""}
_NAME_BYTES = 4
_LONGEST_CHUNK_WALK = 200


class SoundSize(NamedTuple):
    """What a header says about the size of its sound.

    Attributes:
        start: offset of the first byte of sound.
        chunk_bytes: of its chunk.
        long_bytes: the same of 64 bits, from a ds64 chunk; None if there is none.
        riff_bytes: of all chunks together.
    """

    start: int
    chunk_bytes: int
    long_bytes: int | None
    riff_bytes: int

    @property
    def declared(self) -> int | None:
        """Bytes of sound that the header declares; None if its writer could not know.

        A recorder that was killed, or wrote into a pipe, leaves a size of 0: that counts as
        unknown unless the RIFF size, too, says that what follows is not sound.
        """
        if self.chunk_bytes == _LONG and self.long_bytes is not None:
            return None if self.long_bytes in (0, 2**64 - 1) else self.long_bytes
        if any(self.chunk_bytes in sizes for sizes in _UNKNOWN_SIZES):
            return None
        if self.chunk_bytes == 0:
            riff_end = self.riff_bytes + 8
            open_ended = riff_end <= self.start or any(self.riff_bytes in sizes for sizes in _UNKNOWN_SIZES)
            return None if open_ended else 0
        return self.chunk_bytes


class SoundExtent(NamedTuple):
    """Where the sound ends, what is declared once a stale size is overruled, and why it was."""

    stop: int
    declared: int | None
    note: str | None = None


def sound_size(file: BinaryIO, size: int, sizes: SoundSize, order: str, shortest_tail: int) -> SoundExtent:
    """Find the end of the sound.

    Args:
        file: the open file; its position moves.
        size: of the file.
        sizes: what the header says.
        order: byte order of chunk sizes, `<` or `>`.
        shortest_tail: bytes that follow the declared sound from which on they can be sound.
    """
    start, declared = sizes.start, sizes.declared
    available = max(0, size - start)
    if declared is None:
        return SoundExtent(start + available, None, None if sizes.chunk_bytes or not available else _WITHOUT_A_SIZE)
    if declared >= available:
        return SoundExtent(start + available, declared)
    tail = _Tail(file, size, order)
    if available - declared < shortest_tail or tail.is_no_sound(start + declared):
        return SoundExtent(start + declared, declared, tail.second_file(start + declared))
    whole = _unwrapped(tail, declared, available, start)
    if whole is not None:
        note = f"it holds {whole} bytes of sound, of which its header counts {declared}: the rest of a count in 32 bits"
        return SoundExtent(start + whole, whole, note)
    more = quantity(available - declared, "byte")
    return SoundExtent(size, None, f"it holds {more} of sound more than the {declared} that its header declares")


def _unwrapped(tail: _Tail, declared: int, available: int, start: int) -> int | None:
    """The size whose lower 32 bits were declared, if what follows it then is a chunk or the end; None if none does."""
    if declared >= _WRAP:
        return None
    whole = declared + (available - declared) // _WRAP * _WRAP
    return whole if whole > declared and tail.is_no_sound(start + whole) else None


class _Tail:
    """What follows the sound."""

    def __init__(self, file: BinaryIO, size: int, order: str) -> None:
        self._file = file
        self._size = size
        self._order = order

    def is_no_sound(self, at: int) -> bool:
        """Whether the file ends here, or what follows is chunks or a tag; with or without a byte of padding."""
        return any(self._is_no_sound(position) for position in {at, at + at % 2})

    def second_file(self, at: int) -> str | None:
        """That another WAV file follows, as where two were joined by `cat`; None if none does."""
        self._file.seek(at)
        if not self._file.read(4).startswith((b"RIFF", b"RIFX", b"RF64")):
            return None
        return f"another WAV file follows its sound at byte {at} and is not heard: split them"

    def _is_no_sound(self, at: int) -> bool:
        left = self._size - at
        if left <= 1:
            return True
        self._file.seek(at)
        head = self._file.read(12)
        return is_tag(head, left) or self._is_chunks(at)

    def _is_chunks(self, at: int) -> bool:
        """Whether chunks follow: one of a known name, or some of any printable name that end where the file does."""
        for _ in range(_LONGEST_CHUNK_WALK):
            self._file.seek(at)
            head = self._file.read(8)
            if len(head) < 8:
                return True
            name, count = struct.unpack(self._order + "4sI", head)
            if name in _KNOWN_CHUNKS:
                return True
            if not all(0x20 <= byte < 0x7F for byte in name):
                return False
            at += 8 + count + count % 2
            if at > self._size + 1:
                return False
        return False
