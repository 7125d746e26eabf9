"""Parses SQLite's pages and write-ahead log from the raw bytes, without SQLite.

SQLite gives up on a damaged database as soon as one pointer is lost, even if nearly all of its rows are still
intact. This reads every record of every page that can be parsed, whether it is valid or not; callers must check
the records themselves. Source of the formats: "Database File Format", sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Value = int | float | str | bytes | None

_LEAF_TABLE, _LEAF_INDEX, _INNER_INDEX = 0x0D, 0x0A, 0x02
_FILE_HEADER_BYTES = 100
_LONGEST_RECORD_BYTES = 1 << 20
_SECTOR_BYTES = 512
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
_WAL_MAGIC = 0x377F0682  # the lowest bit says in which byte order the checksums are computed
_MOST_GENERATIONS = 1 << 16


@dataclass(frozen=True, slots=True)
class Record:
    """One cell of one page.

    Attributes:
        rowid: of a table's row; None for an index entry.
        values: its columns, None where NULL.
    """

    rowid: int | None
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """One page in the write-ahead log.

    Attributes:
        number: of the page.
        commits: it is the last of a transaction.
        salts: 8 bytes that identify the generation of the log; it starts a new one after each checkpoint.
        image: the page.
    """

    number: int
    commits: bool
    salts: bytes
    image: bytes


@dataclass(frozen=True, slots=True)
class WriteAheadLog:
    """A write-ahead log.

    Attributes:
        committed: frames of whole transactions, as SQLite would apply them.
        beyond: later frames of the same generation; they may contain rows, too.
        is_damaged: the later frames are more than a transaction that was cut off.
    """

    committed: tuple[Frame, ...] = ()
    beyond: tuple[Frame, ...] = ()
    is_damaged: bool = False


class Pages:
    """The pages of one database file, some of them replaced by newer images.

    Args:
        read: (offset, size) -> bytes of the file.
        count: pages in the file.
        page_bytes: size of a page.
        newer: page number -> image that replaces the page in the file.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], *, count: int, page_bytes: int, newer: dict[int, bytes]
    ) -> None:
        self._read = read
        self._page_bytes = page_bytes
        self._newer = newer
        self._count = count

    def __repr__(self) -> str:
        return f"Pages({self._count} of {self._page_bytes} bytes, {len(self._newer)} newer)"

    def page(self, number: int) -> bytes:
        """Bytes of a page, counted from 1; zeros after the end of the file, empty if the page is missing."""
        if number in self._newer:
            return self._newer[number]
        if not 0 < number <= self._count:
            return b""
        return self._read((number - 1) * self._page_bytes, self._page_bytes).ljust(self._page_bytes, b"\0")

    def records(self) -> Iterator[Record]:
        """Every record that can be parsed, of tables and indexes, but not of free pages."""
        free = self._free_pages()
        for number in sorted({*range(1, self._count + 1), *self._newer} - free):
            yield from self._records_of(number)

    def newer_records(self) -> Iterator[Record]:
        """The same, but only of pages that newer images replace."""
        for number in sorted(self._newer):
            yield from self._records_of(number)

    def _free_pages(self) -> set[int]:
        """Numbers of free pages, as far as the chain that lists them is intact."""
        free: set[int] = set()
        first = self.page(1)
        trunk = struct.unpack_from(">I", first, 32)[0] if first else 0
        while trunk and trunk not in free and (page := self.page(trunk)):
            free.add(trunk)
            trunk, leaves = struct.unpack_from(">II", page)
            free.update(struct.unpack_from(f">{min(leaves, len(page) // 4 - 2)}I", page, 8))
        return free

    def _records_of(self, number: int) -> Iterator[Record]:
        page, start = self.page(number), _FILE_HEADER_BYTES if number == 1 else 0
        if len(page) <= start + 12 or page[start] not in {_LEAF_TABLE, _LEAF_INDEX, _INNER_INDEX}:
            return
        kind, cells = page[start], struct.unpack_from(">H", page, start + 3)[0]
        pointers = start + (12 if kind == _INNER_INDEX else 8)
        for index in range(min(cells, (len(page) - pointers) // 2)):
            offset = struct.unpack_from(">H", page, pointers + 2 * index)[0]
            record = self._record(page, offset, kind)
            if record is not None:
                yield record

    def _record(self, page: bytes, offset: int, kind: int) -> Record | None:
        """One cell; None if it cannot be parsed."""
        try:
            offset += 4 if kind == _INNER_INDEX else 0
            size, offset = _varint(page, offset)
            rowid: int | None = None
            if kind == _LEAF_TABLE:
                rowid, offset = _varint(page, offset)
            return Record(rowid, _values(self._payload(page, offset, size, kind)))
        except (IndexError, ValueError, struct.error):
            return None

    def _payload(self, page: bytes, offset: int, size: int, kind: int) -> bytes:
        """The bytes of a record in its page and, for a long one, in the overflow pages chained to it."""
        if size > _LONGEST_RECORD_BYTES:
            raise ValueError(size)
        local = self._local_bytes(size, kind)
        payload = bytearray(page[offset : offset + local])
        if local < size:
            following = struct.unpack_from(">I", page, offset + local)[0]
            while len(payload) < size:
                overflow = self.page(following)
                following = struct.unpack_from(">I", overflow)[0]
                payload += overflow[4 : 4 + size - len(payload)]
        if len(payload) != size:
            raise ValueError(size)
        return bytes(payload)

    def _local_bytes(self, size: int, kind: int) -> int:
        """How many bytes of a record are in its own page; section 1.6 of the format, without reserved space."""
        usable = self._page_bytes
        most = usable - 35 if kind == _LEAF_TABLE else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return size
        least = (usable - 12) * 32 // 255 - 23
        wanted = least + (size - least) % (usable - 4)
        return wanted if wanted <= most else least


@contextmanager
def raw_file(path: Path) -> Iterator[tuple[Callable[[int, int], bytes], int]]:
    """A file as (offset, size) -> bytes, and its size; unreadable sectors read as zeros.

    It is not mapped into memory, because an unreadable sector in a mapping would kill the process.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield lambda _offset, _size: b"", 0
        return
    try:
        yield lambda offset, size: _read(descriptor, offset, size), os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _read(descriptor: int, offset: int, size: int) -> bytes:
    try:
        return os.pread(descriptor, size, offset)
    except OSError:
        if size <= _SECTOR_BYTES:
            return bytes(size)
    half = size // 2
    return _read(descriptor, offset, half) + _read(descriptor, offset + half, size - half)


def parse_wal(data: bytes, page_bytes: int) -> WriteAheadLog:
    """Parse a write-ahead log: what SQLite would apply, the frames after that, and whether the log is damaged.

    SQLite silently stops at the first frame whose checksum fails. That is right after a power cut, when that frame
    was never committed, but wrong if a committed frame has been corrupted since.
    """
    if not data:
        return WriteAheadLog()
    size = FRAME_HEADER_BYTES + page_bytes
    offsets = range(WAL_HEADER_BYTES, len(data) - size + 1, size)
    frames = [_frame(data, offset, page_bytes) for offset in offsets]
    sums = _header_sums(data, page_bytes)
    if sums is None:
        return WriteAheadLog(beyond=tuple(frames), is_damaged=any(data))
    order, salts = "<" if not data[3] & 1 else ">", data[16:24]
    committed = valid = 0
    for frame, offset in zip(frames, offsets, strict=True):
        sums = _summed(data[offset : offset + 8], sums, order)
        sums = _summed(frame.image, sums, order)
        if frame.salts != salts or struct.unpack_from(">II", data, offset + 16) != sums:
            break
        valid += 1
        committed = valid if frame.commits else committed
    rest = frames[valid:]
    beyond = [*frames[committed:valid], *(frame for frame in rest if not _is_left_over(frame.salts, salts))]
    return WriteAheadLog(tuple(frames[:committed]), tuple(beyond), _is_damage(rest, salts))


def _frame(data: bytes, offset: int, page_bytes: int) -> Frame:
    number, pages = struct.unpack_from(">II", data, offset)
    start = offset + FRAME_HEADER_BYTES
    return Frame(number, pages > 0, data[offset + 8 : offset + 16], data[start : start + page_bytes])


def _is_damage(rest: list[Frame], salts: bytes) -> bool:
    """Whether the frames after the last valid one are more than the beginning of a transaction.

    A killed process leaves at most one frame half written, and no frame of the same generation after it; the frame
    still belongs to an earlier generation, or is no commit. An invalid commit may be corruption: it counts as damage.
    """
    if not rest:
        return False
    if any(frame.salts == salts for frame in rest[1:]):
        return True
    torn = rest[0].salts == salts and not rest[0].commits
    return not (torn or _is_left_over(rest[0].salts, salts))


def _header_sums(data: bytes, page_bytes: int) -> tuple[int, int] | None:
    """The checksums that the first frame continues from; None if the header is invalid or of another page size."""
    if len(data) < WAL_HEADER_BYTES:
        return None
    magic, _version, size = struct.unpack_from(">III", data)
    if magic & ~1 != _WAL_MAGIC or size != page_bytes:
        return None
    sums = _summed(data[:24], (0, 0), "<" if not magic & 1 else ">")
    return sums if sums == struct.unpack_from(">II", data, 24) else None


def _summed(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    """SQLite's running checksum over pairs of words, section 4.2 of the format."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _is_left_over(salts: bytes, now: bytes) -> bool:
    """Whether a frame is of an earlier generation: each adds 1 to the first salt and draws the second at random."""
    before, current = struct.unpack(">II", salts), struct.unpack(">II", now)
    return bool(0 < (current[0] - before[0]) % (1 << 32) <= _MOST_GENERATIONS and before[1] != current[1])


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    """A big-endian integer of 1 to 9 bytes, and where it ends."""
    value = 0
    for index in range(8):
        byte = data[offset + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + index + 1
    value = value << 8 | data[offset + 8]
    return value - (1 << 64) if value >> 63 else value, offset + 9


def _values(payload: bytes) -> tuple[Value, ...]:
    """The columns of a record.

    Raises:
        ValueError: the record is invalid; IndexError and struct.error likewise.
    """
    end, offset = _varint(payload, 0)
    body = end
    values: list[Value] = []
    while offset < end:
        kind, offset = _varint(payload, offset)
        value, body = _value(payload, body, kind)
        values.append(value)
    if body != len(payload):
        raise ValueError(body)
    return tuple(values)


def _value(payload: bytes, offset: int, kind: int) -> tuple[Value, int]:
    if kind in _INTEGER_BYTES:
        end = offset + _INTEGER_BYTES[kind]
        return int.from_bytes(payload[offset:end], "big", signed=True), end
    if kind == 7:
        return struct.unpack_from(">d", payload, offset)[0], offset + 8
    if kind in {0, 8, 9}:
        return {0: None, 8: 0, 9: 1}[kind], offset
    if kind < 12:
        raise ValueError(kind)
    end = offset + (kind - 12) // 2
    if end > len(payload):
        raise ValueError(end)
    return (payload[offset:end].decode() if kind & 1 else payload[offset:end]), end
