"""What the capture process sends over its pipe: numbered frames, and what it says of itself.

Each record is a header (`HEADER`) and as many bytes as that says. The process imports this, so it uses no dataclasses
and no numpy.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_S = 0.05
"""Duration of one frame."""

HEADER = struct.Struct("<4sBBxxIIq")
"""Magic, kind, flags, number, payload bytes, CLOCK_MONOTONIC in ns at the end of the read."""

MAGIC = b"aur1"
MAX_PAYLOAD = 4 << 20  # 50 ms at 192 kHz of 64 channels are 2.4 MB

FRAME = 1
"""Interleaved little-endian float32 samples of all channels that are open."""

OPENED = 2
"""JSON: name, sample_rate_hz, channels. Sent once, before the first frame."""

ERROR = 3
"""UTF-8: one sentence. The process ends after it."""

LISTED = 4
"""JSON: the fields of each `ListedDevice`."""

OVERFLOWED = 1
"""Flag of a frame: samples are missing before it."""

_NUMBERS = 1 << 32


class CaptureRecord(NamedTuple):
    """One message of the child.

    Attributes:
        kind: FRAME, OPENED, ERROR or LISTED.
        payload: see the kind.
        flags: OVERFLOWED or 0.
        number: of a frame, from 0, modulo 2**32; a missing one is missing sound.
        at_ns: CLOCK_MONOTONIC when the frame had been read.
    """

    kind: int
    payload: bytes
    flags: int = 0
    number: int = 0
    at_ns: int = 0


class CaptureProtocolError(ValueError):
    """The child sent something that is not a valid record, or not the one that is due."""


def encode(record: CaptureRecord) -> bytes:
    """A record -> its bytes on the pipe."""
    number = record.number % _NUMBERS
    head = HEADER.pack(MAGIC, record.kind, record.flags, number, len(record.payload), record.at_ns)
    return head + record.payload


class Decoder:
    """Bytes of any size in, whole records out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __repr__(self) -> str:
        return f"Decoder({len(self._buffer)} bytes buffered)"

    def push(self, data: bytes) -> Iterator[CaptureRecord]:
        """Bytes -> the records that are complete now, oldest first.

        Raises:
            CaptureProtocolError: the bytes are not records; nothing that follows can be read.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            magic, kind, flags, number, size, at_ns = HEADER.unpack_from(self._buffer)
            if magic != MAGIC or not FRAME <= kind <= LISTED or size > MAX_PAYLOAD:
                raise CaptureProtocolError(f"a header of {bytes(self._buffer[: HEADER.size])!r}")
            end = HEADER.size + size
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield CaptureRecord(kind, payload, flags, number, at_ns)
