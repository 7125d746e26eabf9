"""The pages of an Ogg file: each with its checksum, in the order of their numbers, and where its streams begin.

Players and radio streams write one stream behind the other into one file (a chained stream); each link has its own
header, and perhaps another rate. Source: RFC 3533.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import TYPE_CHECKING

from device.sources.containers.sound_layout import FRAMES_AT_ONCE, SoundLayout, StreamLink
from device.sources.containers.tags import is_tag

if TYPE_CHECKING:
    from typing import BinaryIO

MAGIC = b"OggS"
_HEADER_BYTES = 27
_FIRST_PAGE, _LAST_PAGE = 2, 4
_WITHOUT_AN_END = (
    "its last page is not flagged as the last (a recorder that was killed leaves that, and so does a cut between two "
    "pages): it is heard to its end"
)
_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CODECS = {
    b"\x01vorbis": "Vorbis",
    b"OpusHead": "Opus",
    b"\x7fFLAC": "FLAC",
    b"Speex   ": "Speex",
    b"\x80theora": "Theora video",
}


def ogg_layout(file: BinaryIO) -> SoundLayout:
    """Check every page; the decoder reads only those before the first damaged one."""
    file.seek(0)
    pages = _Pages(file)
    damage = pages.walk()
    codec = pages.codec or "an unknown codec"
    return SoundLayout(
        pages.links(),
        kind=f"{codec} in an Ogg file",
        step=FRAMES_AT_ONCE,
        # libsndfile is built without FLAC in Ogg, and knows Vorbis and Opus alone of the others.
        for_libsndfile=codec in ("Vorbis", "Opus"),
        demuxer="ogg",
        counted=codec in ("Vorbis", "Opus"),
        damage=damage,
        note=_WITHOUT_AN_END if pages.lack_an_end and damage is None else None,
        patches=pages.patches,
    )


class _Pages:
    """Walks the pages of a file up to the first damage."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._next_numbers: dict[int, int] = {}  # per logical stream that has begun and not ended
        self._starts: list[int] = []  # of links
        self._in_headers = False  # a link's first pages, one for each of its logical streams, come together
        self._good_bytes = 0
        self._last_page = b""
        self.codec: str | None = None
        self.patches: dict[int, bytes] = {}

    @property
    def lack_an_end(self) -> bool:
        """Whether a logical stream has begun whose last page was not seen."""
        return bool(self._next_numbers)

    def links(self) -> tuple[StreamLink, ...]:
        """The links as far as the pages are whole."""
        starts = self._starts or [0]
        return tuple(StreamLink(*pair) for pair in zip(starts, [*starts[1:], self._good_bytes], strict=True))

    def walk(self) -> str | None:
        """Read all pages before the first damage; returns what that is, None if nothing is damaged."""
        damage = self._walk()
        self._end_link()
        return damage

    def _walk(self) -> str | None:
        count = 0
        while header := self._file.read(_HEADER_BYTES):
            if not header.startswith(MAGIC):
                # After the last page other programs append tags: not a part of the stream.
                return f"page {count} is overwritten" if self.lack_an_end and not self._tag_begins(header) else None
            page = _whole_page(self._file, header)
            problem = f"it ends within page {count}" if page is None else self._check(page, count)
            if page is None or problem is not None:
                return problem
            self._good_bytes += len(page)
            self._last_page = page
            count += 1
        return None

    def _tag_begins(self, head: bytes) -> bool:
        return is_tag(head, self._file.seek(0, os.SEEK_END) - self._good_bytes)

    def _check(self, page: bytes, count: int) -> str | None:
        flags, _, serial, number, checksum = struct.unpack_from("<BqIII", page, 5)
        if checksum != _checksum(page):
            return f"page {count} fails its checksum"
        if flags & _FIRST_PAGE:
            self._begin(page)
        elif self._next_numbers.get(serial) != number:
            return f"a page is missing before page {count}"
        self._in_headers = bool(flags & _FIRST_PAGE)
        self._next_numbers[serial] = number + 1
        if flags & _LAST_PAGE:
            del self._next_numbers[serial]
        return None

    def _begin(self, page: bytes) -> None:
        """A logical stream begins: the first of a link, unless another one has just begun."""
        if not self._in_headers:
            self._end_link()
            self._starts.append(self._good_bytes)
            self._next_numbers.clear()  # a link whose end was never written ends where the next one begins
        body = page[_HEADER_BYTES + page[26] :]
        found = next((name for magic, name in _CODECS.items() if body.startswith(magic)), None)
        if self.codec is None or self.codec.endswith("video"):
            self.codec = found or self.codec

    def _end_link(self) -> None:
        """Flag the last page as such if its writer did not: libsndfile refuses an Opus stream without an end."""
        page = bytearray(self._last_page)
        if page and not page[5] & _LAST_PAGE:
            page[5] |= _LAST_PAGE
            page[22:26] = struct.pack("<I", _checksum(bytes(page)))
            self.patches[self._good_bytes - len(page)] = bytes(page[:_HEADER_BYTES])


def _whole_page(file: BinaryIO, header: bytes) -> bytes | None:
    """The page that begins with this header; None if the file ends within it."""
    if len(header) < _HEADER_BYTES:
        return None
    lacing = file.read(header[26])
    body = file.read(sum(lacing))
    page = header + lacing + body
    return page if len(lacing) == header[26] and len(body) == sum(lacing) else None


def _checksum(page: bytes) -> int:
    """CRC-32 of RFC 3533, with the checksum's own field as zero.

    Polynomial 0x04c11db7, start 0, not reflected: zlib's checksum of the bytes with mirrored bits,
    mirrored, without zlib's inversion at both ends.
    """
    without_checksum = page[:22] + bytes(4) + page[26:]
    mirrored = zlib.crc32(without_checksum.translate(_MIRROR), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
