"""How much sound an AIFF, CAF, W64 or AU file holds: by its header where the file agrees, else by the file.

libsndfile shortens a file that ends early without a word, and hears no more than a header counts. A header counts too
little if its writer was killed before it could correct it. What follows the counted sound then is no chunk.

Sources: Audio Interchange File Format AIFF-C (Apple, 1991), Apple Core Audio Format Specification 1.0, Sony Pictures
Digital Wave 64 specification, the Sun/NeXT header of audio(7).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from device.quantity import quantity
from device.sources.containers.sound_layout import SoundLayout, StreamLink
from device.sources.containers.tags import is_tag

if TYPE_CHECKING:
    from typing import BinaryIO

_MOST_CHUNKS = 1000
_MOST_FILES = 1000
_SHORTEST_TAIL_BYTES = 64
"""Bytes behind the counted sound from which on they can be sound, and no padding."""

_UNKNOWN_SIZES = (range(0x7EFFF000, 0x80000001), range(0xFFFFFF00, 0x100000000))
"""What writers put that cannot know: sox 0x7f000000 and as many bytes as fit below, others 0xffffffff."""

_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_W64_DATA = b"data" + _W64_TAIL


class _Chunks(NamedTuple):
    """How a container's chunks are built.

    Attributes:
        kind: of the file, for messages.
        first: offset of the first chunk.
        header: format of a chunk's name and size.
        sound: name of the chunk that holds the sound.
        lead: bytes of that chunk before its sound.
        counts_header: whether a chunk's size counts its header.
        align: chunks begin at multiples of this many bytes.
        others: how the names of chunks that may follow the sound end.
    """

    kind: str
    first: int
    header: struct.Struct
    sound: bytes
    lead: int
    counts_header: bool
    align: int
    others: tuple[bytes, ...]


_AIFF_TAIL = b"MARK INST MIDI AESD APPL COMT NAME AUTH ANNO COMM PEAK FVER basc trns cate".split(b" ")
_CAF_TAIL = b"pakt free chan info uuid kuki strg mark regn midi inst ovvw peak edct umid".split(b" ")
_GUID_END = b"\xc0\x4f\x8e\xdb\x8a"

_AIFF = _Chunks(
    kind="AIFF",
    first=12,
    header=struct.Struct(">4sI"),
    sound=b"SSND",
    lead=8,
    counts_header=False,
    align=2,
    others=(*_AIFF_TAIL, b"(c) ", b"ID3 "),
)
_CAF = _Chunks(
    kind="CAF",
    first=8,
    header=struct.Struct(">4sq"),
    sound=b"data",
    lead=4,
    counts_header=False,
    align=1,
    others=tuple(_CAF_TAIL),
)
_WAVE64 = _Chunks(
    kind="Wave64",
    first=40,
    header=struct.Struct("<16sq"),
    sound=_W64_DATA,
    lead=0,
    counts_header=True,
    align=8,
    others=(_GUID_END,),
)
_CONTAINERS = {b"FORM": _AIFF, b"caff": _CAF, b"riff": _WAVE64}


class _Counted(NamedTuple):
    """Sound as a header counts it.

    Attributes:
        start: offset of its first byte.
        declared: its bytes; 0 if the header was never corrected, None if the writer said that it could not know.
        size_at: offset of the field that says so.
        size_field: format of the field.
        beside: what the field counts beside the sound.
    """

    start: int
    declared: int | None
    size_at: int
    size_field: str
    beside: int


class _Part(NamedTuple):
    """One whole file of those that were joined: most often the only one.

    Attributes:
        following: offset of the next one; None if it is the last.
        stop: offset of what the decoder must not hear; None if it knows.
        damage: as of a layout.
        note: as of a layout.
        patch: as of a layout.
    """

    following: int | None = None
    stop: int | None = None
    damage: str | None = None
    note: str | None = None
    patch: tuple[int, bytes] | None = None


def sized_layout(file: BinaryIO, magic: bytes, size: int) -> SoundLayout:
    """The layout of a file that begins with `magic`: FORM, caff, riff (in small letters), .snd or any other."""
    container = _CONTAINERS.get(magic)
    others = {b".snd": "AU", b"NIST": "NIST SPHERE", b"Crea": "VOC"}
    kind = container.kind if container is not None else others.get(magic, "sound")
    starts, parts = [0], [_part(file, magic, 0, size)]
    while (following := parts[-1].following) is not None and len(starts) < _MOST_FILES:
        starts.append(following)
        parts.append(_part(file, magic, following, size))
    stops = [part.stop or following for part, following in zip(parts, [*starts[1:], size], strict=True)]
    links = tuple(StreamLink(*pair) for pair in zip(starts, stops, strict=True))
    return SoundLayout(
        links,
        kind=kind,
        demuxer={"AIFF": "aiff", "CAF": "caf", "Wave64": "w64", "AU": "au", "VOC": "voc"}.get(kind),
        damage=parts[-1].damage,
        note=" and ".join(part.note for part in parts if part.note) or None,
        patches=dict(part.patch for part in parts if part.patch is not None),
    )


def _part(file: BinaryIO, magic: bytes, at: int, size: int) -> _Part:
    """What the header at an offset says about the sound behind it, and what the file says."""
    container = _CONTAINERS.get(magic)
    if container is not None:
        counted = _counted_by_chunk(file, container, at, size)
    else:
        counted = _counted_by_au(file, at) if magic == b".snd" else None
    if counted is None or counted.start >= size:
        return _Part()
    available, declared = size - counted.start, counted.declared
    if declared is not None and declared > available:
        stop = counted.start + declared
        length = quantity(stop - at, "byte", "bytes")
        return _Part(damage=f"its header declares {length}, of which {size - at} are there")
    if declared is None:
        return _Part(patch=_patch(counted, available))
    tail = _Tail(file, magic, size)
    following = tail.following(counted.start + declared)
    if following is not None or available - declared < _SHORTEST_TAIL_BYTES or tail.is_no_sound:
        # Of Wave64 libsndfile hears whatever follows the sound.
        return _Part(following, counted.start + declared if magic == b"riff" else None)
    note = None  # of a header that was never corrected there is nothing odd but that
    if declared:
        more = quantity(available - declared, "byte")
        note = f"it holds {more} of sound more than the {declared} that its header declares"
    return _Part(note=note, patch=_patch(counted, available))


def _patch(counted: _Counted, available: int) -> tuple[int, bytes]:
    """The size of the sound as the file says it, in place of that of the header."""
    most = 0xFFFFFFFF if counted.size_field == ">I" else 2**63 - 1
    return counted.size_at, struct.pack(counted.size_field, min(most, counted.beside + available))


def _counted_by_chunk(file: BinaryIO, container: _Chunks, begin: int, size: int) -> _Counted | None:
    """The chunk of sound; None if there is none."""
    at = begin + container.first
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        header = file.read(container.header.size)
        if len(header) < container.header.size:
            return None
        name, count = container.header.unpack(header)
        if name == container.sound:
            return _sound_chunk(container, at, count)
        following = at + count + (0 if container.counts_header else container.header.size)
        following += -(following - begin) % container.align
        if not at + container.header.size <= following < size:
            return None
        at = following
    return None


def _sound_chunk(container: _Chunks, at: int, count: int) -> _Counted:
    beside = container.lead + (container.header.size if container.counts_header else 0)
    is_unknown = count < 0 or (container.kind == "AIFF" and _is_unknown(count))
    declared = None if is_unknown else max(0, count - beside)
    size_bytes = 4 if container.kind == "AIFF" else 8
    size_field = {"AIFF": ">I", "CAF": ">q", "Wave64": "<q"}[container.kind]
    start = at + container.header.size + container.lead
    return _Counted(start, declared, at + container.header.size - size_bytes, size_field, beside)


def _counted_by_au(file: BinaryIO, at: int) -> _Counted | None:
    file.seek(at + 4)
    fields = file.read(8)
    if len(fields) < 8:
        return None
    start, count = struct.unpack(">II", fields)
    return _Counted(at + start, None if _is_unknown(count) else count, at + 8, ">I", 0)


def _is_unknown(count: int) -> bool:
    return any(count in sizes for sizes in _UNKNOWN_SIZES)


class _Tail:
    """What follows the sound of a part.

    Attributes:
        is_no_sound: whether it is chunks or a tag, once `following` was called.
    """

    def __init__(self, file: BinaryIO, magic: bytes, size: int) -> None:
        self._file = file
        self._magic = magic
        self._size = size
        self._container = _CONTAINERS.get(magic)
        self.is_no_sound = False

    def following(self, stop: int) -> int | None:
        """Offset of another file of the same kind, right behind the sound or behind its last chunk; None if none is."""
        align = 1 if self._container is None else self._container.align
        for at in dict.fromkeys((stop, stop + -stop % align)):
            found = self._walk(at)
            if found is not None or self.is_no_sound:
                return found
        return None

    def _walk(self, at: int) -> int | None:
        for count in range(_MOST_CHUNKS):
            self._file.seek(at)
            head = self._file.read(24)
            if head.startswith(self._magic) and self._begins_a_file(head):
                return at
            if len(head) < 8 or is_tag(head, self._size - at):
                self.is_no_sound = True
            length = None if self.is_no_sound else self._chunk_bytes(head)
            if length is None:
                self.is_no_sound |= count > 0
                return None
            at += length
        return None

    def _begins_a_file(self, head: bytes) -> bool:
        if self._magic == b"FORM":
            return head[8:12] in (b"AIFF", b"AIFC")
        if self._magic == b".snd":
            return 24 <= int.from_bytes(head[4:8], "big") < 1 << 16
        return head[4:16] == bytes.fromhex("2e91cf11a5d628db04c10000") or self._magic == b"caff"

    def _chunk_bytes(self, head: bytes) -> int | None:
        """Length of a chunk that begins with these bytes, with its padding; None if none does."""
        chunks = self._container
        if chunks is None or len(head) < chunks.header.size:
            return None
        name, count = chunks.header.unpack(head[: chunks.header.size])
        length = int(count) + (0 if chunks.counts_header else chunks.header.size)
        is_chunk = name.endswith(chunks.others) and length >= chunks.header.size
        return length + -length % chunks.align if is_chunk else None
