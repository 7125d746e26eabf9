"""Standard input as a live source: a WAV, or bare samples, from arecord, ffmpeg or any other program.

Nothing of it is dropped: sound that comes faster than time, as from a file, is read at the pace of time.
It cannot be opened again: where it ends, this ends with an error, once it has reported for a while that no sound comes.
"""

from __future__ import annotations

import os
import select
import threading
import time
from typing import TYPE_CHECKING

from device.errors import MicrophoneError
from device.messages import AudioBlock, NoAudio
from device.quantity import quantity
from device.sources.channel_mix import ChannelMixer
from device.sources.conversion import STANDARD_INPUT
from device.sources.stream_position import StreamPosition
from device.sources.streams.sample_format import wav_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.sources.streams.sample_format import SampleFormat

BLOCK_S = 0.05
QUIET_S = 0.24
"""After this long without sound a `NoAudio` is yielded, and again after each further such time."""

END_REPORTED_S = 3.5
"""How long the end is reported: longer than it takes to be an alarm, and to end what was heard."""

_WAITS_S = 0.02


class _EndedError(Exception):
    """Nothing more will come."""


class StandardInput:
    """The samples of a descriptor, as sound in time.

    Args:
        descriptor: to read; a pipe, a socket or a file. It is not closed.
        channel: that is heard, from 0; None for the mean of all.
        raw: format of bare samples; None for a WAV, whose header says it.
        clock_ns: CLOCK_MONOTONIC.

    Raises:
        MicrophoneError: it is a terminal.
    """

    def __init__(
        self,
        descriptor: int,
        channel: int | None,
        raw: SampleFormat | None = None,
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if os.isatty(descriptor):
            raise MicrophoneError("standard input is a terminal: pipe sound into it, as in arecord ... | auricle ...")
        self._descriptor = descriptor
        self._channel = channel
        self._format = raw
        self._left: int | None = None  # bytes of samples that the WAV still holds, if it says so
        self._clock_ns = clock_ns
        self._began_ns = 0
        self._mixer = ChannelMixer(channel)
        self._position = StreamPosition()
        self._waiting = bytearray()
        self._closed = threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.name = STANDARD_INPUT
        self.overruns = 0
        """How often samples were missing."""

    def __repr__(self) -> str:
        return f"StandardInput({self._format}, {self._position!r})"

    def close(self) -> None:
        """Make `blocks` end within a second; idempotent, from any thread."""
        if not self._closed.is_set():
            self._closed.set()
            os.eventfd_write(self._wake, 1)

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Yield sound, about every 50 ms, or the reason why there is none, at least every 250 ms, until `close`.

        Raises:
            MicrophoneError: it has ended, or is no sound that can be heard.
        """
        self._began_ns = self._clock_ns()
        try:
            if self._format is None:
                yield from self._header()
            if self._format is not None:
                yield from self._sound(self._format)
        except _EndedError:
            yield from self._report_end()
        if not self._closed.is_set():
            raise MicrophoneError(f"{STANDARD_INPUT} has ended")

    # --- reading

    def _now_s(self) -> float:
        return (self._clock_ns() - self._began_ns) / 1e9

    def _nothing(self, reason: str) -> NoAudio:
        return NoAudio(reason, self._position.end_s, max(self._now_s(), self._position.end_s))

    def _wait(self, timeout_s: float) -> bool:
        """Wait for bytes, or the close; whether there are bytes, or their end."""
        poll = select.poll()
        for descriptor in (self._descriptor, self._wake):
            poll.register(descriptor, select.POLLIN)
        return any(descriptor == self._descriptor for descriptor, _ in poll.poll(round(timeout_s * 1000)))

    def _filled(self, size: int) -> Iterator[NoAudio]:
        """Read until so many bytes wait; yields a report whenever none came for a while.

        Raises:
            _EndedError: they end before.
        """
        while len(self._waiting) < size and not self._closed.is_set():
            if not self._wait(QUIET_S):
                if not self._closed.is_set():
                    yield self._nothing(f"{STANDARD_INPUT} gives no sound")
                continue
            data = os.read(self._descriptor, size - len(self._waiting))
            if not data:
                raise _EndedError
            self._waiting += data

    def _taken(self, size: int) -> bytes:
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        return data

    def _header(self) -> Iterator[NoAudio]:
        parser = wav_header()
        wanted = next(parser)
        try:
            while True:
                yield from self._filled(wanted)
                if self._closed.is_set():
                    return
                wanted = parser.send(self._taken(wanted))
        except StopIteration as parsed:
            self._format, self._left = parsed.value

    # --- sound

    def _sound(self, samples: SampleFormat) -> Iterator[AudioBlock | NoAudio]:
        if self._channel is not None and self._channel >= samples.channels:
            raise MicrophoneError(
                f"{STANDARD_INPUT} has no channel {self._channel + 1}: it has {quantity(samples.channels, 'channel')}"
            )
        self._position.reopen(samples.rate_hz)
        size = max(1, round(samples.rate_hz * BLOCK_S)) * samples.frame_bytes
        while not self._closed.is_set():
            if self._left is not None and self._left < size:  # a tail is less than 50 ms
                raise _EndedError
            yield from self._filled(size)
            if not self._closed.is_set():
                yield from self._in_time(samples, self._taken(size))
                self._left = None if self._left is None else self._left - size

    def _in_time(self, samples: SampleFormat, data: bytes) -> Iterator[AudioBlock]:
        """The block, once there was time for it: a microphone's would be dropped, a pipe's can wait."""
        frames = samples.decode(data)
        while (position := self._position.position(self._now_s(), len(frames), lost=False)) is None:
            if self._closed.wait(_WAITS_S):
                return
        self.overruns += position.after_gap
        power = self._mixer.independent_power(frames) if self._channel is None and samples.channels > 1 else None
        yield AudioBlock(
            self._mixer.mix(frames),
            samples.rate_hz,
            position.start_sample,
            position.after_gap,
            independent_power=power,
        )

    def _report_end(self) -> Iterator[NoAudio]:
        """Report the end for long enough that it is an alarm, which is kept and published before this ends."""
        until_s = self._now_s() + END_REPORTED_S
        while self._now_s() < until_s and not self._closed.wait(QUIET_S):
            yield self._nothing(f"{STANDARD_INPUT} has ended")
