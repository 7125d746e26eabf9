"""A source and the thread that carries what it gives into the queue; knows nothing of what is heard."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from device.daemon.audio.audio_queue import AudioQueue, SourceEnded, putter
from device.messages import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.messages import NoAudio

JOIN_S = 1.5
"""A source ends within 1 s of its close; one that does not is left behind, its thread cannot keep the process."""


class Source(Protocol):
    """Where sound comes from."""

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Sound, or that there is none, until it is closed or over."""

    def close(self) -> None:
        """From any thread; `blocks` ends soon."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What a source tells of itself.

    Attributes:
        device: full name of the microphone, once known.
        overruns: how often samples were lost.
        reopened: how often it was opened again.
    """

    device: str = ""
    overruns: int = 0
    reopened: int = 0


class SourceThread:
    """Carries a source into a queue of its own, until it is closed.

    Args:
        source: is read from its own thread alone, and closed with it.
        waits: a recording waits where the queue is full; a microphone cannot.
        name_at: second of the stream -> what is heard then, as people call it.
        status: what the source tells of itself.

    Attributes:
        queue: holds what the source gave, and at its end a `SourceEnded`.
        newest_s: how far the stream has come.
    """

    def __init__(
        self, source: Source, *, waits: bool, name_at: Callable[[float], str], status: Callable[[], SourceStatus]
    ) -> None:
        self.source = source
        self.queue = AudioQueue()
        self.newest_s = 0.0
        self.waits = waits
        self.name_at = name_at
        self.status = status
        self._put = putter(self.queue, waits=waits)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    def __repr__(self) -> str:
        return (
            f"SourceThread({self.source!r}, {'closed' if self._stopped.is_set() else f'{self.newest_s:.1f} s so far'})"
        )

    def start(self) -> None:
        """Begin to read the source."""
        self._thread.start()

    def close(self) -> bool:
        """End; idempotent. Whether the thread came to its end in time."""
        self._stopped.set()
        self.source.close()
        self.queue.close()
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        error = None
        try:
            for item in self.source.blocks():
                if self._stopped.is_set():
                    return
                self._put(item)
                self.newest_s = _end_s(item)
        except Exception as failure:  # noqa: BLE001 - whatever it is, a daemon that no longer hears must end and say so
            error = f"{type(failure).__name__}: {failure}"
        if not self._stopped.is_set():
            self.queue.put(SourceEnded(error))


def _end_s(item: AudioBlock | NoAudio) -> float:
    return item.end_sample / item.sample_rate_hz if isinstance(item, AudioBlock) else item.at_s
