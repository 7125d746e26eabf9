"""The file format of a bundle: a network with a zip archive appended.

TensorFlow Lite metadata has the same layout: runtimes ignore what follows the network, and any zip tool opens the
file. This module writes one strict form and reads only that form: every entry uncompressed, one after the other
without a gap, no comment, no extra field, no zip64, and headers with nothing but name, size and CRC-32. A file that
differs in one bit is refused, so that an archive means the same to every tool, and no entry can be larger than the
file itself. Knows nothing of models. The format is PKWARE's APPNOTE.TXT 6.3.10; section numbers in comments refer
to it.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import BundleError
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ENTRIES = 256
"""More than any bundle needs; a bound on the work that a directory can ask for."""

_LOCAL = struct.Struct("<4s5H3I2H")  # 4.3.7
_CENTRAL = struct.Struct("<4s6H3I5H2I")  # 4.3.12
_END = struct.Struct("<4s4H2IH")  # 4.3.16
_LOCAL_SIGN, _CENTRAL_SIGN, _END_SIGN = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_ZIP64_LOCATOR_SIGN = b"PK\x06\x07"
_ZIP64_EXTRA = b"\x01\x00"
_VERSION = 20  # 4.4.3: what any tool since 1993 can extract
_MADE_BY = 3 << 8 | _VERSION  # 4.4.2: Unix, so that the mode below counts
_EPOCH_DATE = 1 << 5 | 1  # 1980-01-01 00:00, the earliest date a zip can carry
_MODE = (stat.S_IFREG | 0o644) << 16
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # 4.4.4: bits 0, 6 and 13
_DESCRIPTOR = 0x8
_DIRECTORY = 0x10  # the MS-DOS attribute
_MAX_U16, _MAX_U32 = 0xFFFF, 0xFFFFFFFF
_DRIVE = re.compile(r"[A-Za-z]:")
_NAME = re.compile(r"[ -~]{1,128}")


@dataclass(frozen=True, slots=True)
class Archive:
    """A network and what was appended to it, in the archive's order."""

    network: bytes
    entries: dict[str, bytes]


def join_archive(network: bytes, entries: Mapping[str, bytes]) -> bytes:
    """The bytes of one file: equal input gives equal bytes, on any day and machine.

    Raises:
        BundleError: a name or a size that `split_archive` would refuse.
    """
    _refuse_names(list(entries))
    parts, directory, offset = [network], [], len(network)
    for name, data in entries.items():
        entry = _Entry(name, len(data), zlib.crc32(data), offset)
        parts += [entry.local_header(), data]
        directory.append(entry.central_header())
        offset = entry.end
    central = b"".join(directory)
    end = _END.pack(_END_SIGN, 0, 0, len(directory), len(directory), len(central), offset, 0)
    return b"".join([*parts, central, end])


def split_archive(file: bytes) -> Archive:
    """The network and the entries of a file that `join_archive` could have written.

    Raises:
        BundleError: anything else; the sentence says what was found and where.
    """
    start, end, count = _directory_span(file)
    entries = _walk_directory(file, start, end, count)
    _refuse_names([entry.name for entry in entries])
    network = file[: entries[0].offset]
    offset = len(network)
    for entry in entries:
        _check_place(file, entry, offset)
        offset = entry.end
    if offset != start:
        bytes_lie = quantity(start - offset, "byte lies", "bytes lie")
        raise BundleError(f"{bytes_lie} between the last entry and the directory; no gap is allowed")
    archive = Archive(network, {entry.name: file[entry.end - entry.size : entry.end] for entry in entries})
    if join_archive(archive.network, archive.entries) != file:
        raise BundleError("the archive's headers carry more than name, size and checksum; write it with the converter")
    return archive


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    size: int
    crc: int
    offset: int

    @property
    def end(self) -> int:
        return self.offset + _LOCAL.size + len(self.name) + self.size

    def local_header(self) -> bytes:
        fields = (_VERSION, 0, 0, 0, _EPOCH_DATE, self.crc, self.size, self.size, len(self.name), 0)
        return _LOCAL.pack(_LOCAL_SIGN, *fields) + self.name.encode("ascii")

    def central_header(self) -> bytes:
        fields = (_MADE_BY, _VERSION, 0, 0, 0, _EPOCH_DATE, self.crc, self.size, self.size, len(self.name))
        return _CENTRAL.pack(_CENTRAL_SIGN, *fields, 0, 0, 0, 0, _MODE, self.offset) + self.name.encode("ascii")


def _directory_span(file: bytes) -> tuple[int, int, int]:
    """Where the central directory starts and ends, and how many entries it lists."""
    end = len(file) - _END.size
    if end < 0 or file[end : end + 4] != _END_SIGN:
        raise BundleError(_why_no_end(file))
    _, disk, start_disk, count_here, count, size, start, comment = _END.unpack_from(file, end)
    if comment:
        raise BundleError(
            f"the archive ends in a truncated zip comment of {quantity(comment, 'byte')}; none is allowed"
        )
    if count == _MAX_U16 or _MAX_U32 in (size, start) or file[end - 20 :][:4] == _ZIP64_LOCATOR_SIGN:
        raise BundleError("the archive uses zip64, which no bundle needs")
    if disk or start_disk or count_here != count:
        raise BundleError("the archive says it spans several disks; a bundle is one file")
    if not 0 < count <= MAX_ENTRIES:
        raise BundleError(f"the archive lists {count} entries, must be 1 to {MAX_ENTRIES}")
    if start + size != end:
        raise BundleError(f"the archive's directory should end at byte {end}, it is said to end at {start + size}")
    return start, end, count


