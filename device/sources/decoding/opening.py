"""Chooses the decoder for one link of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.errors import RecordingError
from device.sources.conversion import INSTALL, conversion
from device.sources.decoding.bare_samples import BareSamples
from device.sources.decoding.decoder import DecodingError
from device.sources.decoding.libav import LibavDecoder, is_installed
from device.sources.decoding.sndfile import SndfileDecoder

if TYPE_CHECKING:
    from device.sources.containers.sound_layout import SoundLayout
    from device.sources.decoding.decoder import SoundDecoder
    from device.sources.decoding.section import FileSection


def open_decoder(section: FileSection, layout: SoundLayout, path: str) -> SoundDecoder:
    """Open the first decoder that can read the section: numpy for bare samples, libsndfile, else PyAV.

    Args:
        section: a link of the file.
        layout: what the file's container declares.
        path: for messages.

    Raises:
        RecordingError: none can; the message names the codec, and what would make it readable.
        MissingExtraError: soundfile is not installed.
    """
    reasons = []
    if layout.pcm is not None and BareSamples.reads(layout.pcm):
        return BareSamples(section, layout.step, layout.pcm)
    if layout.for_libsndfile:
        try:
            return SndfileDecoder(section, layout.step, layout.pcm)
        except DecodingError as exc:
            reasons.append(str(exc))
    if layout.demuxer is not None and is_installed():
        try:
            section.seek(0)
            return LibavDecoder(section, layout.demuxer)
        except DecodingError as exc:
            reasons.append(str(exc))
    raise RecordingError(_refusal(layout, path, reasons))


def _refusal(layout: SoundLayout, path: str, reasons: list[str]) -> str:
    if not reasons:
        return f"{path} holds {layout.kind}: {INSTALL} reads it, or convert it with `{conversion(path)}`."
    more = f"; {INSTALL} may read it" if layout.demuxer is not None and not is_installed() else ""
    return (
        f"{path} holds {layout.kind} that cannot be decoded here ({reasons[-1]}){more}; "
        f"copy or export it again, or convert it with `{conversion(path)}`."
    )
