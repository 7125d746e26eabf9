"""The child process that holds a stream: opens it with PyAV, decodes it, numbers the frames, writes them to a pipe.

FFmpeg hangs where a server does, and what comes from a network may be anything. Here it may: this process has a bound
for its memory, and its reader kills it and starts another. What it opens comes in one line of JSON on standard input,
for a command line is shown to everybody, and the address holds a login.

    python -m device.sources.streams.stream_capture
    {"address": "rtsp://USER:PASSWORD@HOST/PATH", "name": "rtsp://HOST/PATH", "channel": 0, "ca_file": null}

It writes the records of `sources.capture_record`, and imports PyAV late and no numpy.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from device.errors import MicrophoneError
from device.quantity import quantity
from device.sources.capture_child import serve
from device.sources.capture_record import BLOCK_S, FRAME, OPENED, OVERFLOWED, CaptureRecord
from device.sources.streams.stream_opening import MOST_CHANNELS, RATES_HZ, StreamSource
from device.sources.streams.stream_refusal import StreamAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_BYTES = 192 << 20
"""Of private memory; the libraries, a stream and its decoder need 40 MB."""

MOST_AHEAD_S = 30.0
"""Servers send what they have of the last seconds at once; what comes faster than this is no live sound."""

CLOCK_TOLERANCE = 1e-3
"""A camera's clock differs from this machine's: crystals by 50 to 100 ppm, cheap oscillators by ten times as much.

Without it a clock that is 100 ppm fast has gained `MOST_AHEAD_S` after 3.5 days.
"""

GAP_S = 0.1
"""Time stamps that jump by more than this say that sound is missing; cameras are less exact by some milliseconds."""

UNDECODABLE_S = 1.0
"""After this long of packets without one that can be decoded it is another stream than it says."""

_FLOAT_BYTES = 4
_MOST_LINE = 1 << 16


def main() -> None:
    """Read what to open, and serve it."""
    sys.excepthook = lambda kind, _error, _trace: print(f"{kind.__name__} in the capture process", file=sys.stderr)
    options = _first_line()
    _bound_process()
    serve(lambda: _records(options))


def _first_line() -> dict[str, Any]:
    """The line on standard input, byte by byte: what follows it is read by another."""
    line = bytearray()
    while len(line) < _MOST_LINE and (byte := os.read(0, 1)) not in {b"", b"\n"}:
        line += byte
    options: dict[str, Any] = json.loads(line)
    return options


def _bound_process() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = MOST_BYTES if most == resource.RLIM_INFINITY else min(MOST_BYTES, most)
    with suppress(OSError, ValueError):  # refused by a filter of system calls: the unit's bound holds then
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the login


def _records(options: dict[str, Any]) -> Iterator[CaptureRecord]:
    where = StreamAddress(options["address"], options["name"], options["ca_file"])
    try:
        yield from StreamCapture(StreamSource(where), options["channel"]).records()
    except MemoryError:
        raise MicrophoneError(
            f'"{where.name}" sends more at once than sound can be: {MOST_BYTES >> 20} MB are not enough for it'
        ) from None


class StreamCapture:
    """Decodes a stream, and cuts it into frames of `BLOCK_S`.

    Args:
        source: an open stream.
        channel: which will be heard, from 0; None for all.
        clock_ns: CLOCK_MONOTONIC.
    """

    def __init__(
        self, source: StreamSource, channel: int | None, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._source = source
        self._channel = channel
        self._clock_ns = clock_ns
        self._converter: Any = None
        self._format: tuple[int, int] = (0, 0)  # rate in Hz, channels
        self._waiting = bytearray()
        self._number = 0
        self._lost = False
        self._due_s: float | None = None  # the time stamp that the next frame should have
        self._given_s = 0.0
        self._began_ns = self._decoded_ns = clock_ns()

    def records(self) -> Iterator[CaptureRecord]:
        """What was opened, once its first frame says so, and then its sound, without end.

        Raises:
            MicrophoneError: the stream ends, changes, or is no live sound.
        """
        for packet in self._source.packets():
            frames = self._source.decoded(packet)
            for frame in frames or ():
                if self._converter is None:
                    yield self._open(frame)
                yield from self._sound(frame)
            self._check_progress(packet, frames)

    def _open(self, frame: Any) -> CaptureRecord:
        rate_hz, channels = self._format = _format_of(frame)
        name = self._source.name
        if rate_hz not in RATES_HZ or not 1 <= channels <= MOST_CHANNELS:
            sent = f"{quantity(channels, 'channel')} at {rate_hz} Hz"
            raise MicrophoneError(f'"{name}" sends {sent}, but up to {MOST_CHANNELS} of 8 to 192 kHz are heard')
        if self._channel is not None and self._channel >= channels:
            raise MicrophoneError(f'"{name}" has no channel {self._channel + 1}: it has {channels}, the first is 1')
        self._converter = self._source.converter(frame)
        self._began_ns = self._clock_ns()
        opened = {"name": name, "sample_rate_hz": rate_hz, "channels": channels}
        return CaptureRecord(OPENED, json.dumps(opened).encode(), at_ns=self._began_ns)

    def _sound(self, frame: Any) -> Iterator[CaptureRecord]:
        if _format_of(frame) != self._format:
            raise MicrophoneError(f'"{self._source.name}" changes its sound, to {frame.sample_rate} Hz')
        self._decoded_ns = self._clock_ns()
        self._check_stamp(frame)
        rate_hz, channels = self._format
        for converted in self._converter.resample(frame):
            self._waiting += memoryview(converted.planes[0])[: converted.samples * channels * _FLOAT_BYTES]
        self._given_s += frame.samples / rate_hz
        size = max(1, round(rate_hz * BLOCK_S)) * channels * _FLOAT_BYTES
        while len(self._waiting) >= size:
            payload = bytes(self._waiting[:size])
            del self._waiting[:size]
            yield CaptureRecord(FRAME, payload, OVERFLOWED if self._lost else 0, self._number, self._decoded_ns)
            self._number, self._lost = self._number + 1, False

    def _check_stamp(self, frame: Any) -> None:
        """Note that sound is missing if the time stamps jump; forget the fragment before it."""
        if frame.pts is None or frame.time_base is None:
            return
        stamp_s = float(frame.pts * frame.time_base)
        if self._due_s is not None and abs(stamp_s - self._due_s) > GAP_S:
            self._lose()
        self._due_s = stamp_s + frame.samples / frame.sample_rate

    def _lose(self) -> None:
        self._lost = True
        self._waiting.clear()

    def _check_progress(self, packet: Any, frames: list[Any] | None) -> None:
        """Give up a stream that cannot be decoded any more, or that comes faster than sound."""
        now_ns, name = self._clock_ns(), self._source.name
        if frames is None:
            self._lose()
            if now_ns - self._decoded_ns > UNDECODABLE_S * 1e9:
                raise MicrophoneError(f'"{name}" sends sound that cannot be decoded, as {_codec(packet)}')
        open_s = (now_ns - self._began_ns) / 1e9
        if self._given_s - open_s * (1 + CLOCK_TOLERANCE) > MOST_AHEAD_S:
            raise MicrophoneError(
                f'"{name}" is no live sound, {self._given_s:.0f} s of it came in {open_s:.0f} s: '
                "download it, and auricle replay hears it"
            )


def _format_of(frame: Any) -> tuple[int, int]:
    return frame.sample_rate, frame.layout.nb_channels


def _codec(packet: Any) -> str:
    return str(packet.stream.codec_context.name)


if __name__ == "__main__":
    main()