def _why_no_end(file: bytes) -> str:
    """Why there is no end record where it should be."""
    at = file.rfind(_END_SIGN, max(0, len(file) - _END.size - _MAX_U16))
    if at < 0 or at + _END.size > len(file):
        return "no zip archive is appended (a bare network, or a file cut short); write it with the converter"
    comment = _END.unpack_from(file, at)[-1]
    if at + _END.size + comment == len(file):
        return f"the archive carries a zip comment of {quantity(comment, 'byte')}; none is allowed"
    bytes_follow = quantity(len(file) - at - _END.size, "byte follows", "bytes follow")
    return f"{bytes_follow} the end of the archive; none is allowed"


def _walk_directory(file: bytes, start: int, end: int, count: int) -> list[_Entry]:
    entries, at, listed = [], start, quantity(count, "entry", "entries")
    for ordinal in range(count):
        if at + _CENTRAL.size > end or file[at : at + 4] != _CENTRAL_SIGN:
            raise BundleError(f"the archive's directory lists {listed} but breaks off after {ordinal}")
        entry, at = _central_entry(file, at, end)
        entries.append(entry)
    if at != end:
        bytes_follow = quantity(end - at, "byte follows", "bytes follow")
        raise BundleError(f"{bytes_follow} the last of {listed} in the archive's directory")
    return entries


def _central_entry(file: bytes, at: int, end: int) -> tuple[_Entry, int]:
    """One directory record and where the next one starts."""
    fields = _CENTRAL.unpack_from(file, at)
    _, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size, *_, mode, offset = fields
    at += _CENTRAL.size
    after = at + name_size + extra_size + comment_size
    if after > end:
        raise BundleError("an entry's name, extra field and comment run past the archive's directory")
    name = file[at : at + name_size].decode("latin-1")  # any byte decodes; what is not ASCII is refused with the names
    extra = file[at + name_size :][:extra_size]
    _refuse_features(name, flags=flags, method=method, mode=mode)
    if extra[:2] == _ZIP64_EXTRA or _MAX_U32 in (packed, size, offset):
        raise BundleError(f"entry {name!r} uses zip64, which no bundle needs")
    if comment_size:
        raise BundleError(f"entry {name!r} carries a comment of {quantity(comment_size, 'byte')}; none is allowed")
    if extra_size:
        raise BundleError(f"entry {name!r} carries an extra field of {quantity(extra_size, 'byte')}; none is allowed")
    if packed != size:
        raise BundleError(f"entry {name!r} is declared as {size} bytes but stored as {packed}; they must agree")
    return _Entry(name, size, crc, offset), after


def _refuse_features(name: str, *, flags: int, method: int, mode: int) -> None:
    """Refuse features of zip that a bundle does not use."""
    if flags & _ENCRYPTED:
        raise BundleError(f"entry {name!r} is encrypted; bundles are plain")
    if flags & _DESCRIPTOR:
        raise BundleError(f"entry {name!r} keeps its size in a data descriptor; it must stand in the header")
    if method:
        raise BundleError(f"entry {name!r} is compressed by method {method}; entries must be stored as they are")
    kind = stat.S_IFMT(mode >> 16)
    if kind == stat.S_IFLNK:
        raise BundleError(f"entry {name!r} is a symbolic link; entries must be plain files")
    if kind == stat.S_IFDIR or mode & _DIRECTORY or name.endswith("/"):
        raise BundleError(f"entry {name!r} is a folder; entries must be plain files")
    if kind != stat.S_IFREG:
        raise BundleError(f"entry {name!r} has file type {kind:#o}; entries must be plain files")


def _refuse_names(names: list[str]) -> None:
    """Refuse names that mean different things to different systems, or that lead out of a folder."""
    seen: dict[str, str] = {}
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise BundleError(f"entry name {name[:40]!r} must be 1 to 128 printable ASCII characters")
        if "\\" in name:
            raise BundleError(f"entry {name!r} has a backslash in its name; folders are separated by /")
        if name.startswith("/") or _DRIVE.match(name):
            raise BundleError(f"entry {name!r} has an absolute path; it must be relative")
        if {"", ".", ".."} & set(name.split("/")):
            raise BundleError(f"entry {name!r} has an empty, '.' or '..' part in its path")
        if name.casefold() in seen:
            raise BundleError(f"entries {seen[name.casefold()]!r} and {name!r} have the same name; it must be unique")
        seen[name.casefold()] = name


def _check_place(file: bytes, entry: _Entry, offset: int) -> None:
    """The entry directly follows its predecessor, and its local header agrees with the directory."""
    if entry.offset != offset:
        raise BundleError(f"entry {entry.name!r} starts at byte {entry.offset}, must follow at {offset} without a gap")
    header = entry.local_header()
    if file[offset : offset + len(header)] != header:
        raise BundleError(f"entry {entry.name!r} has a local header that disagrees with the directory")
    data = file[entry.end - entry.size : entry.end]
    if len(data) != entry.size or zlib.crc32(data) != entry.crc:
        raise BundleError(f"entry {entry.name!r} does not match its checksum; the file is damaged")
