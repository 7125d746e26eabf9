"""Plays recordings one after another like a live source: in real time, faster, or in a loop."""

from __future__ import annotations

import errno
import math
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from device.errors import RecordingError
from device.messages import NoAudio
from device.runtime.stderr_lines import print_notice
from device.sources.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from device.messages import AudioBlock

BLOCK_S = 0.05
"""Length of a block, as from a microphone."""

NAMED_S = 60.0
"""How long the name of a finished recording is kept; queued audio is never older."""

RETRY_S = 0.25
"""How long to wait before a recording is opened once more; NoAudio may come no more rarely."""

_TOLERANCE = 1e-6
"""In samples: rounding error of seconds as a float."""

_PASSES = {errno.EMFILE, errno.ENFILE}
"""Too many files are open, in this process or in all: a recording is as good as before once they are fewer."""


class FilePlayback:
    """One stream made of recordings; each recording but the first follows a gap.

    Args:
        paths: of recordings.
        channel: which to play, from 0; None for the mean of all.
        speed: relative to real time.
        loops: start over after the last one, forever.

    Attributes:
        failures: how many recordings could not be played.
    """

    def __init__(self, paths: Sequence[str], *, channel: int | None, speed: float = 1.0, loops: bool = False) -> None:
        self._paths = list(paths)
        self._channel = channel
        self._speed = speed
        self._loops = loops
        self._closed = threading.Event()
        self._starts: tuple[tuple[float, str], ...] = ()  # (second, path), oldest first; read by other threads
        self._end_s = 0.0
        self.failures = 0

    def __repr__(self) -> str:
        return f"FilePlayback({len(self._paths)} recordings, {self._speed:g} x, {self._end_s:.1f} s so far)"

    def name_at(self, stream_s: float) -> str:
        """The recording that plays up to this second of the stream."""
        starts = self._starts or ((0.0, self._paths[0]),)
        return next((path for start_s, path in reversed(starts) if start_s < stream_s), starts[0][1])

    def close(self) -> None:
        """Make `blocks` end soon; idempotent, from any thread."""
        self._closed.set()

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """All recordings in time; one that cannot be played is reported on stderr, counted and skipped.

        One that cannot be opened because too many files are open is opened again until it can be. Meanwhile there is
        no audio, as of a microphone that is missing, and the stream goes on in time.
        """
        began_s = time.monotonic()
        while not self._closed.is_set():
            pass_start_s = self._end_s
            for path in self._paths:
                if self._closed.is_set():
                    return
                yield from self._in_time(path, began_s)
            if not self._loops or self._end_s == pass_start_s:
                return

    def _in_time(self, path: str, began_s: float) -> Iterator[AudioBlock | NoAudio]:
        try:
            recording = yield from self._opened(path)
            if recording is None:
                return
            with recording:
                for block in self._in_stream(path, recording):
                    due_s = began_s + block.end_sample / block.sample_rate_hz / self._speed
                    if self._closed.wait(max(0.0, due_s - time.monotonic())):
                        return
                    self._end_s = block.end_sample / block.sample_rate_hz
                    yield block
        except RecordingError as error:
            self.failures += 1
            print_notice(str(error))

    def _opened(self, path: str) -> Generator[NoAudio, None, Recording | None]:
        """Open a recording, with no audio for as long as too many files are open; None if it was closed meanwhile.

        Raises:
            RecordingError: something else is wrong with it.
        """
        silent_since_s = self._end_s
        while True:
            try:
                return self._open(path)
            except RecordingError as error:
                problem = error.__cause__
                if not isinstance(problem, OSError) or problem.errno not in _PASSES:
                    raise
            waits_s = time.monotonic()
            if self._closed.wait(RETRY_S):
                return None
            self._end_s += (time.monotonic() - waits_s) * self._speed
            reason = f"{path} cannot be opened ({problem.strerror}); it is tried again"
            yield NoAudio(reason, silent_since_s, self._end_s)

    def _open(self, path: str) -> Recording:
        with Recording(path, channel=self._channel) as recording:
            rate_hz = recording.sample_rate_hz
        return Recording(path, channel=self._channel, block_samples=max(1, round(rate_hz * BLOCK_S)))

    def _in_stream(self, path: str, recording: Recording) -> Iterator[AudioBlock]:
        """The blocks of one recording, numbered as part of the stream."""
        offset = math.ceil(self._end_s * recording.sample_rate_hz - _TOLERANCE)
        follows = offset > 0 or bool(self._starts)
        self._begin(path)
        for block in recording.blocks():
            after_gap = block.after_gap or (follows and block.start_sample == 0)
            yield replace(block, start_sample=offset + block.start_sample, after_gap=after_gap)
        for note in recording.notes:
            print_notice(note)

    def _begin(self, path: str) -> None:
        """Note that a recording starts, and drop the names of old ones, or a loop would collect them without bound."""
        expired = sum(start_s < self._end_s - NAMED_S for start_s, _ in self._starts[1:])
        self._starts = (*self._starts[expired:], (self._end_s, path))
