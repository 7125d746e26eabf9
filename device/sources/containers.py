"""What a WAV, FLAC or OGG file declares, and how much of it is present.

libsndfile, which decodes, silently shortens a truncated file. So the containers are read here first:
the chunks of WAV (RIFF, RIFX, RF64), the STREAMINFO of FLAC, every page of OGG with its checksum.
Knows no decoder and reads no samples; `recording` alone uses it.

Sources: Microsoft's Multimedia Programming Interface 1.0 (RIFF, WAVE), its WAVEFORMATEXTENSIBLE page,
EBU Tech 3306 (RF64), RFC 9639 (FLAC), RFC 3533 (Ogg).
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from device.errors import RecordingError

SAMPLES_AT_ONCE = 16384
"""Samples of all channels together in one read of the decoder; bounds the memory."""

_MAX_CHANNELS = 1024
"""libsndfile's own limit."""

_MAX_CHUNKS = 1000
"""A WAV file with more chunks before its sound is corrupt; the walk must end even in a file full of zeros."""

_EXTENSIBLE = 0xFFFE
_SUBTYPES = {
    (1, 1): "PCM_U8",
    (1, 2): "PCM_16",
    (1, 3): "PCM_24",
    (1, 4): "PCM_32",
    (3, 4): "FLOAT",
    (3, 8): "DOUBLE",
    (6, 1): "ALAW",
    (7, 1): "ULAW",
}
"""(format tag, bytes of one sample in the file) -> libsndfile's name."""

_UNKNOWN_SIZES = (range(0x7FFFF000, 0x80000001), range(0xFFFFFF00, 0x100000000))
"""Sizes that a writer puts if it cannot seek back to correct them: sox 0x7ffff000, arecord
0x7fffff00, ffmpeg 0xffffffff, others one of these less the header. The ranges are narrow (4 KiB of
2 GiB), so that a long recording that was truncated is still detected."""

_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_FIRST_PAGE, _LAST_PAGE = 2, 4


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """How the samples of a WAV file are to be read, in libsndfile's terms."""

    samplerate: int
    channels: int
    subtype: str
    endian: Literal["LITTLE", "BIG"]


@dataclass(frozen=True, slots=True)
class SoundLayout:
    """Where the sound is in a file, and what its container declares about it.

    Attributes:
        start: offset of the first byte that the decoder may read.
        stop: offset one past the last; the rest is missing, damaged or not sound.
        step: frames (samples per channel) of one read of the decoder.
        declared_frames: frames that a WAV header declares; None if it does not say.
        pcm: how to read bare samples; None if the decoder finds out by itself.
        damage: why the sound ends at `stop` before it should; None if nothing is damaged.
    """

    start: int
    stop: int
    step: int
    declared_frames: int | None = None
    pcm: PcmFormat | None = None
    damage: str | None = None


