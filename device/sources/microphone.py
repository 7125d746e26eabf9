"""A microphone that is always there: blocks of sound while it is heard, and the reason while it is not.

The device itself is held by a child process (`sources.capture`). One that is silent, dead, stopped or talks
nonsense is killed, and another is started, for as long as it takes; nothing here can hang, whatever the
sound card does. Time is counted by samples while they flow and by CLOCK_MONOTONIC over what is missing:
`Timeline`. Nothing is queued here: what nobody has taken yet waits in the pipe, and behind it in the card.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from device.messages import AudioBlock, NoAudio
from device.sources.capture import ERROR, FRAME, OPENED, OVERFLOWED, Nonsense
from device.sources.capture_process import Child, Opened, capture_command, nonsense, readable
from device.sources.device_match import parse_device
from device.sources.stream_position import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from device.config.settings import MicrophoneSettings
    from device.sources.capture import Record

_NUMBERS = 1 << 32


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a microphone may keep silent, and how soon it is opened again.

    Attributes:
        quiet_s: without sound for this long, `NoAudio` says so, and again after each such time.
        hung_s: without sound for this long, it is opened again.
        opening_s: as `hung_s`, until the device is open.
        backoff_s: from one failure to the next attempt; doubled each time it fails again.
        most_backoff_s: at most that.
        steady_s: sound for this long forgets earlier failures.
    """

    quiet_s: float = 0.24
    hung_s: float = 1.5
    opening_s: float = 3.0
    backoff_s: float = 0.2
    most_backoff_s: float = 5.0
    steady_s: float = 5.0


