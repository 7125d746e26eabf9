"""Bare samples: their format as a user or the header of a WAV states it, and as numbers."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError, MicrophoneError

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

RATES_HZ = range(8000, 192001)
CHANNELS = range(1, 65)
HINT = "as in --raw s16le,16000 or --raw f32le,48000,2"

_BYTES = {"u8": 1, "s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4, "f64le": 8}
# What arecord calls them; its S24_LE are 4 bytes, its S24_3LE are 3.
_OTHER_NAMES = {"s24_3le": "s24le", "float_le": "f32le", "float64_le": "f64le", "s16_le": "s16le", "s32_le": "s32le"}
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_WAV_NAMES = {(_PCM, 8): "u8", (_PCM, 16): "s16le", (_PCM, 24): "s24le", (_PCM, 32): "s32le"}
_WAV_NAMES |= {(_FLOAT, 32): "f32le", (_FLOAT, 64): "f64le"}
_MOST_HEADER_BYTES = 1 << 20
_ENDLESS_FROM = 0x7FFF0000  # arecord, sox and ffmpeg write such a size where they cannot know it


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """How bare samples are to be read.

    Attributes:
        name: FFmpeg's, such as `s16le`.
        rate_hz: samples a second, of each channel.
        channels: interleaved.
    """

    name: str
    rate_hz: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return _BYTES[self.name] * self.channels

    def decode(self, data: bytes) -> Float32:
        """A whole number of frames -> float32 (n, channels) in [-1, 1]; what is no number becomes 0."""
        if self.name == "u8":
            samples = (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0
        elif self.name == "s24le":
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
            samples = padded.view("<i4")[:, 0] / np.float32(2.0**31)
        elif self.name.startswith("s"):
            samples = np.frombuffer(data, f"<i{_BYTES[self.name]}") / np.float32(2.0 ** (8 * _BYTES[self.name] - 1))
        else:
            finite = np.nan_to_num(np.frombuffer(data, f"<f{_BYTES[self.name]}"), posinf=1.0, neginf=-1.0)
            samples = np.clip(finite, -1.0, 1.0)
        return samples.astype(np.float32).reshape(-1, self.channels)


def parse_raw(text: str) -> SampleFormat:
    """A format as the command line states it: `s16le,16000` or `S16_LE,16000,2`.

    Raises:
        ConfigError: it is none.
    """
    found = re.fullmatch(r"(\w+),([0-9]{1,6})(?:,([0-9]{1,2}))?", text.strip())
    name = found[1].lower() if found else ""
    name = _OTHER_NAMES.get(name, name)
    if found is None or name not in _BYTES or int(found[2]) not in RATES_HZ or int(found[3] or 1) not in CHANNELS:
        names = ", ".join(_BYTES)
        raise ConfigError(f"--raw {text} is no format of samples: FORMAT,RATE[,CHANNELS] of {names}, {HINT}")
    return SampleFormat(name, int(found[2]), int(found[3] or 1))


def wav_header() -> Generator[int, bytes, tuple[SampleFormat, int | None]]:
    """Parse the header of a WAV up to its samples: yields how many bytes it wants next, and is sent them.

    Returns:
        The format of the samples, and their bytes; None if the header does not know their number.

    Raises:
        MicrophoneError: it is no WAV, or one of samples that are not heard.
    """
    riff = yield 12
    if riff[:4] not in {b"RIFF", b"RF64"} or riff[8:] != b"WAVE":
        raise MicrophoneError(f"standard input is no WAV; where it is bare samples, say of which kind, {HINT}")
    found, left = None, _MOST_HEADER_BYTES
    while left > 0:
        head = yield 8
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if kind == b"data" and found is not None:
            return found, None if size >= _ENDLESS_FROM or size == 0 else size
        left -= size + 8
        content = (yield size + size % 2) if 0 < size <= left else b""
        if kind == b"fmt ":
            found = _wav_format(content)
    raise MicrophoneError("standard input is a WAV whose header leads to no samples")


def _wav_format(content: bytes) -> SampleFormat:
    if len(content) < 16:
        raise MicrophoneError("standard input is a WAV whose header is cut short")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", content)
    if tag == _EXTENSIBLE and len(content) >= 26:
        tag = int.from_bytes(content[24:26], "little")
    name = _WAV_NAMES.get((tag, bits))
    if name is None or rate_hz not in RATES_HZ or channels not in CHANNELS:
        raise MicrophoneError(
            f"standard input is a WAV of {bits} bits, {channels} channels and {rate_hz} Hz in encoding {tag}; "
            "PCM of 8 to 32 bits or floats, at 8 to 192 kHz, would be heard"
        )
    return SampleFormat(name, rate_hz, channels)
