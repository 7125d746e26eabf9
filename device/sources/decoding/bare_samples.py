"""Decodes bare samples with numpy alone, to the same bits as libsndfile gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.sources.containers.sound_layout import PcmFormat
    from device.sources.decoding.section import FileSection


def _mu_law() -> npt.NDArray[np.float32]:
    """(256,) values of a code: ITU-T G.711, mu-law, 14 bits in the upper part of 16."""
    code = ~np.arange(256, dtype=np.uint8)
    step = ((code & 0x0F).astype(np.int32) << 3) + 0x84
    value = (step << ((code & 0x70) >> 4)) - 0x84
    return (np.where(code & 0x80, -value, value) * 2.0**-15).astype(np.float32)


def _a_law() -> npt.NDArray[np.float32]:
    """(256,) values of a code: ITU-T G.711, A-law, 13 bits in the upper part of 16."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    segment, step = (code & 0x70) >> 4, (code & 0x0F).astype(np.int32) << 4
    value = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment.astype(np.int32) - 1, 0))
    return (np.where(code & 0x80, value, -value) * 2.0**-15).astype(np.float32)


_TABLES = {"ULAW": _mu_law(), "ALAW": _a_law()}
"""Libsndfile's name -> the value of each code of a byte."""

_FORMS = {
    "PCM_U8": ("u1", 2.0**-7),
    "PCM_16": ("i2", 2.0**-15),
    "PCM_24": ("i4", 2.0**-31),  # three bytes, with a fourth of zero below them
    "PCM_32": ("i4", 2.0**-31),
    "FLOAT": ("f4", 1.0),
    "DOUBLE": ("f8", 1.0),
    "ULAW": ("u1", 1.0),
    "ALAW": ("u1", 1.0),
}
"""Libsndfile's name -> numpy's type, and what a step of it is worth."""


class BareSamples:
    """Samples that follow each other without a code.

    Args:
        section: the samples; what is no whole frame at its end is left out.
        step: frames of one read at most.
        pcm: their form, which `reads` says can be read here.
    """

    def __init__(self, section: FileSection, step: int, pcm: PcmFormat) -> None:
        self._section = section
        self._step = step
        name, self._scale = _FORMS[pcm.subtype]
        self._type = np.dtype(name).newbyteorder(">" if pcm.endian == "BIG" else "<")
        self._table = _TABLES.get(pcm.subtype)
        self._is_packed = pcm.subtype == "PCM_24"
        self._is_big = pcm.endian == "BIG"
        self._frame_bytes = pcm.channels * (3 if self._is_packed else self._type.itemsize)
        self.sample_rate_hz = pcm.samplerate
        self.channels = pcm.channels
        self.frames: int | None = section.length // self._frame_bytes

    @staticmethod
    def reads(pcm: PcmFormat) -> bool:
        """Whether samples of that form can be read here."""
        return pcm.subtype in _FORMS

    def read(self, most: int) -> npt.NDArray[Any]:
        """See `SoundDecoder.read`."""
        data = self._section.read(min(most, self._step) * self._frame_bytes)
        data = data[: len(data) - len(data) % self._frame_bytes]
        values = np.frombuffer(_widened(data, big=self._is_big) if self._is_packed else data, self._type)
        samples: npt.NDArray[Any]
        if self._table is not None:
            samples = self._table[values]
        elif self._type.kind == "f":
            samples = values.astype(self._type.newbyteorder("="))
        else:
            offset = np.float32(128.0 if self._type.kind == "u" else 0.0)
            samples = (values.astype(np.float32) - offset) * np.float32(self._scale)
        return samples.reshape(-1, self.channels)

    def close(self) -> None:
        """See `SoundDecoder.close`; the file is its owner's."""


def _widened(data: bytes, *, big: bool) -> bytes:
    """Samples of three bytes as samples of four, the lowest byte 0."""
    packed = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide = np.zeros((len(packed), 4), np.uint8)
    wide[:, slice(0, 3) if big else slice(1, 4)] = packed
    return wide.tobytes()