def read_layout(file: BinaryIO, path: str) -> SoundLayout:
    """Read what the container of an open, seekable file declares, and how much of it is present.

    Args:
        file: the open file; its position moves.
        path: for messages.

    Raises:
        RecordingError: the file is empty, neither WAV, FLAC nor OGG, or its header makes no sense.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(4)
    if not magic:
        raise RecordingError(f"{path} is empty (0 bytes); record or copy it again.")
    if magic in (b"RIFF", b"RIFX", b"RF64"):
        return _WavHeader(file, path, size, big_endian=magic == b"RIFX").layout()
    if magic == b"fLaC":
        return _flac_layout(file, path, size)
    if magic == b"OggS":
        return _ogg_layout(file)
    raise RecordingError(f"{path} is not audio that can be read here; WAV, FLAC and OGG files can.")


class _WavHeader:
    """Walks the chunks of a WAV file up to its sound."""

    def __init__(self, file: BinaryIO, path: str, size: int, *, big_endian: bool) -> None:
        self._file = file
        self._path = path
        self._size = size
        self._order = ">" if big_endian else "<"
        self._pcm: PcmFormat | None = None
        self._frame_bytes = 0
        self._long_data_bytes: int | None = None
        self._riff_bytes = 0

    def layout(self) -> SoundLayout:
        """Find the format and data chunks, by the sizes that the header declares."""
        self._file.seek(4)
        self._riff_bytes, form = self._unpack("I4s")
        if form != b"WAVE":
            raise self._corrupt("it is a RIFF file but no WAVE")
        position = 12
        for _ in range(_MAX_CHUNKS):
            self._file.seek(position)
            name, chunk_bytes = self._unpack("4sI")
            position += 8
            if name == b"data":
                return self._data(position, chunk_bytes)
            if name == b"fmt ":
                self._read_format(chunk_bytes)
            elif name == b"ds64":
                _, self._long_data_bytes = self._unpack("QQ")
            position += chunk_bytes + chunk_bytes % 2
        raise self._corrupt(f"no sound within its first {_MAX_CHUNKS} chunks")

    def _unpack(self, layout: str) -> tuple[Any, ...]:
        layout = self._order + layout
        data = self._file.read(struct.calcsize(layout))
        if len(data) < struct.calcsize(layout):
            raise self._corrupt("it ends within its header")
        return struct.unpack(layout, data)

    def _read_format(self, chunk_bytes: int) -> None:
        if chunk_bytes < 16:
            raise self._corrupt(f"its format chunk has {chunk_bytes} bytes instead of 16 or more")
        tag, channels, rate_hz, _, self._frame_bytes, bits = self._unpack("HHIIHH")
        if tag == _EXTENSIBLE and chunk_bytes >= 40:
            _, _, _, tag = self._unpack("HHIH")
        if not 1 <= channels <= _MAX_CHANNELS:
            raise self._corrupt(f"its header declares {channels} channels instead of 1 to {_MAX_CHANNELS}")
        # The container's width counts: 20 bits in 3 bytes are the upper 20.
        subtype = _SUBTYPES.get((tag, self._frame_bytes // channels))
        if subtype is None or self._frame_bytes % channels:
            raise RecordingError(
                f"{self._path} holds samples of format {tag} with {bits} bits; "
                "8 to 32 bit integers and 32 or 64 bit floats can be read."
            )
        self._pcm = PcmFormat(rate_hz, channels, subtype, "BIG" if self._order == ">" else "LITTLE")

    def _data(self, start: int, chunk_bytes: int) -> SoundLayout:
        if self._pcm is None:
            raise self._corrupt("its sound comes before its format")
        available = max(0, self._size - start)
        declared = self._declared_bytes(start, chunk_bytes)
        stop = start + (available if declared is None else min(declared, available))
        return SoundLayout(
            start=start,
            stop=stop - (stop - start) % self._frame_bytes,
            step=max(1, SAMPLES_AT_ONCE // self._pcm.channels),
            declared_frames=None if declared is None else declared // self._frame_bytes,
            pcm=self._pcm,
        )

    def _declared_bytes(self, start: int, chunk_bytes: int) -> int | None:
        """Bytes of sound that the header declares; None if its writer could not know.

        A recorder that was killed, or wrote into a pipe, leaves a size of 0: that counts as
        unknown unless the RIFF size, too, says that what follows is not sound.
        """
        if chunk_bytes == 0xFFFFFFFF and self._long_data_bytes is not None:
            return None if self._long_data_bytes in (0, 2**64 - 1) else self._long_data_bytes
        if any(chunk_bytes in sizes for sizes in _UNKNOWN_SIZES):
            return None
        if chunk_bytes == 0:
            riff_end = self._riff_bytes + 8
            open_ended = riff_end <= start or any(self._riff_bytes in sizes for sizes in _UNKNOWN_SIZES)
            return None if open_ended else 0
        return chunk_bytes

    def _corrupt(self, why: str) -> RecordingError:
        return RecordingError(f"{self._path} is a corrupt WAV file ({why}); copy or export it again.")


def _flac_layout(file: BinaryIO, path: str, size: int) -> SoundLayout:
    """Read STREAMINFO: one read of the decoder is one FLAC block, so that a damaged one is dropped whole."""
    block_type_and_length = file.read(4)
    info = file.read(34)
    if len(info) < 34 or block_type_and_length[0] & 0x7F:
        raise RecordingError(f"{path} is a corrupt FLAC file (no STREAMINFO); copy or export it again.")
    max_block_frames = int.from_bytes(info[2:4], "big")
    return SoundLayout(start=0, stop=size, step=max(16, max_block_frames))


def _ogg_layout(file: BinaryIO) -> SoundLayout:
    """Check every page; the decoder reads only those before the first damaged one."""
    file.seek(0)
    good_bytes, damage = _walk_pages(file)
    return SoundLayout(start=0, stop=good_bytes, step=SAMPLES_AT_ONCE // 8, damage=damage)


def _walk_pages(file: BinaryIO) -> tuple[int, str | None]:
    """Bytes of all pages before the first damage, and what that is; None if nothing is damaged."""
    next_numbers: dict[int, int] = {}  # per logical stream that has begun and not ended
    good_bytes = 0
    count = 0
    while header := file.read(27):
        if not header.startswith(b"OggS"):
            # After the last page other programs append tags: not a part of the stream.
            return good_bytes, f"page {count} is overwritten" if next_numbers else None
        page = _whole_page(file, header)
        if page is None:
            return good_bytes, f"it ends within page {count}"
        flags, _, serial, number, checksum = struct.unpack_from("<BqIII", page, 5)
        if checksum != _ogg_checksum(page):
            return good_bytes, f"page {count} fails its checksum"
        if not flags & _FIRST_PAGE and next_numbers.get(serial) != number:
            return good_bytes, f"a page is missing before page {count}"
        next_numbers[serial] = number + 1
        if flags & _LAST_PAGE:
            del next_numbers[serial]
        good_bytes += len(page)
        count += 1
    return good_bytes, "its last page is missing" if next_numbers else None


def _whole_page(file: BinaryIO, header: bytes) -> bytes | None:
    """The page that begins with this header; None if the file ends within it."""
    if len(header) < 27:
        return None
    lacing = file.read(header[26])
    body = file.read(sum(lacing))
    page = header + lacing + body
    return page if len(lacing) == header[26] and len(body) == sum(lacing) else None


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 of RFC 3533, with the checksum's own field as zero.

    Polynomial 0x04c11db7, start 0, not reflected: zlib's checksum of the bytes with mirrored bits,
    mirrored, without zlib's inversion at both ends.
    """
    without_checksum = page[:22] + bytes(4) + page[26:]
    mirrored = zlib.crc32(without_checksum.translate(_MIRROR), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
