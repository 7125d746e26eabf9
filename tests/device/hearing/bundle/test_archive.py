"""One layout is written, and nothing else is read: every other zip that tools accept is refused by name."""

from __future__ import annotations

import io
import stat
import struct
import subprocess
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import BundleError
from device.hearing.bundle.archive import MAX_ENTRIES, join_archive, split_archive
from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

NETWORK = b"\x1c\x00\x00\x00TFL3" + bytes(range(200))
ENTRIES = {"a.json": b"{}", "folder/b.npy": bytes(1000), "c.txt": b""}


@dataclass(frozen=True)
class Raw:
    """One entry with every header field in reach, written by other code than the code under test."""

    name: bytes = b"a.txt"
    data: bytes = b"data"
    flags: int = 0
    method: int = 0
    made_by: int = 3 << 8 | 20
    needs: int = 20
    date: int = 33
    mode: int = (stat.S_IFREG | 0o644) << 16
    extra: bytes = b""
    comment: bytes = b""
    gap: bytes = b""
    central: dict[str, int] = field(default_factory=dict)

    def local(self) -> bytes:
        sizes = (zlib.crc32(self.data), len(self.data), len(self.data))
        head = struct.pack(
            "<4s5H3I2H", b"PK\3\4", self.needs, self.flags, self.method, 0, self.date, *sizes, len(self.name), 0
        )
        return head + self.name + self.data

    def directory(self, offset: int) -> bytes:
        values = {"crc": zlib.crc32(self.data), "packed": len(self.data), "size": len(self.data), "offset": offset}
        values |= {"disk": 0, "internal": 0} | self.central
        return (
            struct.pack(
                "<4s6H3I5H2I", b"PK\1\2", self.made_by, self.needs, self.flags, self.method, 0, self.date,
                values["crc"], values["packed"], values["size"], len(self.name), len(self.extra), len(self.comment),
                values["disk"], values["internal"], self.mode, values["offset"],
            )
            + self.name + self.extra + self.comment
        )  # fmt: skip


def _raw(
    *entries: Raw, comment: bytes = b"", before_directory: bytes = b"", end: dict[int, int] | None = None
) -> bytes:
    body, directory = NETWORK, b""
    for entry in entries:
        body += entry.gap
        directory += entry.directory(len(body))
        body += entry.local()
    body += before_directory
    fields = [0, 0, len(entries), len(entries), len(directory), len(body), len(comment)]
    for index, value in (end or {}).items():
        fields[index] = value
    return body + directory + struct.pack("<4s4H2IH", b"PK\5\6", *fields) + comment


def test_what_is_joined_is_split_again() -> None:
    archive = split_archive(join_archive(NETWORK, ENTRIES))
    assert archive.network == NETWORK
    assert archive.entries == ENTRIES
    assert list(archive.entries) == list(ENTRIES)


def test_the_builder_of_these_tests_writes_the_layout_too() -> None:
    assert _raw(*(Raw(name.encode(), data) for name, data in ENTRIES.items())) == join_archive(NETWORK, ENTRIES)


def test_python_and_unzip_open_it(tmp_path: Path) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(join_archive(NETWORK, ENTRIES))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == ENTRIES
    assert subprocess.run([program("unzip"), "-tq", path], check=False, capture_output=True).returncode == 0


@given(
    st.binary(max_size=50),
    st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True), st.binary(max_size=50), min_size=1),
)
def test_any_content_survives(network: bytes, entries: dict[str, bytes]) -> None:
    archive = split_archive(join_archive(network, entries))
    assert (archive.network, archive.entries) == (network, entries)


ODD = {
    "encrypted": ([Raw(flags=0x1)], "encrypted"),
    "strongly encrypted": ([Raw(flags=0x40)], "encrypted"),
    "masked headers": ([Raw(flags=0x2000)], "encrypted"),
    "data descriptor": ([Raw(flags=0x8)], "data descriptor"),
    "UTF-8 flag": ([Raw(flags=0x800)], "disagrees"),
    "deflated": ([Raw(method=8)], "compressed by method 8"),
    "unknown compression": ([Raw(method=99)], "compressed by method 99"),
    "symbolic link": ([Raw(mode=(stat.S_IFLNK | 0o777) << 16)], "symbolic link"),
    "folder by mode": ([Raw(mode=(stat.S_IFDIR | 0o755) << 16)], "is a folder"),
    "folder by attribute": ([Raw(mode=(stat.S_IFREG | 0o644) << 16 | 0x10)], "is a folder"),
    "folder by name": ([Raw(name=b"a/", data=b"")], "is a folder"),
    "device": ([Raw(mode=(stat.S_IFCHR | 0o644) << 16)], "file type"),
    "another mode": ([Raw(mode=(stat.S_IFREG | 0o777) << 16)], "headers carry more"),
    "another date": ([Raw(date=44)], "disagrees"),
    "made elsewhere": ([Raw(made_by=20)], "headers carry more"),
    "internal attribute": ([Raw(central={"internal": 1})], "headers carry more"),
    "another disk": ([Raw(central={"disk": 1})], "headers carry more"),
    "zip64 size": ([Raw(central={"size": 0xFFFFFFFF})], "zip64"),
    "zip64 extra": ([Raw(extra=b"\1\0\4\0abcd")], "zip64"),
    "extra field": ([Raw(extra=b"\7\7\0\0")], "extra field"),
    "entry comment": ([Raw(comment=b"hello")], "carries a comment"),
    "declared larger": ([Raw(central={"size": 5})], "declared as 5 bytes but stored as 4"),
    "local header disagrees": ([Raw(central={"size": 3, "packed": 3})], "disagrees"),
    "wrong checksum in the directory": ([Raw(central={"crc": 1})], "disagrees"),
    "gap": ([Raw(name=b"a"), Raw(name=b"b", gap=b"?")], "without a gap"),
    "overlap": ([Raw(name=b"a"), Raw(name=b"b", central={"offset": len(NETWORK)})], "without a gap"),
    "duplicate": ([Raw(name=b"a"), Raw(name=b"a")], "same name"),
    "duplicate but for case": ([Raw(name=b"a"), Raw(name=b"A")], "same name"),
    "absolute": ([Raw(name=b"/etc/a")], "absolute"),
    "drive letter": ([Raw(name=b"C:a")], "absolute"),
    "parent": ([Raw(name=b"a/../../b")], "'..'"),
    "dot": ([Raw(name=b"./b")], "'..'"),
    "empty part": ([Raw(name=b"a//b")], "empty"),
    "backslash": ([Raw(name=b"a\\b")], "backslash"),
    "control character": ([Raw(name=b"a\nb")], "printable ASCII"),
    "nul": ([Raw(name=b"a\0b")], "printable ASCII"),
    "not ASCII": ([Raw(name="ä".encode())], "printable ASCII"),
    "no name": ([Raw(name=b"")], "printable ASCII"),
}


