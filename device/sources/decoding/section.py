"""One link of an open file as the file that a decoder reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from device.sources.containers.sound_layout import StreamLink

MOST_COPIED_BYTES = 32 << 20
"""A longer section that is no whole file is read by callbacks."""

_COPIED_AT_ONCE = 1 << 16


class FileSection:
    """The part of an open file that the decoder may read, as libsndfile's virtual file.

    Libsndfile reads a file without callbacks by its descriptor alone; a callback needs memory that is written and
    executed, which a service may not have (MemoryDenyWriteExecute).

    A read that fails must not raise through the decoder's C code: it ends the file, and `error`
    says why.

    Args:
        file: the open file; its position moves.
        link: the bytes that the decoder sees.
        patches: offset in the file -> bytes that are read in place of those in the file.

    Attributes:
        length: bytes that the decoder sees.
        error: why a read failed; None if none did.
    """

    def __init__(self, file: BinaryIO, link: StreamLink, patches: Mapping[int, bytes]) -> None:
        self._file = file
        self._start = link.start
        self.length = link.stop - link.start
        self._patches = {at - link.start: data for at, data in patches.items() if link.start <= at < link.stop}
        self._position = 0
        self._kernel: tuple[int, int] | None = None  # descriptor, and where it stood
        self.error: OSError | None = None

    def open_descriptor(self) -> int | None:
        """A descriptor of a file that holds this section and no more, for one reader, who closes it.

        That is the file itself if the section is all of it, and otherwise a copy in memory; None if that would be too
        large, or the file has no descriptor. `close` restores the position of the file itself.
        """
        try:
            descriptor = self._file.fileno()
            size = os.fstat(descriptor).st_size
        except OSError:
            return None
        if self._start or self.length < size or self._patches:
            return self._copy() if self.length <= MOST_COPIED_BYTES else None
        self._kernel = descriptor, os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.dup(descriptor)

    def _copy(self) -> int:
        with os.fdopen(os.memfd_create("section"), "wb") as memory:
            self.seek(0)
            while data := self.read(_COPIED_AT_ONCE):
                memory.write(data)
            memory.seek(0)
            return os.dup(memory.fileno())

    def check_disk(self) -> None:
        """Set `error` if what ended a reader of the descriptor was the disk."""
        if self._kernel is not None:
            try:
                os.pread(self._kernel[0], _COPIED_AT_ONCE, os.lseek(self._kernel[0], 0, os.SEEK_CUR))
            except OSError as exc:
                self.error = exc

    def close(self) -> None:
        """Put the file back to where it stood; a second call does nothing."""
        if self._kernel is not None:
            descriptor, position = self._kernel
            self._kernel = None
            os.lseek(descriptor, position, os.SEEK_SET)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move as a file does; returns the new position."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.length}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        """The position, from the section's start."""
        return self._position

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes; fewer only at the end, or where the disk fails."""
        left = max(0, self.length - self._position)
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
