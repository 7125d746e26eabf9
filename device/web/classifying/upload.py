"""A recording on its way to the disk: bounded in size and time, and of a kind that is heard here.

Its name on the disk is ours: nothing that a client says becomes part of a path.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, BinaryIO, Self

import anyio.to_thread

from device.sources.containers.mpeg import skip_id3
from device.sources.containers.ogg import MAGIC as OGG
from device.sources.containers.wav import MAGICS as WAV
from device.web.classifying.classify_process import NotHeardError
from device.web.classifying.upload_form import FormError, FormPart

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SILENT_WITHIN_S = 10.0
"""A client that sends nothing for so long is given up."""

KEPT_FREE_BYTES = 64 * 2**20
"""Of the disk, which the journal of alarms may share; as clips leave it."""

_FLAC, _ID3 = b"fLaC", b"ID3"
_SUFFIXES = {**dict.fromkeys(WAV, ".wav"), _FLAC: ".flac", _ID3: ".flac", OGG: ".ogg"}
"""First bytes -> the suffix of the name. Behind a tag of ID3 must be FLAC, which shows once the tag has come."""

_MAGIC_BYTES = 4
_NAME = "recording"
_FORM_BYTES = 16384
"""What a form adds to its recording, at most."""


async def receive_recording(
    pieces: AsyncIterator[bytes], folder: Path, *, max_bytes: int, boundary: bytes | None = None
) -> str:
    """Write a recording to a folder; returns the name of its file there.

    Args:
        pieces: the content of the request.
        folder: private.
        max_bytes: of the recording.
        boundary: of a form that holds it; None if the content is the recording.

    Raises:
        NotHeardError: it is too large, of another kind, empty, or does not come; or the disk is full.
    """
    form = None if boundary is None else FormPart(boundary)
    received = 0
    with _RecordingFile(folder, max_bytes) as file:
        try:
            async for piece in _in_time(pieces):
                received += len(piece)
                if received > max_bytes + _FORM_BYTES:  # also what stands before and behind the field of a form
                    raise _too_large(max_bytes)
                for data in [piece] if form is None else form.data_of(piece):
                    await file.write(data)
            if form is not None:
                form.finish()
        except FormError as error:
            raise NotHeardError(400, str(error)) from None
        return await file.finish()


def refuse_length(content_length: str | None, *, max_bytes: int, is_form: bool) -> None:
    """Refuse what says itself that it is too large, before any of it is read. Raises NotHeardError."""
    most = max_bytes + (_FORM_BYTES if is_form else 0)
    if content_length is not None and int(content_length) > most:  # 1 to 20 digits, as h11 has it
        raise _too_large(max_bytes)


async def _in_time(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(SILENT_WITHIN_S):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise NotHeardError(
                408, f"nothing of the recording came for {SILENT_WITHIN_S:g} s: send it again"
            ) from None
        if piece is None:
            return
        yield piece


class _RecordingFile:
    """The file, which has its name once its kind is known."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._head, self._count = b"", 0
        self._file: BinaryIO | None = None
        self._name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()

    async def write(self, data: bytes) -> None:
        self._count += len(data)
        if self._count > self._max_bytes:
            raise _too_large(self._max_bytes)
        if self._file is None:
            self._head += data
            if len(self._head) < _MAGIC_BYTES:
                return
            data = self._head
            self._name = _NAME + _suffix(data)
        await anyio.to_thread.run_sync(self._append, data)

    async def finish(self) -> str:
        """Close the file; returns its name."""
        if self._file is None:
            if self._head:
                raise _of_another_kind()
            raise NotHeardError(400, "the request holds no recording: send a WAV, FLAC or OGG file as its content")
        if self._head.startswith(_ID3) and not await anyio.to_thread.run_sync(_is_flac_behind_tags, self._file):
            raise _of_another_kind()
        self._file.close()
        return self._name

    def _append(self, data: bytes) -> None:
        try:
            room = os.statvfs(self._folder)
            if room.f_bavail * room.f_frsize < KEPT_FREE_BYTES + len(data):
                raise NotHeardError(507, "the disk is too full to keep it while it is heard: free some space")
            if self._file is None:
                self._file = (self._folder / self._name).open("x+b", buffering=0)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as error:
            raise NotHeardError(507, f"it cannot be kept while it is heard: {error.strerror}") from None


def _suffix(head: bytes) -> str:
    for magic, suffix in _SUFFIXES.items():
        if head.startswith(magic):
            return suffix
    raise _of_another_kind()


def _is_flac_behind_tags(file: BinaryIO) -> bool:
    """Whether the sound is FLAC, as `auricle classify` finds it in a file that begins with tags of ID3."""
    file.seek(skip_id3(file))
    return file.read(len(_FLAC)) == _FLAC


def _of_another_kind() -> NotHeardError:
    return NotHeardError(415, "it is no WAV, FLAC or OGG file: convert it, for instance with ffmpeg -i FILE FILE.flac")


def _too_large(max_bytes: int) -> NotHeardError:
    return NotHeardError(
        413, f"a recording may have {max_bytes // 10**6} MB: send a part of it, or raise classify_max_mb in [web]"
    )
