"""Recordings as if a microphone heard them, one after another: at real pace, faster, or over and over."""

from __future__ import annotations

import math
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from device.errors import RecordingError
from device.sources.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.messages import AudioBlock

BLOCK_S = 0.05
"""As a microphone gives them."""

NAMED_S = 60.0
"""A name is asked for when the sound was heard: nothing that is older still waits."""

_TOLERANCE = 1e-6
"""Of a sample: what seconds lose in a float."""


class FilePlayback:
    """One stream made of recordings; where the next one begins, samples are said to be missing.

    Args:
        paths: of recordings.
        channel: that is heard, from 0; None for the mean of all.
        speed: times as fast as they were recorded.
        loops: begin again after the last one, for ever.
    """

    def __init__(self, paths: Sequence[str], *, channel: int | None, speed: float = 1.0, loops: bool = False) -> None:
        self._paths = list(paths)
        self._channel = channel
        self._speed = speed
        self._loops = loops
        self._closed = threading.Event()
        self._begun: tuple[tuple[float, str], ...] = ()  # (second, path), oldest first; replaced whole, for threads
        self._end_s = 0.0
        self.failures = 0

    def __repr__(self) -> str:
        return f"FilePlayback({len(self._paths)} recordings, {self._speed:g} x, {self._end_s:.1f} s so far)"

    def name_at(self, stream_s: float) -> str:
        """The recording that is heard up to this second of the stream."""
        begun = self._begun or ((0.0, self._paths[0]),)
        return next((path for start_s, path in reversed(begun) if start_s < stream_s), begun[0][1])

    def close(self) -> None:
        """`blocks` ends soon; idempotent, from any thread."""
        self._closed.set()

    def blocks(self) -> Iterator[AudioBlock]:
        """All recordings, paced; what cannot be heard is said on stderr and counted, the others are heard."""
        began_s = time.monotonic()
        while not self._closed.is_set():
            heard_s = self._end_s
            for path in self._paths:
                if self._closed.is_set():
                    return
                yield from self._paced(path, began_s)
            if not self._loops or self._end_s == heard_s:
                return

    def _paced(self, path: str, began_s: float) -> Iterator[AudioBlock]:
        try:
            for block in self._placed(path):
                due_s = began_s + block.end_sample / block.sample_rate_hz / self._speed
                if self._closed.wait(max(0.0, due_s - time.monotonic())):
                    return
                self._end_s = block.end_sample / block.sample_rate_hz
                yield block
        except RecordingError as error:
            self.failures += 1
            print(f"auricle: {error}", file=sys.stderr, flush=True)

    def _placed(self, path: str) -> Iterator[AudioBlock]:
        """The blocks of one recording, at their place in the stream."""
        with Recording(path, channel=self._channel) as recording:
            rate_hz = recording.sample_rate_hz
        offset, follows = math.ceil(self._end_s * rate_hz - _TOLERANCE), bool(self._begun)
        self._begin(path)
        with Recording(path, channel=self._channel, block_samples=max(1, round(rate_hz * BLOCK_S))) as recording:
            for block in recording.blocks():
                after_gap = block.after_gap or (follows and block.start_sample == 0)
                yield replace(block, start_sample=offset + block.start_sample, after_gap=after_gap)

    def _begin(self, path: str) -> None:
        """From here on this one is heard; those that were over long ago are forgotten, or a loop would hoard them."""
        over = sum(start_s < self._end_s - NAMED_S for start_s, _ in self._begun[1:])
        self._begun = (*self._begun[over:], (self._end_s, path))
