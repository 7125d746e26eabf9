"""One link of an open file as the file that a decoder reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from device.sources.decoding.spare_files import SPARE_FILES

if TYPE_CHECKING:
    import io
    from collections.abc import Mapping
    from typing import BinaryIO

    from device.sources.containers.sound_layout import StreamLink

MOST_COPIED_BYTES = 32 << 20
"""A longer section that is no whole file is copied to a file without a name."""

_COPIED_AT_ONCE = 1 << 16


class FileSection:
    """The part of an open file that the decoder may read.

    Libsndfile reads a descriptor, for soundfile's callbacks need memory that is written and executed, which a service
    may not have (MemoryDenyWriteExecute).

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
        self._spare: io.FileIO | None = None
        self.error: OSError | None = None

    def open_descriptor(self) -> int:
        """A descriptor of a file that holds this section and no more, for one reader, who closes it.

        That is the file itself if the section is all of it, and otherwise a copy: in memory, or on the disk if it is
        large. `close` restores the position of the file itself, and gives up the copy.

        Raises:
            OSError: it cannot be copied.
        """
        try:
            descriptor = self._file.fileno()
            size = os.fstat(descriptor).st_size
        except OSError:
            return self._copy()
        if self._start or self.length < size or self._patches:
            return self._copy()
        self._kernel = descriptor, os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.dup(descriptor)

    def _copy(self) -> int:
        if self.length > MOST_COPIED_BYTES:
            self._spare = SPARE_FILES.take()
            copy = os.dup(self._spare.fileno())
        else:
            copy = os.memfd_create("section")
        try:
            self.seek(0)
            while data := self.read(_COPIED_AT_ONCE):
                _write_all(copy, data)
            os.lseek(copy, 0, os.SEEK_SET)
        except BaseException:
            os.close(copy)
            self.close()
            raise
        return copy

    def check_disk(self) -> None:
        """Set `error` if what ended a reader of the descriptor was the disk."""
        if self._kernel is not None:
            try:
                os.pread(self._kernel[0], _COPIED_AT_ONCE, os.lseek(self._kernel[0], 0, os.SEEK_CUR))
            except OSError as exc:
                self.error = exc

    def close(self) -> None:
        """Put the file back to where it stood, and give up a copy of it; a second call does nothing."""
        if self._spare is not None:
            SPARE_FILES.give_back(self._spare)
            self._spare = None
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


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