class Microphone:
    """The microphone that the settings ask for, as a stream that goes on for ever.

    Args:
        settings: which one, which channel of it, at which rate.
        command: of the capture process, given what to capture as JSON in a last argument; None for our own.
        patience: how long it may keep silent.
        chance: spreads the attempts, so that several instances do not try at once; None for a seed of its own.
        clock_ns: CLOCK_MONOTONIC, as the capture process reads it.

    Raises:
        MicrophoneError: `settings.device` can name no microphone. One that is not there is no error, but the
            reason of a `NoAudio`.
    """

    def __init__(
        self,
        settings: MicrophoneSettings,
        *,
        command: Sequence[str] | None = None,
        patience: Patience | None = None,
        chance: random.Random | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        parse_device(settings.device)
        self._settings = settings
        self._command = tuple(command) if command is not None else capture_command("capture")
        self._patience = patience or Patience()
        self._backoff = _Backoff(self._patience, chance or random.Random())
        self._clock_ns = clock_ns
        self._timeline = Timeline()
        self._lock = threading.Lock()  # held while a message is awaited, so that nobody closes what is being polled
        self._closing = threading.Lock()  # of two that close, one does
        self._closed = threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._began_ns = 0  # by the clock, at second 0 of the stream
        self._began = False
        self._child: Child | None = None
        self._left_behind: list[Child] = []
        self._opened: Opened | None = None
        self._records: deque[Record] = deque()
        self._next_number = 0
        self._broken = False  # samples are missing before the next frame
        self._flowing_since_s = 0.0
        self._try_at_s = 0.0
        self._waited_s = 0.0  # with nothing to read: for a sample, from this process
        self._reason = "the microphone is being opened"
        self._tell_now = False  # the reason is new
        self._over: str | None = None  # why the child will say no more than it has
        self._name = settings.device
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
        """The device's full name, as of its last opening; what the settings call it, before."""
        return self._name

    @property
    def sample_rate_hz(self) -> int | None:
        """Of its last opening; None before the first."""
        return self._timeline.rate_hz or None

    @property
    def reopened(self) -> int:
        """How often it was opened again after it had been open."""
        return max(0, self.opened - 1)

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Sound, about every 50 ms, or the reason why there is none, at least every 250 ms; for ever, until `close`.

        Second 0 of the stream is when this begins. The time of a message is never before that of a sample
        further up, nor does a sample's ever go back. A hang shorter than `Patience.hung_s` may be told as
        `NoAudio` and its sound come after all, in a burst: such a block then begins before that message.
        """
        try:
            while (heard := self._next()) is not None:
                yield heard
        finally:
            with self._lock:
                self._discard()

    def close(self) -> None:
        """Let go of the microphone; idempotent, from any thread. `blocks` then ends within a second."""
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
            told_s = self._now_s()
            while not self._closed.is_set():
                block = self._block()
                if block is not None:
                    return block
                left_s = told_s + self._patience.quiet_s - self._now_s()
                if left_s <= 0 or self._tell_now:
                    self._tell_now = False
                    return NoAudio(self._reason, self._timeline.end_s, max(self._now_s(), self._timeline.end_s))
                self._wait(left_s)
            return None

    def _now_s(self) -> float:
        return (self._clock_ns() - self._began_ns) / 1e9

    def _block(self) -> AudioBlock | None:
        """The next block of what has been read, if any."""
        while self._records:
            try:
                block = self._taken(self._records.popleft())
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                self._give_up(nonsense(error))
                return None
            if block is not None:
                return block
        if self._over is not None:
            self._give_up(self._over)
        return None

    def _wait(self, most_s: float) -> None:
        """Wait for a record, or for the time to do something about there being none."""
        child = self._child
        if child is None:
            until_s = self._try_at_s - self._now_s()
            if until_s <= 0:
                self._start()
            else:
                readable([self._wake], min(until_s, most_s))
            return
        limit_s = self._patience.hung_s if self._opened else self._patience.opening_s
        began_s = self._now_s()
        may_read = child.poll(self._wake, most_s=min(most_s, max(0.0, limit_s - self._waited_s)))
        if may_read:
            self._read(child)
            return
        self._waited_s += self._now_s() - began_s
        if self._waited_s >= limit_s:
            self._give_up(self._hung(limit_s))

    def _hung(self, limit_s: float) -> str:
        what = "gives no sound" if self._opened else "does not open"
        return f'"{self._name}" or its sound server hangs: it {what} for {limit_s:g} s'

    # --- the child

    def _start(self) -> None:
        self._left_behind = [child for child in self._left_behind if not child.is_gone()]
        options = {
            "device": self._settings.device,
            "channel": self._settings.channel,
            "sample_rate_hz": self._settings.sample_rate_hz,
        }
        try:
            self._child = Child([*self._command, json.dumps(options)])
        except OSError as error:  # no memory, no process, no descriptor left: perhaps later
            self._give_up(f"the capture process cannot be started: {error}")
        self._waited_s = 0.0

    def _read(self, child: Child) -> None:
        records, self._over = child.read()
        if records:
            self._waited_s = 0.0
            self._records.extend(records)

    def _give_up(self, reason: str) -> None:
        """Kill the child, and say when the next is started."""
        if self._opened and self._now_s() - self._flowing_since_s >= self._patience.steady_s:
            self._backoff.reset()
        self._reason = f"{reason}; it is tried again and again"
        self._tell_now = True
        self._discard()
        self._try_at_s = self._now_s() + self._backoff.next_s()

    def _discard(self) -> None:
        self._records.clear()
        self._opened = None
        self._over = None
        if self._child is not None:
            if not self._child.kill():
                self._left_behind.append(self._child)
            self._child = None

    # --- its records

    def _taken(self, record: Record) -> AudioBlock | None:
        if record.kind == FRAME and self._opened:
            return self._framed(record, self._opened)
        if record.kind == OPENED and not self._opened:
            self._begin(Opened.parsed(record.payload))
        elif record.kind == ERROR:
            self._give_up(record.payload.decode(errors="replace"))
        else:
            raise Nonsense(f"a record of kind {record.kind} where none is due")
        return None

    def _begin(self, opened: Opened) -> None:
        if self._settings.channel is not None and self._settings.channel >= opened.channels:
            raise Nonsense(f"{opened.channels} channels, of which none is {self._settings.channel + 1}")
        self._opened = opened
        self._name = opened.name
        self._next_number = 0
        self._flowing_since_s = self._now_s()
        self._reason = f'"{opened.name}" gives no sound'
        self._timeline.reopen(opened.sample_rate_hz)
        self._broken = self.opened > 0
        self.opened += 1

    def _framed(self, record: Record, opened: Opened) -> AudioBlock | None:
        samples = mono(record.payload, opened.channels, self._settings.channel)
        lost = bool(record.flags & OVERFLOWED) or record.number != self._next_number
        self._next_number = (record.number + 1) % _NUMBERS
        at_s = min((record.at_ns - self._began_ns) / 1e9, self._now_s())  # nothing was read in the future
        place = self._timeline.place(at_s, len(samples), lost=lost)
        self._broken |= lost or place is None or place.after_gap
        self.overruns += lost or (place is not None and place.after_gap)
        if place is None:
            return None
        after_gap, self._broken = self._broken, False
        return AudioBlock(samples, opened.sample_rate_hz, place.start_sample, after_gap=after_gap)


def mono(payload: bytes, channels: int, channel: int | None) -> npt.NDArray[np.float32]:
    """Interleaved little-endian float32 of a frame -> float32 (n,) in [-1, 1]: one channel, or the mean of all.

    Args:
        payload: n * channels samples.
        channels: in the payload.
        channel: from 0; None for the mean.

    Raises:
        Nonsense: it is no whole number of samples, or one of them is no number.
    """
    size = 4 * channels
    if not payload or len(payload) % size:
        raise Nonsense(f"a frame of {len(payload)} bytes for {channels} channels")
    both = np.frombuffer(payload, "<f4").reshape(-1, channels)  # (n, channels)
    one = both.mean(axis=1, dtype=np.float32) if channel is None else both[:, channel]  # (n,)
    if not np.isfinite(one).all():
        raise Nonsense("a sample that is no number")
    clipped: npt.NDArray[np.float32] = np.clip(one, -1.0, 1.0).astype(np.float32)
    return clipped


class _Backoff:
    """Time until the next attempt: doubled each time, up to a limit, and spread by chance over its upper half."""

    def __init__(self, patience: Patience, chance: random.Random) -> None:
        self._patience = patience
        self._chance = chance
        self._failures = 0

    def reset(self) -> None:
        self._failures = 0

    def next_s(self) -> float:
        doubled_s = self._patience.backoff_s * 2.0 ** min(self._failures, 32)
        self._failures += 1
        return min(doubled_s, self._patience.most_backoff_s) * self._chance.uniform(0.5, 1.0)
