"""The thread that reads an audio source into a queue; knows no listener."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from device.daemon.audio.audio_queue import AudioQueue, SourceEnded, put_method
from device.errors import AuricleError, one_sentence
from device.messages import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.messages import NoAudio

JOIN_S = 1.5
"""A source ends within 1 s of its close; if one does not, its daemon thread is abandoned."""


class Source(Protocol):
    """A source of audio."""

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Audio, or the report that there is none, until the source is closed or ends."""

    def close(self) -> None:
        """Make `blocks` end soon; from any thread."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source's own figures.

    Attributes:
        device: full name of the microphone; empty until it is known.
        overruns: how often samples were lost.
        reopened: how often it was reopened.
    """

    device: str = ""
    overruns: int = 0
    reopened: int = 0


class SourceThread:
    """Reads a source into a queue of its own, until it is closed.

    Args:
        source: read by this thread alone, and closed with it.
        waits: wait for room if the queue is full, as for a recording; a microphone cannot wait.
        name_at: second of the stream -> name of the source at that time, for people.
        status: returns the source's own figures.

    Attributes:
        queue: the source's items, and at its end a `SourceEnded`.
        newest_s: end of the newest item, in seconds of the stream.
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
        self._put = put_method(self.queue, waits=waits)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    def __repr__(self) -> str:
        return (
            f"SourceThread({self.source!r}, {'closed' if self._stopped.is_set() else f'{self.newest_s:.1f} s so far'})"
        )

    def start(self) -> None:
        """Start reading the source; a second call does nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def close(self) -> bool:
        """Close the source and the thread; idempotent. Returns whether the thread ended in time."""
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
        except Exception as failure:  # noqa: BLE001 - whatever failed, a daemon without audio must end and report it
            error = _said(failure)
        if not self._stopped.is_set():
            self.queue.put(SourceEnded(error))


def _said(failure: Exception) -> str:
    """An error of ours is a sentence; any other says little without its type."""
    return one_sentence(failure) if isinstance(failure, AuricleError) else f"{type(failure).__name__}: {failure}"


def _end_s(item: AudioBlock | NoAudio) -> float:
    return item.end_sample / item.sample_rate_hz if isinstance(item, AudioBlock) else item.at_s
