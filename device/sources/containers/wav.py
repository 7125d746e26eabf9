"""The chunks of a WAV file: RIFF, RIFX, RF64 and BW64.

libsndfile, which decodes, silently shortens a truncated file and silently ignores what a header does not count. So
the header is read here, and its samples are read by what it and the file's true size say together.

Sources: Microsoft's Multimedia Programming Interface 1.0 (RIFF, WAVE), its WAVEFORMATEXTENSIBLE page,
EBU Tech 3306 (RF64), ITU-R BS.2088 (BW64).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.errors import RecordingError
from device.sources.containers.sound_layout import SAMPLES_AT_ONCE, PcmFormat, SoundLayout, StreamLink
from device.sources.containers.wav_codecs import MAX_CHANNELS, WavFormat
from device.sources.containers.wav_end import SoundExtent, SoundSize, sound_size

if TYPE_CHECKING:
    from typing import BinaryIO

MAGICS = (b"RIFF", b"RIFX", b"RF64", b"BW64")

_MAX_CHUNKS = 1000
"""A WAV file with more chunks before its sound is not read; the walk must end even in a file full of zeros."""

_EXTENSIBLE = 0xFFFE


def wav_layout(file: BinaryIO, path: str, size: int) -> SoundLayout:
    """Read the chunks up to the sound.

    Args:
        file: the open file; its position moves.
        path: for messages.
        size: of the file.

    Raises:
        RecordingError: the header makes no sense, or contradicts itself.
    """
    return _WavHeader(file, path, size).layout()


@dataclass(slots=True)
class _Sizes:
    """The sizes that the header declares so far, in bytes."""

    riff: int = 0
    long_data: int | None = None


class _WavHeader:
    """Walks the chunks of a WAV file up to its sound."""

    def __init__(self, file: BinaryIO, path: str, size: int) -> None:
        self._file = file
        self._path = path
        self._size = size
        self._order = "<"
        self._format: WavFormat | None = None
        self._sizes = _Sizes()

    def layout(self) -> SoundLayout:
        """Find the format and data chunks, by the sizes that the header declares."""
        self._file.seek(0)
        self._order = ">" if self._file.read(4) == b"RIFX" else "<"
        self._sizes.riff, form = self._unpack("I4s")
        if form != b"WAVE":
            raise self._unusable("it is a RIFF file but no WAVE")
        position = 12
        for _ in range(_MAX_CHUNKS):
            self._file.seek(position)
            name, chunk_bytes = self._unpack("4sI")
            position += 8
            if name == b"data":
                return self._data(position, chunk_bytes)
            if name == b"fmt ":
                self._read_format(chunk_bytes)
            elif name == b"ds64":
                _, self._sizes.long_data = self._unpack("QQ")
            position += chunk_bytes + chunk_bytes % 2
        raise self._unusable(f"no sound within its first {_MAX_CHUNKS} chunks")

    def _unpack(self, layout: str) -> tuple[Any, ...]:
        layout = self._order + layout
        data = self._file.read(struct.calcsize(layout))
        if len(data) < struct.calcsize(layout):
            raise self._unusable("it ends within its header")
        return struct.unpack(layout, data)

    def _read_format(self, chunk_bytes: int) -> None:
        if chunk_bytes < 16:
            raise self._unusable(f"its format chunk has {chunk_bytes} bytes instead of 16 or more")
        tag, channels, rate_hz, _, block_bytes, bits = self._unpack("HHIIHH")
        if tag == _EXTENSIBLE and chunk_bytes >= 40:
            _, _, _, tag = self._unpack("HHIH")
        if not 1 <= channels <= MAX_CHANNELS:
            raise self._unusable(f"its header declares {channels} channels instead of 1 to {MAX_CHANNELS}")
        self._format = WavFormat(tag, channels, rate_hz, block_bytes, bits)

    def _data(self, start: int, chunk_bytes: int) -> SoundLayout:
        if self._format is None:
            raise self._unusable("its sound comes before its format")
        wav = self._format
        sizes = SoundSize(start, chunk_bytes, self._sizes.long_data, self._sizes.riff)
        sound = sound_size(self._file, self._size, sizes, self._order, wav.shortest_tail_bytes)
        frame = wav.frame_bytes(sound.declared)
        if frame is None:
            raise RecordingError(
                f"{self._path} has a WAV header that contradicts itself: {wav.contradiction}, and its sound of "
                f"{sound.declared} bytes fits neither; export it again."
            )
        subtype = wav.subtype(frame)
        if subtype is None:
            return self._encoded(wav, sound, start)
        stop = sound.stop - (sound.stop - start) % frame
        notes = [note for note in (sound.note, wav.note(frame)) if note]
        return SoundLayout(
            (StreamLink(start, stop),),
            step=max(1, SAMPLES_AT_ONCE // wav.channels),
            kind=wav.kind,
            declared_frames=None if sound.declared is None else sound.declared // frame,
            pcm=PcmFormat(wav.rate_hz, wav.channels, subtype, "BIG" if self._order == ">" else "LITTLE"),
            note=" and ".join(notes) or None,
        )

    def _encoded(self, wav: WavFormat, sound: SoundExtent, start: int) -> SoundLayout:
        """No bare samples: the decoder reads the whole file, with the true size in place of a stale one."""
        declared, present = sound.declared, sound.stop - start
        missing = declared is not None and present < declared
        patches = {}
        if present != declared and present < 2**32:
            patches = {start - 4: struct.pack(self._order + "I", present)}
        return SoundLayout(
            (StreamLink(0, self._size),),
            step=max(1, SAMPLES_AT_ONCE // wav.channels),
            kind=wav.kind,
            for_libsndfile=wav.is_known_to_libsndfile,
            demuxer="wav",
            damage=f"its header declares {declared} bytes of sound, of which {present} are there" if missing else None,
            note=sound.note,
            patches=patches,
        )

    def _unusable(self, why: str) -> RecordingError:
        return RecordingError(f"{self._path} has a WAV header that cannot be used ({why}); copy or export it again.")
