"""Which kind of sound file this is, by its first bytes; its name does not matter.

Knows no decoder and reads no samples. libsndfile is given only what it is known to read, and FFmpeg's demuxer is
always named: neither may guess, since FFmpeg also knows playlists that open other files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from device.errors import RecordingError
from device.sources.containers.flac import flac_layout
from device.sources.containers.mp4 import mp4_codec, mp4_links
from device.sources.containers.mpeg import first_frame, is_frame, mpeg_layout, skip_id3
from device.sources.containers.ogg import MAGIC as OGG
from device.sources.containers.ogg import ogg_layout
from device.sources.containers.sized import sized_layout
from device.sources.containers.sound_layout import SoundLayout, StreamLink
from device.sources.containers.wav import MAGICS as WAV
from device.sources.containers.wav import wav_layout

if TYPE_CHECKING:
    from typing import BinaryIO

_HEAD_BYTES = 64
_MORE = "AIFF, AU, CAF, Wave64, SPHERE and VOC"
_W64 = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_FOR_FFMPEG = {  # first bytes -> what it is, FFmpeg's name of the demuxer
    b"\x1a\x45\xdf\xa3": ("sound in a Matroska or WebM file", "matroska"),
    b"\x30\x26\xb2\x75": ("WMA in an ASF file", "asf"),
    b"#!AMR": ("AMR", "amr"),
    b"\x0b\x77": ("AC-3", "ac3"),
    b"MAC ": ("Monkey's Audio", "ape"),
    b"wvpk": ("WavPack", "wv"),
    b"TTA1": ("TTA", "tta"),
    b"MPCK": ("Musepack", "mpc8"),
    b"MP+": ("Musepack", "mpc"),
    b"DSD ": ("DSD", "dsf"),
    b"\x7f\xfe\x80\x01": ("DTS", "dts"),
}


def read_layout(file: BinaryIO, path: str) -> SoundLayout:
    """Read what the container of an open, seekable file declares, and how much of it is present.

    Args:
        file: the open file; its position moves.
        path: for messages.

    Raises:
        RecordingError: the file is empty, no sound file, or its header makes no sense.
    """
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise RecordingError(f"{path} is empty (0 bytes); record or copy it again.")
    start = skip_id3(file)
    file.seek(start)
    head = file.read(_HEAD_BYTES)
    layout = _framed(file, path, head, start, size) or (None if start else _whole(file, path, head, size))
    if layout is None:
        raise RecordingError(f"{path} is not audio that can be read here; WAV, FLAC, OGG, MP3 and {_MORE} files can.")
    return layout


def _framed(file: BinaryIO, path: str, head: bytes, start: int, size: int) -> SoundLayout | None:
    """Formats whose sound may stand behind a tag."""
    if head.startswith(b"fLaC"):
        return flac_layout(file, path, start, size)
    first = first_frame(file, start) if start else 0 if is_frame(head) else None
    if first is not None:
        return mpeg_layout(file, first, size)
    if head.startswith((b"\xff\xf1", b"\xff\xf9", b"\xff\xf0", b"\xff\xf8")):
        return SoundLayout(
            (StreamLink(start, size),), kind="AAC in an ADTS stream", for_libsndfile=False, demuxer="aac"
        )
    return None


def _whole(file: BinaryIO, path: str, head: bytes, size: int) -> SoundLayout | None:
    """Formats that begin where the file does."""
    if head.startswith(WAV):
        return wav_layout(file, path, size)
    if head.startswith(OGG):
        return ogg_layout(file)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        kind = f"{mp4_codec(file, size)} in an MP4 file"
        return SoundLayout(mp4_links(file, size), kind=kind, for_libsndfile=False, demuxer="mov")
    is_aiff = head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC")
    if is_aiff or head.startswith((b"caff", _W64, b".snd", b"NIST_1A", b"Creative Voice File")):
        return sized_layout(file, head[:4], size)
    return next((_for_ffmpeg(*entry, size) for magic, entry in _FOR_FFMPEG.items() if head.startswith(magic)), None)


def _for_ffmpeg(kind: str, demuxer: str, size: int) -> SoundLayout:
    return SoundLayout((StreamLink(0, size),), kind=kind, for_libsndfile=False, demuxer=demuxer)
