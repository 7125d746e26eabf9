"""A source and the thread that carries what it gives into the inbox; knows nothing of what is heard."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from device.messages import AudioBlock
from device.service.inbox import SourceEnded, putter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.messages import NoAudio
    from device.service.inbox import Inbox

JOIN_S = 2.0
"""A source ends within 1 s of its close; one that does not is left behind, its thread cannot keep the process."""


class Source(Protocol):
    """Where sound comes from."""

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Sound, or that there is none, until it is closed or over."""

    def close(self) -> None:
        """From any thread; `blocks` ends soon."""


class Feed:
    """Carries a source into an inbox, until either is closed.

    Args:
        source: is read from the feed's own thread alone, and closed with the feed.
        inbox: takes what it gives, and at the end a `SourceEnded`.
        waits: a recording waits where the inbox is full; a microphone cannot.
    """

    def __init__(self, source: Source, inbox: Inbox, *, waits: bool) -> None:
        self.source = source
        self.newest_s = 0.0
        self._inbox = inbox
        self._put = putter(inbox, waits=waits)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    def __repr__(self) -> str:
        return f"Feed({self.source!r}, {'closed' if self._stopped.is_set() else f'{self.newest_s:.1f} s so far'})"

    def start(self) -> None:
        """Begin to read the source."""
        self._thread.start()

    def close(self) -> bool:
        """End; idempotent. Whether the thread came to its end in time."""
        self._stopped.set()
        self.source.close()
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
            self._inbox.put(SourceEnded(error))


def _end_s(item: AudioBlock | NoAudio) -> float:
    return item.end_sample / item.sample_rate_hz if isinstance(item, AudioBlock) else item.at_s