@pytest.mark.parametrize(("entries", "sentence"), ODD.values(), ids=ODD.keys())
def test_an_odd_entry_is_refused(entries: list[Raw], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        split_archive(_raw(*entries))


def _join(*parts: bytes) -> bytes:
    return b"".join(parts)


GOOD = _raw(Raw(name=b"a"), Raw(name=b"b"))
FRAMES = {
    "no zip": (NETWORK, "no zip archive"),
    "nothing": (b"", "no zip archive"),
    "archive comment": (_raw(Raw(), comment=b"hello"), "zip comment of 5 bytes"),
    "comment that is missing": (_raw(Raw(), end={6: 9}), "truncated zip comment of 9"),
    "trailing bytes": (GOOD + b"\0", "1 byte follows"),
    "cut short": (GOOD[:-1], "no zip archive|bytes follow"),
    "second archive": (GOOD + GOOD, "must follow|should end"),
    "bytes before the directory": (_raw(Raw(), before_directory=b"??"), "2 bytes lie between"),
    "entries not listed": (_raw(Raw(), before_directory=Raw(name=b"hidden").local()), "lie between"),
    "fewer entries than said": (_raw(Raw(), end={2: 2, 3: 2}), "breaks off after 1"),
    "more entries than said": (_raw(Raw(name=b"a"), Raw(name=b"b"), end={2: 1, 3: 1}), "follow the last of 1"),
    "no entry": (_raw(), "lists 0 entries"),
    "too many entries": (_raw(*(Raw(name=b"%d" % n) for n in range(MAX_ENTRIES + 1))), f"1 to {MAX_ENTRIES}"),
    "several disks": (_raw(Raw(), end={0: 1}), "several disks"),
    "zip64 count": (_raw(Raw(), end={3: 0xFFFF}), "zip64"),
    "zip64 offset": (_raw(Raw(), end={5: 0xFFFFFFFF}), "zip64"),
    "zip64 locator": (_join(GOOD[:-22], b"PK\6\7", bytes(16), GOOD[-22:]), "zip64"),
    "directory elsewhere": (_raw(Raw(), end={5: 4}), "should end"),
    "damaged data": (GOOD.replace(b"data", b"dat?", 1), "does not match its checksum"),
}


@pytest.mark.parametrize(("file", "sentence"), FRAMES.values(), ids=FRAMES.keys())
def test_an_odd_frame_is_refused(file: bytes, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        split_archive(file)


def test_a_bomb_of_overlapping_entries_is_refused_before_it_is_read() -> None:
    """Fifield 2019: many directory records that point at one large body."""
    body = Raw(name=b"a0", data=bytes(100_000))
    rest = [replace(body, name=b"a%d" % n, data=b"", central={"offset": len(NETWORK)}) for n in range(1, 200)]
    with pytest.raises(BundleError, match="without a gap"):
        split_archive(_raw(body, *rest))


def test_what_zipfile_appends_to_an_archive_is_refused() -> None:
    file = io.BytesIO(join_archive(NETWORK, ENTRIES))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("more.txt", b"more")
    with pytest.raises(BundleError):
        split_archive(file.getvalue())


@pytest.mark.parametrize("name", ["../a", "/a", "a\\b", "a//b", "ä", ""])
def test_a_name_that_could_not_be_read_is_not_written(name: str) -> None:
    with pytest.raises(BundleError):
        join_archive(NETWORK, {name: b""})


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_any_changed_byte_outside_the_network_is_refused(at: int, change: int) -> None:
    file = bytearray(GOOD)
    place = len(NETWORK) + at % (len(file) - len(NETWORK))
    file[place] ^= change
    with pytest.raises(BundleError):
        split_archive(bytes(file))
