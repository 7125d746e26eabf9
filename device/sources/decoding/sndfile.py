"""Decodes with libsndfile: WAV, FLAC, Ogg Vorbis and Opus, MP3, AIFF, CAF, AU, W64, NIST SPHERE, VOC."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import MissingExtraError
from device.sources.decoding.decoder import DecodingError

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.sources.containers.sound_layout import PcmFormat
    from device.sources.decoding.section import FileSection

_UNKNOWN_FRAMES = 2**62
"""For a FLAC stream without a length libsndfile returns the largest possible number."""


class SndfileDecoder:
    """Libsndfile on a section of a file, by a descriptor: see `FileSection`.

    Args:
        section: what it reads.
        step: frames of one read at most.
        pcm: how to read bare samples; None if libsndfile reads the header itself.

    Raises:
        DecodingError: libsndfile refuses to open it.
        MissingExtraError: soundfile is not installed.
        OSError: the section cannot be copied.
    """

    def __init__(self, section: FileSection, step: int, pcm: PcmFormat | None) -> None:
        soundfile = _soundfile()
        self._section = section
        self._error: type[Exception] = soundfile.SoundFileError
        self._descriptor: int | None = section.open_descriptor()
        try:
            self._file = soundfile.SoundFile(self._descriptor, closefd=False, **_raw_format(pcm))
        except (soundfile.SoundFileError, TypeError) as exc:  # TypeError: a format that it cannot name
            self._close_section()
            raise DecodingError(_reason(exc)) from exc
        except BaseException:
            self._close_section()
            raise
        # soundfile seeks after every read: slow in OGG, and an error in a FLAC stream of unknown length.
        self._file.seekable = lambda: False
        self.sample_rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.frames: int | None = self._file.frames if self._file.frames < _UNKNOWN_FRAMES else None
        double = pcm is not None and pcm.subtype == "DOUBLE"
        self._out = np.empty((step, self.channels), np.float64 if double else np.float32)

    def read(self, most: int) -> npt.NDArray[Any]:
        """See `SoundDecoder.read`."""
        wanted = min(most, len(self._out))
        try:
            frames: npt.NDArray[Any] = self._file.read(wanted, out=self._out[:wanted])
        except self._error as exc:
            # For a FLAC block that fails its checksum the decoder returns zeros: none of them is kept.
            raise DecodingError(_reason(exc)) from exc
        return frames

    def close(self) -> None:
        """See `SoundDecoder.close`."""
        self._file.close()
        self._close_section()

    def _close_section(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._section.close()


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as exc:  # OSError: the package is installed, its libsndfile is not
        raise MissingExtraError(
            "soundfile, which reads recordings, is missing; pip install 'auricle[device]' brings it."
        ) from exc
    return soundfile


def _raw_format(pcm: PcmFormat | None) -> dict[str, Any]:
    if pcm is None:
        return {}
    return {
        "format": "RAW",
        "samplerate": pcm.samplerate,
        "channels": pcm.channels,
        "subtype": pcm.subtype,
        "endian": pcm.endian,
    }


def _reason(exc: Exception) -> str:
    """Libsndfile's error text, without its prefix."""
    text = str(getattr(exc, "error_string", exc))
    return text.removeprefix("Error : ").rstrip(".")
