"""Sound and picture of an alarm, if people ask for them: pre-roll and post-roll, within a budget.

Off by default, and then nothing here is made. `Clips` is for the main loop and never waits: it keeps the
last seconds in memory, follows an alarm to its post-roll (`Recorder`), and hands the finished clip to a thread that
writes it (`ClipStore`). A clip that cannot be written is dropped and counted: people are told of alarms
elsewhere, and a disk is needed more by those who tell them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from device.errors import MissingExtraError
from device.sinks.clips.clip_store import KEPT_FREE_BYTES, ClipStore
from device.sinks.clips.recorder import Raised, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from device.config.settings import ClipSettings
    from device.messages import AudioBlock, Event
    from device.sinks.clips.clip_store import Picture
    from device.sinks.clips.recorder import Clip

WAITING_BYTES = 24_000_000
"""Finished clips that wait for a slow disk take at most so much memory, but for a single one: 250 s at 48 kHz."""


class Clips:
    """Keeps the sound of alarms, and never makes the main loop wait; closed once, at the end.

    Args:
        settings: how much, and how long; `enabled` is for whoever decides to make this.
        folder: where.
        picture: see `ClipStore`; called in this object's thread.
        clock: monotonic, in seconds.
        kept_free_bytes: see `ClipStore`.

    Raises:
        MissingExtraError: soundfile is not installed.
    """

    name = "clips"

    def __init__(
        self,
        settings: ClipSettings,
        folder: Path,
        *,
        picture: Picture,
        clock: Callable[[], float] = time.monotonic,
        kept_free_bytes: int = KEPT_FREE_BYTES,
    ) -> None:
        _soundfile()
        max_bytes = round(settings.max_mb * 1e6)
        self._store = ClipStore(folder, max_bytes=max_bytes, picture=picture, kept_free_bytes=kept_free_bytes)
        self._recorder = Recorder(settings.before_s, settings.after_s, self._take)
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[Clip] = deque()
        self._closing = False
        self._busy_since_s: float | None = None
        self._evicted = 0
        self._failed = 0
        self._written = 0
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._write_all, name="clips", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "closed" if self._closing else "open"
        return f"Clips({self._store!r}, {state}, {self._written} written, {self.dropped} dropped)"

    @property
    def written(self) -> int:
        """Clips that were written, since the start."""
        return self._written

    @property
    def dropped(self) -> int:
        """Clips that were not written, since the start."""
        return self._evicted + self._failed

    @property
    def failure(self) -> str | None:
        """Why the last clip was not written; None where it was."""
        return self._failure

    def push(self, block: AudioBlock) -> None:
        """Sound as the microphone gave it, before it is heard."""
        self._recorder.push(block)

    def keep(self, event: Event, *, utc_s: float) -> None:
        """Keep the sound around an event that raised an alarm.

        Args:
            event: of the stream that was pushed.
            utc_s: time of day of its `decided_s`.
        """
        self._recorder.keep(Raised(event, utc_s))

    def finish(self) -> None:
        """The stream is over, or another one begins: what is being kept is written as it is."""
        self._recorder.finish()

    def stuck_for_s(self, now_s: float) -> float:
        """How long one clip has been in the writing; 0 where none is."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else max(0.0, now_s - since_s)

    def close(self, deadline_s: float) -> bool:
        """Write what waits and what is being kept; whether that was done within so many seconds. Idempotent."""
        if not self._closing:
            self.finish()
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _take(self, clip: Clip) -> None:
        """The newest waits; where that is too much, the oldest goes."""
        with self._changed:
            self._waiting.append(clip)
            while len(self._waiting) > 1 and sum(waiting.samples.nbytes for waiting in self._waiting) > WAITING_BYTES:
                self._waiting.popleft()
                self._evicted += 1
            self._changed.notify()

    def _write_all(self) -> None:
        with contextlib.suppress(OSError):
            self._store.clean()
        while (clip := self._next()) is not None:
            self._busy_since_s = self._clock()
            self._write(clip)
            self._busy_since_s = None

    def _next(self) -> Clip | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return self._waiting.popleft() if self._waiting else None

    def _write(self, clip: Clip) -> None:
        try:
            self._store.write(clip)
        except Exception as error:  # noqa: BLE001 - a disk, an encoder, a picture: none may end the thread; it is counted
            self._failed += 1
            self._failure = str(error)
        else:
            self._written += 1
            self._failure = None


def _soundfile() -> object:
    """The library, asked for when clips are wanted and not when one is due."""
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("soundfile is not installed, which clips need: install auricle[device]") from error
    return soundfile
