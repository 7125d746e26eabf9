"""One link of an open file as the file that a decoder reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from device.sources.containers.sound_layout import StreamLink


class FileSection:
    """The part of an open file that the decoder may read, as libsndfile's virtual file.

    A read that fails must not raise through the decoder's C code: it ends the file, and `error`
    says why.

    Args:
        file: the open file; its position moves.
        link: the bytes that the decoder sees.
        patches: offset in the file -> bytes that are read in place of those in the file.
    """

    def __init__(self, file: BinaryIO, link: StreamLink, patches: Mapping[int, bytes]) -> None:
        self._file = file
        self._start = link.start
        self._length = link.stop - link.start
        self._patches = {at - link.start: data for at, data in patches.items() if link.start <= at < link.stop}
        self._position = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as a file does; returns the new position."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        """The position, from the section's start."""
        return self._position

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes; fewer only at the end, or where the disk fails."""
        left = max(0, self._length - self._position)
        try:
            self._file.seek(self._start + self._position)
            data = self._file.read(left if count < 0 else min(count, left))
        except OSError as exc:
            self.error = exc
            return b""
        data = self._patched(data)
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there are bytes; returns their number."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _patched(self, data: bytes) -> bytes:
        for at, patch in self._patches.items():
            first = max(at, self._position)
            last = min(at + len(patch), self._position + len(data))
            if first < last:
                begin = first - self._position
                data = data[:begin] + patch[first - at : last - at] + data[begin + last - first :]
        return data
