"""Finds byte patterns in an open file, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

_CHUNK_BYTES = 1 << 20


def find_all(file: BinaryIO, patterns: Sequence[bytes], start: int) -> Iterator[int]:
    """Yield the offsets from `start` on at which one of the patterns, all of one length, is found, in order.

    The file may be moved between two of them.
    """
    overlap, at, kept = len(patterns[0]) - 1, start, b""
    while True:
        file.seek(at)
        fresh = file.read(_CHUNK_BYTES)
        if not fresh:
            return
        data, base = kept + fresh, at - len(kept)
        yield from sorted(base + found for pattern in patterns for found in _positions(data, pattern))
        kept, at = data[-overlap:] if overlap else b"", at + len(fresh)


def _positions(data: bytes, pattern: bytes) -> Iterator[int]:
    found = data.find(pattern)
    while found >= 0:
        yield found
        found = data.find(pattern, found + 1)
