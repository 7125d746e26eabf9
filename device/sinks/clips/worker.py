"""Records sound and picture of alarms, with pre-roll and post-roll, within a budget of the disk.

Off by default, and then nothing here is created. `Clips` is for the main loop and never waits: it keeps the
last seconds in memory and records to the end of the post-roll (`Recorder`), and hands the finished clip to a thread
that writes it (`ClipStore`). A clip that cannot be written is dropped and counted: alarms are delivered without
clips, and the journal needs the disk more.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from device.errors import MissingExtraError
from device.sinks.clips.clip_store import RESERVED_BYTES, ClipStore
from device.sinks.clips.recorder import ClipAlarm, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from device.config.settings import ClipSettings
    from device.messages import AudioBlock, Event
    from device.sinks.clips.clip_store import Picture
    from device.sinks.clips.recorder import Clip

WAITING_BYTES = 24_000_000
"""Memory of the finished clips that wait for a slow disk, except for a single one: 250 s at 48 kHz."""


class Clips:
    """Records the sound of alarms, and never makes the main loop wait.

    Args:
        settings: lengths and budget; `enabled` is for the caller.
        folder: of the clips.
        picture: see `ClipStore`; called in this object's thread.
        clock: monotonic, in seconds.
        reserved_bytes: see `ClipStore`.

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
        reserved_bytes: int = RESERVED_BYTES,
    ) -> None:
        _require_soundfile()
        max_bytes = round(settings.max_mb * 1e6)
        self._store = ClipStore(folder, max_bytes=max_bytes, picture=picture, reserved_bytes=reserved_bytes)
        self._recorder = Recorder(settings.before_s, settings.after_s, self._enqueue)
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
        """Why the last clip was not written; None if it was."""
        return self._failure

    def push(self, block: AudioBlock) -> None:
        """Push a block of the microphone; called before it is analysed."""
        self._recorder.push(block)

    def keep(self, event: Event, *, utc_s: float) -> None:
        """Record the sound around an event that raised an alarm.

        Args:
            event: of the stream that was pushed.
            utc_s: time of day of its `decided_s`.
        """
        self._recorder.keep(ClipAlarm(event, utc_s))

    def finish(self) -> None:
        """End the clip that is being recorded: the stream has ended, or another one begins."""
        self._recorder.finish()

    def stuck_for_s(self, now_s: float) -> float:
        """How long the thread has been writing one clip; 0 if it writes none."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else max(0.0, now_s - since_s)

    def close(self, deadline_s: float) -> bool:
        """Write what waits and what is being recorded; whether that was done within the deadline. Idempotent."""
        if not self._closing:
            self.finish()
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _enqueue(self, clip: Clip) -> None:
        """Queue a clip for writing; if that is too much, the oldest is dropped."""
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
        except Exception as error:  # noqa: BLE001 - no error of disk or encoder may end the thread; it is counted
            self._failed += 1
            self._failure = str(error)
        else:
            self._written += 1
            self._failure = None


def _require_soundfile() -> object:
    """The library, required when clips are enabled and not only when one is due."""
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("soundfile is not installed, which clips need: install auricle[device]") from error
    return soundfile
