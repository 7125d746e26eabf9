"""What the format chunk of a WAV file says: the codec, and how wide a sample is where the header contradicts itself.

Sources: Microsoft's mmreg.h (format tags), its WAVEFORMATEX and WAVEFORMATEXTENSIBLE pages.
"""

from __future__ import annotations

from typing import NamedTuple

from device.quantity import quantity

MAX_CHANNELS = 1024
"""libsndfile's own limit."""

_SUBTYPES = {
    (1, 1): "PCM_U8",
    (1, 2): "PCM_16",
    (1, 3): "PCM_24",
    (1, 4): "PCM_32",
    (3, 4): "FLOAT",
    (3, 8): "DOUBLE",
    (6, 1): "ALAW",
    (7, 1): "ULAW",
}
"""(format tag, bytes of one sample in the file) -> libsndfile's name."""

_BARE = {1: "integer samples", 3: "float samples", 6: "A-law samples", 7: "mu-law samples"}

_FOR_LIBSNDFILE = {0x02: "MS ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x38: "NMS ADPCM", 0x40: "G.721 ADPCM"}

_CODECS = _FOR_LIBSNDFILE | {
    0x22: "TrueSpeech",
    0x42: "G.723.1",
    0x45: "G.726 ADPCM",
    0x50: "MPEG layer I or II",
    0x55: "MP3",
    0x64: "G.726 ADPCM",
    0x65: "G.722 ADPCM",
    0xFF: "AAC",
    0x160: "WMA 1",
    0x161: "WMA 2",
    0x162: "WMA Pro",
    0x163: "WMA Lossless",
    0x270: "ATRAC3",
    0x1600: "AAC",
    0x2000: "AC-3",
    0x2001: "DTS",
    0x674F: "Vorbis",
    0x704F: "Opus",
    0xF1AC: "FLAC",
}

_SHORTEST_TAIL_S = 0.01
"""What is shorter behind the declared end of the sound is no sound that anybody could miss."""


class WavFormat(NamedTuple):
    """The fields of a format chunk; the tag is that of the subformat if there is one."""

    tag: int
    channels: int
    rate_hz: int
    block_bytes: int
    bits: int

    @property
    def kind(self) -> str:
        """What the file holds, for messages."""
        if self.tag in _BARE:
            return f"{self.bits}-bit {_BARE[self.tag]} in a WAV file"
        return f"{_CODECS.get(self.tag, f'an unknown codec (format tag 0x{self.tag:04x})')} in a WAV file"

    @property
    def is_known_to_libsndfile(self) -> bool:
        """Whether libsndfile has a decoder for it."""
        return self.tag in _FOR_LIBSNDFILE

    @property
    def contradiction(self) -> str:
        """Both sides of a header whose block alignment does not follow from its other fields."""
        by_bits = self._block_bytes_by_bits
        declared = quantity(self.block_bytes, "byte")
        return f"its frames have {declared} by the block alignment, but {by_bits} by {self._shape}"

    @property
    def shortest_tail_bytes(self) -> int:
        """Bytes behind the declared sound from which on they can be sound that was not counted."""
        return max(1, round(self.rate_hz * _SHORTEST_TAIL_S) * max(1, self._block_bytes_by_bits))

    def frame_bytes(self, data_bytes: int | None) -> int | None:
        """Bytes of one frame (a sample of each channel); None if the header contradicts itself and the data too.

        The sample's width in bits counts where the block alignment contradicts it. Both are right for a width that is
        no multiple of 16 in 4 bytes: 24 bits are often stored in 32, as the upper ones.

        Args:
            data_bytes: of the sound, as declared; None if unknown.
        """
        by_bits = self._block_bytes_by_bits
        if self.tag not in _BARE or self.block_bytes == by_bits or self.subtype(by_bits) is None:
            return max(1, self.block_bytes)
        if self.block_bytes == 4 * self.channels and 16 < self.bits < 32 and self.tag == 1:
            return self.block_bytes
        return by_bits if data_bytes is None or data_bytes % by_bits == 0 else None

    def subtype(self, frame_bytes: int) -> str | None:
        """Libsndfile's name of the bare samples of frames of this size; None if they are none that it knows."""
        return None if frame_bytes % self.channels else _SUBTYPES.get((self.tag, frame_bytes // self.channels))

    def note(self, frame_bytes: int) -> str | None:
        """That the block alignment was overruled; None if it was not."""
        if frame_bytes == self.block_bytes:
            return None
        holds = f"a frame of {self._shape} has {quantity(frame_bytes, 'byte')}"
        return f"its block alignment of {self.block_bytes} is wrong: {holds}"

    @property
    def _block_bytes_by_bits(self) -> int:
        return -(-self.bits // 8) * self.channels

    @property
    def _shape(self) -> str:
        return f"{quantity(self.channels, 'channel')} of {quantity(self.bits, 'bit')}"
