"""A recording as a source of sound: WAV, FLAC and OGG files in, `AudioBlock`s out.

Streams in constant memory, whatever the file's length and whatever its header claims. Damage is reported after
all readable sound was yielded. Does not resample and does not
pace itself: blocks come as fast as they are requested, at the file's own rate. A WAV file's header is
read in `containers`; its samples, like FLAC and OGG, are decoded by libsndfile.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

from device.errors import MissingExtraError, RecordingError
from device.messages import AudioBlock
from device.sources.containers import SoundLayout, read_layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

LOWEST_RATE_HZ = 1_000
HIGHEST_RATE_HZ = 768_000
BLOCK_S = 0.5
"""Seconds of a block if no `block_samples` is given: one hop."""


class Recording:
    """A WAV, FLAC or OGG file of any rate, sample width and channel count, read once from its start.

    Samples beyond full scale (float files and lossy decoders have them) are clipped to [-1, 1] and
    counted in `clipped_samples`: the network gets no more than a sound card could deliver.

    Args:
        path: the file; messages begin with it as given.
        channel: the channel to read, counted from 0; None mixes all channels to their mean.
        block_samples: samples of each block but the last; None for half a second.

    Raises:
        RecordingError: the file is missing, no regular file, unreadable, empty, neither WAV, FLAC nor
            OGG, corrupt, without any sound, without that channel, or of a rate out of 1 to 768 kHz.
        MissingExtraError: soundfile is not installed.
        ValueError: `block_samples` is under 1.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        channel: int | None = None,
        block_samples: int | None = None,
    ) -> None:
        if block_samples is not None and block_samples < 1:
            raise ValueError(f"block_samples is {block_samples}; a block has 1 sample or more.")
        self._path = os.fspath(path)
        self._channel = channel
        self._read_frames = 0
        self._clipped_samples = 0
        self._failure: RecordingError | None = None
        self._started = False
        self._decoder: Any = None
        self._file: BinaryIO | None = _open_regular(self._path)
        try:
            self._open(self._file)
        except OSError as exc:
            self.close()
            raise _unreadable(self._path, exc) from exc
        except BaseException:
            self.close()
            raise
        self._block_samples = block_samples or round(BLOCK_S * self._sample_rate_hz)

    @property
    def path(self) -> str:
        """The file, as given."""
        return self._path

    @property
    def sample_rate_hz(self) -> int:
        """The file's own rate, 1000 to 768000."""
        return self._sample_rate_hz

    @property
    def channels(self) -> int:
        """Channels in the file; a block has one."""
        return self._channels

    @property
    def frames(self) -> int | None:
        """Samples per channel, before reading them; None if the header does not say.

        For WAV what the file really holds; for FLAC and OGG what it declares: good for progress, not for the size of
        an array.
        """
        return self._frames

    @property
    def duration_s(self) -> float | None:
        """Seconds that `frames` last."""
        return None if self._frames is None else self._frames / self._sample_rate_hz

    @property
    def clipped_samples(self) -> int:
        """Samples beyond full scale so far, in the channels that are read."""
        return self._clipped_samples

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self._file is None

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the sound as float32 mono blocks in [-1, 1], in order, without a gap.

        Raises:
            RecordingError: after all readable sound was yielded: the file is damaged or shorter than its
                header declares, or holds NaN or infinity; at once: it is closed, or was read before.
        """
        if self._file is None or self._started:
            state = "is closed" if self._file is None else "has been read already"
            raise RecordingError(f"{self._path} {state}; open it again to hear it once more.")
        self._started = True
        start_sample = 0
        for samples in _regroup(self._mono_pieces(), self._block_samples):
            yield AudioBlock(samples, self._sample_rate_hz, start_sample)
            start_sample += len(samples)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        if self._decoder is not None:
            self._decoder.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"Recording({self._path!r}, closed)"
        length = "unknown length" if self.duration_s is None else f"{self.duration_s:.3f} s"
        return f"Recording({self._path!r}, {self._sample_rate_hz} Hz, {self._channels} channels, {length})"

    def _open(self, file: BinaryIO) -> None:
        self._layout = read_layout(file, self._path)
        if self._layout.pcm is not None:
            self._check_rate(self._layout.pcm.samplerate)
        self._section = _Section(file, self._layout)
        self._decoder = _open_decoder(self._section, self._layout, self._path)
        self._sample_rate_hz: int = self._decoder.samplerate
        self._channels: int = self._decoder.channels
        # For a FLAC stream without a length libsndfile returns the largest possible number.
        self._frames: int | None = self._decoder.frames if self._decoder.frames < 2**62 else None
        self._check()

    def _check_rate(self, rate_hz: int) -> None:
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            raise RecordingError(
                f"{self._path} has a rate of {rate_hz} Hz; {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz work."
            )

    def _check(self) -> None:
        self._check_rate(self._sample_rate_hz)
        if self._channel is not None and not 0 <= self._channel < self._channels:
            raise RecordingError(
                f"{self._path} has no channel {self._channel}; it has {self._channels}, counted from 0."
            )
        if self._frames == 0:
            raise self._silent()

    def _mono_pieces(self) -> Iterator[Float32]:
        """Yield mono pieces (n,) of one read each; if they end early, `_failure` says why."""
        for frames in self._reads():
            chosen = frames if self._channel is None else frames[:, self._channel : self._channel + 1]
            finite = _finite_frames(chosen)
            if finite:
                yield self._mix(chosen[:finite])
            self._read_frames += finite
            if finite < len(chosen):
                self._failure = self._broken("it holds NaN or infinity", "export it again with finite samples")
                return

    def _reads(self) -> Iterator[npt.NDArray[Any]]:
        """Yield frames (n, channels) as they are decoded, in an array that the next read reuses."""
        from soundfile import SoundFileError

        double = self._layout.pcm is not None and self._layout.pcm.subtype == "DOUBLE"
        out = np.empty((self._layout.step, self._channels), np.float64 if double else np.float32)
        while self._file is not None:
            # Beyond the declared end a FLAC decoder mistakes a tag that was appended for a damaged block.
            wanted = len(out) if self._frames is None else min(len(out), self._frames - self._read_frames)
            try:
                frames = self._decoder.read(wanted, out=out[:wanted])
            except SoundFileError as exc:
                # For a FLAC block that fails its checksum the decoder returns zeros: none of them is kept.
                self._failure = self._broken(_reason(exc))
                return
            if not len(frames):
                self._failure = self._ending()
                return
            yield frames

    def _mix(self, frames: npt.NDArray[Any]) -> Float32:
        """(n, channels) -> (n,), clipped and averaged."""
        self._clipped_samples += int(np.count_nonzero(np.abs(frames) > 1.0))
        mono: Float32 = np.clip(frames, -1.0, 1.0).mean(axis=1).astype(np.float32, copy=False)
        return mono

    def _ending(self) -> RecordingError | None:
        """Why the sound should not have ended here; None if it should."""
        declared = self._layout.declared_frames if self._layout.declared_frames is not None else self._frames
        if self._section.error is not None:
            return self._broken(self._section.error.strerror or "the disk failed")
        if self._layout.damage is not None:
            return self._broken(self._layout.damage)
        if declared is not None and self._read_frames < declared:
            return self._broken(f"its header declares {declared / self._sample_rate_hz:.3f} s")
        return None if self._read_frames else self._silent()

    def _broken(self, why: str, cure: str = "copy or record it again for the rest") -> RecordingError:
        heard_s = self._read_frames / self._sample_rate_hz
        return RecordingError(
            f"{self._path} breaks off after {heard_s:.3f} s ({why}); what was heard until then is kept, {cure}."
        )

    def _silent(self) -> RecordingError:
        return RecordingError(f"{self._path} holds no sound, only a header; record or copy it again.")


class _Section:
    """The part of an open file that the decoder may read, as libsndfile's virtual file.

    A read that fails must not raise through the decoder's C code: it ends the file, and `error`
    says why.
    """

    def __init__(self, file: BinaryIO, layout: SoundLayout) -> None:
        self._file = file
        self._start = layout.start
        self._length = layout.stop - layout.start
        self._position = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._length - self._position))
        try:
            self._file.seek(self._start + self._position)
            data = self._file.read(count)
        except OSError as exc:
            self.error = exc
            return 0
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _open_regular(path: str) -> BinaryIO:
    """Open a regular file, and nothing else: a pipe would block, a device never ends."""
    try:
        mode = Path(path).stat().st_mode
        file = Path(path).open("rb") if stat.S_ISREG(mode) else None  # noqa: SIM115 - Recording closes it
    except FileNotFoundError as exc:
        raise RecordingError(f"{path} does not exist; check the spelling and the current directory.") from exc
    except (OSError, ValueError) as exc:  # ValueError: a path with a NUL in it
        raise _unreadable(path, exc) from exc
    if file is None:
        kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise RecordingError(f"{path} is {kind}; give a WAV, FLAC or OGG file.")
    return file


def _unreadable(path: str, exc: OSError | ValueError) -> RecordingError:
    reason = exc.strerror if isinstance(exc, OSError) else str(exc)
    return RecordingError(f"{path} cannot be read ({reason}); check its permissions and its disk.")


def _open_decoder(section: _Section, layout: SoundLayout, path: str) -> Any:
    """Open libsndfile on the section."""
    try:
        import soundfile
    except (ImportError, OSError) as exc:  # OSError: the package is installed, its libsndfile is not
        raise MissingExtraError(
            "soundfile, which reads recordings, is missing; pip install 'auricle[device]' brings it."
        ) from exc
    pcm = layout.pcm
    raw_format = (
        {}
        if pcm is None
        else {
            "format": "RAW",
            "samplerate": pcm.samplerate,
            "channels": pcm.channels,
            "subtype": pcm.subtype,
            "endian": pcm.endian,
        }
    )
    try:
        decoder = soundfile.SoundFile(section, **raw_format)
    except soundfile.SoundFileError as exc:
        raise RecordingError(f"{path} is corrupt ({_reason(exc)}); copy or export it again.") from exc
    # soundfile seeks after every read: slow in OGG, and an error in a FLAC stream of unknown length.
    decoder.seekable = lambda: False
    return decoder


def _reason(exc: Exception) -> str:
    """Libsndfile's error text, without its prefix."""
    text = str(getattr(exc, "error_string", exc))
    return text.removeprefix("Error : ").rstrip(".")


def _finite_frames(frames: npt.NDArray[Any]) -> int:
    """Number of frames (n, channels) before the first NaN or infinity."""
    finite = np.isfinite(frames).all(axis=1)
    return len(frames) if finite.all() else int(finite.argmin())


def _regroup(pieces: Iterable[Float32], size: int) -> Iterator[Float32]:
    """Cut pieces of any length into blocks of one length, the last as long as what is left."""
    waiting: list[Float32] = []
    count = 0
    for piece in pieces:
        rest = piece
        while count + len(rest) >= size:
            cut = size - count
            yield np.concatenate([*waiting, rest[:cut]]) if waiting else rest[:cut]
            waiting, count, rest = [], 0, rest[cut:]
        if len(rest):
            waiting.append(rest)
            count += len(rest)
    if waiting:
        yield np.concatenate(waiting)
