"""A microphone, or a stream, as endless sound: blocks of it while it works, and the reason while it does not.

The device itself is held by a child process (`sources.capture`, or `streams.stream_capture`). One that is silent,
dead, stopped or breaks the protocol is killed, and another is started, again and again; nothing here can hang, whatever
the sound card or the network does. Time is counted by samples while they flow and by CLOCK_MONOTONIC across gaps:
`StreamPosition`. Nothing is queued here: unread sound waits in the pipe, and behind it in the card.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Self

import numpy as np

from device.errors import ConfigError
from device.messages import AudioBlock, NoAudio
from device.quantity import quantity
from device.sources.capture_process import CaptureProcess, OpenedDevice, protocol_violation, readable
from device.sources.capture_record import ERROR, FRAME, OPENED, OVERFLOWED, CaptureProtocolError
from device.sources.channel_mix import ChannelMixer
from device.sources.stream_position import StreamPosition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    import numpy.typing as npt

    from device.sources.capture_plan import CapturePlan, MicrophoneTimeouts
    from device.sources.capture_record import CaptureRecord

_NUMBERS = 1 << 32


class Microphone:
    """The configured microphone or stream, as sound that never ends by itself.

    Args:
        plan: how it is captured.
        channel: that is heard, from 0; None for the mean of all.
        rng: spreads the attempts, so that several instances do not retry at once; None for a random seed.
        clock_ns: CLOCK_MONOTONIC, as the capture process reads it.

    A microphone that is not connected is no error, but the reason of a `NoAudio`.
    """

    def __init__(
        self,
        plan: CapturePlan,
        channel: int | None,
        *,
        rng: random.Random | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._plan = plan
        self._channel = channel
        self._timeouts = plan.timeouts
        self._backoff = _Backoff(self._timeouts, rng or random.Random())
        self._clock_ns = clock_ns
        self._position = StreamPosition()
        self._lock = threading.Lock()  # held while waiting for a message, so that nothing is closed while it is polled
        self._closing = threading.Lock()  # only one of two concurrent calls of `close` closes
        self._closed = threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._began_ns = 0  # by the clock, at second 0 of the stream
        self._began = False
        self._child: CaptureProcess | None = None
        self._unreaped: list[CaptureProcess] = []
        self._opened: OpenedDevice | None = None
        self._mixer = ChannelMixer(channel)
        self._is_mix = False
        self._records: deque[CaptureRecord] = deque()
        self._next_number = 0
        self._gap_pending = False  # samples are missing before the next block
        self._flowing_since_s = 0.0
        self._try_at_s = 0.0
        self._waited_s = 0.0  # for a record of the current child
        self._reason = "the microphone is being opened"
        self._reason_is_new = False
        self._end_reason: str | None = None  # why the child sends no more records
        self._name = plan.name
        self._secrets: tuple[str, ...] = ()
        self.overruns = 0
        """How often samples were lost while the microphone was open."""
        self.opened = 0
        """How often it was opened."""

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "open" if self._opened else "not open"
        return f"Microphone({self._name!r}, {state}, reopened {self.reopened} times, {self.overruns} overruns)"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """The device's full name, as of its last opening; before the first, what the settings call it."""
        return self._name

    @property
    def sample_rate_hz(self) -> int | None:
        """Of its last opening; None before the first."""
        return self._position.rate_hz or None

    @property
    def reopened(self) -> int:
        """How often it was opened again after it had been open."""
        return max(0, self.opened - 1)

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Yield sound, about every 50 ms, or the reason why there is none, at least every 250 ms, until `close`.

        Second 0 of the stream is when this begins. The time of a message is never before that of an earlier sample,
        nor do the times of samples ever go back. During a hang shorter than `MicrophoneTimeouts.hung_s` a `NoAudio` may
        be yielded whose sound arrives after all, in a burst: such a block then begins before that message.
        """
        try:
            while (message := self._next()) is not None:
                yield message
        finally:
            with self._lock:
                self._discard()

    def close(self) -> None:
        """Close the microphone; idempotent, from any thread. `blocks` then ends within a second."""
        with self._closing:
            if self._closed.is_set():
                return
            self._closed.set()
        os.eventfd_write(self._wake, 1)
        with self._lock:
            self._discard()
            os.close(self._wake)

    # --- one message

    def _next(self) -> AudioBlock | NoAudio | None:
        with self._lock:
            if not self._began:
                self._began, self._began_ns = True, self._clock_ns()
            began_s = self._now_s()
            while not self._closed.is_set():
                block = self._block()
                if block is not None:
                    return block
                left_s = began_s + self._timeouts.quiet_s - self._now_s()
                if left_s <= 0 or self._reason_is_new:
                    self._reason_is_new = False
                    return NoAudio(self._reason, self._position.end_s, max(self._now_s(), self._position.end_s))
                self._wait(left_s)
            return None

    def _now_s(self) -> float:
        return (self._clock_ns() - self._began_ns) / 1e9

    def _block(self) -> AudioBlock | None:
        """The next block of the records read so far, if any."""
        while self._records:
            try:
                block = self._process(self._records.popleft())
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                self._restart_later(protocol_violation(error))
                return None
            if block is not None:
                return block
        if self._end_reason is not None:
            self._restart_later(self._end_reason)
        return None

    def _wait(self, timeout_s: float) -> None:
        """Wait for a record, or until the child is to be started or has been silent for too long."""
        child = self._child
        if child is None:
            until_s = self._try_at_s - self._now_s()
            if until_s <= 0:
                self._start()
            else:
                readable([self._wake], min(until_s, timeout_s))
            return
        limit_s = self._timeouts.hung_s if self._opened else self._timeouts.opening_s
        began_s = self._now_s()
        may_read = child.poll(self._wake, timeout_s=min(timeout_s, max(0.0, limit_s - self._waited_s)))
        if may_read:
            self._read(child)
            return
        self._waited_s += self._now_s() - began_s
        if self._waited_s >= limit_s:
            self._restart_later(self._hung_reason(limit_s))

    def _hung_reason(self, limit_s: float) -> str:
        what = "gives no sound" if self._opened else "does not open"
        return f'"{self._name}" or {self._plan.what_hangs} hangs: it {what} for {limit_s:g} s'

    # --- the child

    def _start(self) -> None:
        self._unreaped = [child for child in self._unreaped if not child.has_ended()]
        try:
            start = self._plan.start()
            self._secrets = start.secrets
            self._child = CaptureProcess(self._plan.command, start.line)
        except ConfigError as error:  # the password cannot be read: perhaps later
            self._restart_later(str(error))
        except OSError as error:  # out of memory, processes or descriptors: perhaps later
            self._restart_later(f"the capture process cannot be started: {error}")
        self._waited_s = 0.0

    def _read(self, child: CaptureProcess) -> None:
        records, self._end_reason = child.read()
        if records:
            self._waited_s = 0.0
            self._records.extend(records)

    def _restart_later(self, reason: str) -> None:
        """Kill the child, and schedule the start of the next one."""
        if self._opened and self._now_s() - self._flowing_since_s >= self._timeouts.steady_s:
            self._backoff.reset()
        for secret in self._secrets:  # no sentence of ours holds one, but a library's may
            reason = reason.replace(secret, "***")
        self._reason = f"{reason}; it is tried again and again"
        self._reason_is_new = True
        self._discard()
        self._try_at_s = self._now_s() + self._backoff.next_s()

    def _discard(self) -> None:
        self._records.clear()
        self._opened = None
        self._end_reason = None
        if self._child is not None:
            if not self._child.kill():
                self._unreaped.append(self._child)
            self._child = None

    # --- its records

    def _process(self, record: CaptureRecord) -> AudioBlock | None:
        if record.kind == FRAME and self._opened:
            return self._audio_block(record, self._opened)
        if record.kind == OPENED and not self._opened:
            self._start_stream(OpenedDevice.parse(record.payload))
        elif record.kind == ERROR:
            self._restart_later(record.payload.decode(errors="replace"))
        else:
            raise CaptureProtocolError(f"a record of kind {record.kind} where none is due")
        return None

    def _start_stream(self, opened: OpenedDevice) -> None:
        if self._channel is not None and self._channel >= opened.channels:
            raise CaptureProtocolError(f"{quantity(opened.channels, 'channel')}, of which none is {self._channel + 1}")
        self._opened = opened
        self._mixer = ChannelMixer(self._channel)
        self._is_mix = self._channel is None and opened.channels > 1
        self._name = opened.name
        self._next_number = 0
        self._flowing_since_s = self._now_s()
        self._reason = f'"{opened.name}" gives no sound'
        self._position.reopen(opened.sample_rate_hz)
        self._gap_pending = self.opened > 0
        self.opened += 1

    def _audio_block(self, record: CaptureRecord, opened: OpenedDevice) -> AudioBlock | None:
        frames = finite_frames(record.payload, opened.channels, self._channel)
        samples = self._mixer.mix(frames)
        lost = bool(record.flags & OVERFLOWED) or record.number != self._next_number
        self._next_number = (record.number + 1) % _NUMBERS
        at_s = min((record.at_ns - self._began_ns) / 1e9, self._now_s())  # nothing was read in the future
        position = self._position.position(at_s, len(samples), lost=lost)
        self._gap_pending |= lost or position is None or position.after_gap
        self.overruns += lost or (position is not None and position.after_gap)
        if position is None:
            return None
        after_gap, self._gap_pending = self._gap_pending, False
        power = self._mixer.independent_power(frames) if self._is_mix else None
        return AudioBlock(samples, opened.sample_rate_hz, position.start_sample, after_gap, independent_power=power)


def finite_frames(payload: bytes, channels: int, channel: int | None) -> npt.NDArray[np.float32]:
    """Interleaved little-endian float32 of a frame -> float32 (n, channels) in [-1, 1].

    Args:
        payload: n * channels samples.
        channels: in the payload.
        channel: the one that is heard, from 0; None for all.

    Raises:
        CaptureProtocolError: it is not a whole number of samples, or one that is heard is not finite.
    """
    size = 4 * channels
    if not payload or len(payload) % size:
        raise CaptureProtocolError(f"a frame of {quantity(len(payload), 'byte')} for {quantity(channels, 'channel')}")
    frames = np.frombuffer(payload, "<f4").reshape(-1, channels)  # (n, channels)
    if not np.isfinite(frames if channel is None else frames[:, channel]).all():
        raise CaptureProtocolError("a sample that is no number")
    clipped: npt.NDArray[np.float32] = np.clip(frames, -1.0, 1.0)
    return clipped


class _Backoff:
    """Time until the next attempt: doubled each time, up to a limit, and at random in its upper half."""

    def __init__(self, timeouts: MicrophoneTimeouts, rng: random.Random) -> None:
        self._timeouts = timeouts
        self._rng = rng
        self._failures = 0

    def reset(self) -> None:
        self._failures = 0

    def next_s(self) -> float:
        doubled_s = self._timeouts.backoff_s * 2.0 ** min(self._failures, 32)
        self._failures += 1
        return min(doubled_s, self._timeouts.max_backoff_s) * self._rng.uniform(0.5, 1.0)
