"""A recording as a source of sound: sound files in, `AudioBlock`s out.

Streams in constant memory, whatever the file's length and whatever its header claims. Damage is reported after
all readable sound was yielded. Does not pace itself: blocks come as fast as they are requested, at the file's own rate.
A file that holds several streams one behind the other is one recording at the rate of the first. What the file
declares is read in `containers`; its sound is decoded in `decoding`.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

from device.config.microphone.stream_address import is_stream
from device.errors import RecordingError
from device.messages import AudioBlock
from device.sources.channel_mix import ChannelMixer, MixResampler
from device.sources.containers.detection import read_layout
from device.sources.containers.sound_layout import StreamLink
from device.sources.link_reader import BreakOffError, LinkReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

LOWEST_RATE_HZ = 1_000
HIGHEST_RATE_HZ = 768_000
BLOCK_S = 0.5
"""Seconds of a block if no `block_samples` is given: one hop."""

_MOST_SURVEYED = 1000
"""Links of a file that are opened beforehand to learn its length; of a file of more it is unknown."""


class Recording:
    """A sound file of any rate, sample width and channel count, read once from its start.

    Samples beyond full scale (float files and lossy decoders have them) are clipped to [-1, 1] and
    counted in `clipped_samples`: the network gets no more than a sound card could deliver.

    Args:
        path: the file; messages begin with it as given.
        channel: the channel to read, counted from 0; None mixes all channels to their mean.
        block_samples: samples of each block but the last; None for half a second.
        name: what messages call it; None for the path.

    Raises:
        RecordingError: the file is missing, no regular file, unreadable, empty, no sound that can be decoded,
            without any sound, without that channel, or of a rate out of 1 to 768 kHz.
        MissingExtraError: soundfile is not installed.
        ValueError: `block_samples` is under 1.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        channel: int | None = None,
        block_samples: int | None = None,
        name: str | None = None,
    ) -> None:
        if block_samples is not None and block_samples < 1:
            raise ValueError(f"block_samples is {block_samples}; a block has 1 sample or more.")
        self._path = name or os.fspath(path)
        self._channel = channel
        self._heard_s = 0.0  # in all links so far
        self._clipped_samples = 0
        self._failure: RecordingError | None = None
        self._started = False
        self._notes: list[str] = []
        self._reader: LinkReader | None = None
        self._file: BinaryIO | None = _open_regular(os.fspath(path))
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
        """The file, as given, or as it is called."""
        return self._path

    @property
    def sample_rate_hz(self) -> int:
        """The file's own rate, 1000 to 768000; of several streams that of the first."""
        return self._sample_rate_hz

    @property
    def channels(self) -> int:
        """Channels in the file; a block has one."""
        return self._channels

    @property
    def frames(self) -> int | None:
        """Samples per channel, before reading them; None if the header does not say.

        For WAV what the file really holds; for the others what it declares: good for progress, not for the size of
        an array.
        """
        return self._frames

    @property
    def duration_s(self) -> float | None:
        """Seconds that `frames` last."""
        return None if self._frames is None else self._frames / self._sample_rate_hz

    @property
    def length_is_certain(self) -> bool:
        """Whether the file really holds `frames`, as a WAV of bare samples does; else a header says so."""
        return self._layout.pcm is not None

    @property
    def clipped_samples(self) -> int:
        """Samples beyond full scale so far, in the channels that are read."""
        return self._clipped_samples

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about what is odd in the file although its sound is whole; complete once it was read."""
        return tuple(f"{self._path}: {note}." for note in self._notes)

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
        for mixed in _regroup(self._mixed_pieces(), self._block_samples):
            power = np.ascontiguousarray(mixed[:, 1]) if mixed.shape[1] == 2 else None
            samples = np.ascontiguousarray(mixed[:, 0])
            yield AudioBlock(samples, self._sample_rate_hz, start_sample, independent_power=power)
            start_sample += len(samples)
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        if self._reader is not None:
            self._reader.close()
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

    # --- opening

    def _open(self, file: BinaryIO) -> None:
        self._layout = read_layout(file, self._path)
        if self._layout.note is not None:
            self._notes.append(self._layout.note)
        if self._layout.pcm is not None:
            self._check_rate(self._layout.pcm.samplerate)
        self._reader = self._first_reader(file)
        self._sample_rate_hz = self._reader.sample_rate_hz
        self._channels = self._reader.channels
        self._check_rate(self._sample_rate_hz)
        self._check_channel()
        self._survey(file, self._reader)
        if self._frames == 0:
            raise self._silent()

    def _first_reader(self, file: BinaryIO) -> LinkReader:
        """Open the first link; if the damage is so early that nothing before it can be decoded, the whole file."""
        try:
            return LinkReader(file, self._layout, self._layout.links[0], self._path)
        except RecordingError:
            if self._layout.damage is None:
                raise
            links = (StreamLink(0, file.seek(0, os.SEEK_END)),)
            layout = replace(self._layout, links=links, for_libsndfile=True, counted=False, patches={})
            try:
                reader = LinkReader(file, layout, links[0], self._path)
            except RecordingError:
                reader = None
            if reader is None:
                raise
            self._layout = layout
            return reader

    def _survey(self, file: BinaryIO, first: LinkReader) -> None:
        """Learn the length of all links, and whether channels are mixed in any of them."""
        self._frames: int | None = first.frames
        self._mixes = self._channel is None and first.channels > 1
        others = self._layout.links[1:]
        if len(others) >= _MOST_SURVEYED:
            self._frames, others = None, ()
            self._mixes = self._channel is None
        for link in others:
            try:
                reader = LinkReader(file, self._layout, link, self._path)
            except RecordingError:  # reported when its turn comes
                self._frames = None
                return
            reader.close()
            self._mixes |= self._channel is None and reader.channels > 1
            self._add_frames(reader)

    def _add_frames(self, reader: LinkReader) -> None:
        if self._frames is not None:
            more = reader.frames
            self._frames = None if more is None else self._frames + round(more * self._rate_ratio(reader))

    def _rate_ratio(self, reader: LinkReader) -> float:
        return self._sample_rate_hz / reader.sample_rate_hz

    def _check_rate(self, rate_hz: int) -> None:
        if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
            raise RecordingError(
                f"{self._path} has a rate of {rate_hz} Hz; {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz work."
            )

    def _check_channel(self) -> None:
        if self._channel is not None and not 0 <= self._channel < self._channels:
            holds = "1 channel" if self._channels == 1 else f"{self._channels} channels"
            raise RecordingError(f"{self._path} has no channel {self._channel + 1}; it has {holds}, the first is 1.")

    # --- reading

    def _mixed_pieces(self) -> Iterator[Float32]:
        """Yield pieces (n, 1), or (n, 2) with the power beside a mix; if they end early, `_failure` says why."""
        try:
            for number, link in enumerate(self._layout.links):
                reader = self._reader_of(number, link)
                if reader is None:
                    return
                yield from self._link_pieces(reader)
                reader.close()
            if self._layout.damage is not None:
                self._failure = self._broken(self._layout.damage)
            elif not self._heard_s:
                self._failure = self._silent()
        except BreakOffError as exc:
            self._failure = self._broken(str(exc), exc.cure)

    def _reader_of(self, number: int, link: StreamLink) -> LinkReader | None:
        """Open the next link; None if the recording was closed."""
        if self._file is None or self._reader is None:
            return None
        if number > 0:
            try:
                self._reader = LinkReader(self._file, self._layout, link, self._path)
                self._check_rate(self._reader.sample_rate_hz)
            except (RecordingError, OSError) as exc:
                raise BreakOffError(f"its stream {number + 1} cannot be read: {exc}") from exc
        self._note_channel(number, self._reader)
        return self._reader

    def _note_channel(self, number: int, reader: LinkReader) -> None:
        if self._channel is not None and 1 < reader.channels <= self._channel:
            self._notes.append(
                f"its stream {number + 1} has no channel {self._channel + 1} and is heard as the mix of its "
                f"{reader.channels} channels"
            )

    def _link_pieces(self, reader: LinkReader) -> Iterator[Float32]:
        channel = self._channel if self._channel is not None and self._channel < reader.channels else None
        mixer = ChannelMixer(None)  # of what the reader yields, which is one channel if one was chosen
        resampler = MixResampler(reader.sample_rate_hz, self._sample_rate_hz)
        columns = 2 if self._mixes else 1
        failure: BreakOffError | None = None
        try:
            for frames in reader.pieces(channel):
                yield resampler.push(self._mix(frames, mixer))
        except BreakOffError as exc:
            failure = exc
        yield resampler.finish(columns)
        self._heard_s += reader.read_frames / reader.sample_rate_hz
        if failure is not None:
            raise failure

    def _mix(self, frames: npt.NDArray[Any], mixer: ChannelMixer) -> Float32:
        """(n, channels) -> (n, 1) or (n, 2), clipped."""
        self._clipped_samples += int(np.count_nonzero(np.abs(frames) > 1.0))
        clipped = np.clip(frames, -1.0, 1.0)
        mono = mixer.mix(clipped)
        columns = [mono, mixer.independent_power(clipped)] if self._mixes else [mono]
        return np.stack(columns, axis=1)

    def _broken(self, why: str, cure: str = "copy or record it again for the rest") -> RecordingError:
        return RecordingError(
            f"{self._path} breaks off after {self._heard_s:.3f} s ({why}); what was heard until then is kept, {cure}."
        )

    def _silent(self) -> RecordingError:
        return RecordingError(f"{self._path} holds no sound, only a header; record or copy it again.")


def _open_regular(path: str) -> BinaryIO:
    """Open a regular file, and nothing else: a pipe would block, a device never ends."""
    try:
        mode = Path(path).stat().st_mode
        file = Path(path).open("rb") if stat.S_ISREG(mode) else None  # noqa: SIM115 - Recording closes it
    except FileNotFoundError as exc:
        raise RecordingError(_absent(path)) from exc
    except (OSError, ValueError) as exc:  # ValueError: a path with a NUL in it
        raise _unreadable(path, exc) from exc
    if file is None:
        kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
        raise RecordingError(f"{path} is {kind}; give a sound file.")
    return file


def _absent(path: str) -> str:
    if path == "-":
        return "standard input is no file; auricle replay - hears it whole, auricle listen --source - live."
    if is_stream(path):  # not shown: it may hold a login
        return "a stream is no recording; auricle listen --source rtsp://HOST/PATH hears one."
    return f"{path} does not exist; check the spelling and the current directory."


def _unreadable(path: str, exc: OSError | ValueError) -> RecordingError:
    reason = exc.strerror if isinstance(exc, OSError) else str(exc)
    return RecordingError(f"{path} cannot be read ({reason}); check its permissions and its disk.")


def _regroup(pieces: Iterable[Float32], size: int) -> Iterator[Float32]:
    """Cut pieces (n, columns) of any length into blocks of one length, the last as long as what is left."""
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
