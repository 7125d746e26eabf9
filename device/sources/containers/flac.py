"""The STREAMINFO of a FLAC file. Source: RFC 9639."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.errors import RecordingError
from device.sources.containers.sound_layout import SoundLayout, StreamLink

if TYPE_CHECKING:
    from typing import BinaryIO

_STREAMINFO_BYTES = 34
_FEWEST_FRAMES = 16


def flac_layout(file: BinaryIO, path: str, start: int, size: int) -> SoundLayout:
    """Read STREAMINFO: one read of the decoder is one FLAC block, so that a damaged one is dropped whole.

    Args:
        file: the open file; its position moves.
        path: for messages.
        start: offset of the stream marker `fLaC`.
        size: of the file.

    Raises:
        RecordingError: there is no STREAMINFO, and so nothing that says how the sound is to be decoded.
    """
    file.seek(start + 4)
    block_type_and_length = file.read(4)
    info = file.read(_STREAMINFO_BYTES)
    if len(info) < _STREAMINFO_BYTES or block_type_and_length[0] & 0x7F:
        raise RecordingError(
            f"{path} begins like a FLAC file but has no STREAMINFO block, without which no player can read it; "
            "copy or export it again."
        )
    max_block_frames = int.from_bytes(info[2:4], "big")
    return SoundLayout(
        (StreamLink(start, size),),
        step=max(_FEWEST_FRAMES, max_block_frames),
        kind="FLAC",
        demuxer="flac",
        counted=True,
    )
