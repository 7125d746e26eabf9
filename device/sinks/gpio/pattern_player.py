"""Plays the patterns of a signal on outputs, in a thread that sleeps while nothing changes."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from device.sinks.gpio.patterns import OFF, Track, pattern_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from device.sinks.gpio.patterns import Light, Signal

_JOIN_S = 1.0


class PatternPlayer:
    """Plays patterns on outputs, in a thread of its own.

    The first level of a new pattern is set by the caller of `show`, at once.

    Args:
        outputs: output -> the function that sets its level, which must not raise.
        clock: monotonic, in seconds.
    """

    def __init__(
        self, outputs: Mapping[Light, Callable[[bool], None]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._tracks = {light: Track(set_level) for light, set_level in outputs.items()}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._play, name="gpio-patterns", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        playing = ", ".join(f"{light} {track.pattern.words}" for light, track in self._tracks.items())
        return f"PatternPlayer({'closed' if self._stopping else playing})"

    def show(self, signal: Signal) -> None:
        """Start the patterns of a signal; a pattern that is playing already goes on undisturbed."""
        with self._changed:
            for light, track in self._tracks.items():
                track.begin(pattern_of(light, signal), self._clock())
            self._changed.notify()

    def close(self) -> bool:
        """End the thread and leave each output low; whether the thread ended in time. Idempotent."""
        with self._changed:
            self._stopping = True
            for track in self._tracks.values():
                track.begin(OFF, self._clock())
            self._changed.notify()
        self._thread.join(_JOIN_S)
        return not self._thread.is_alive()

    def _play(self) -> None:
        with self._changed:
            while not self._stopping:
                now_s = self._clock()
                due_s = min((track.advance(now_s) for track in self._tracks.values()), default=math.inf)
                self._changed.wait(None if due_s == math.inf else max(0.0, due_s - self._clock()))
