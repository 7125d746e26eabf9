"""What the daemon heard in the last hours, window by window, within a fixed number of bytes; no sound, and no clock.

Items are packed by the minute. The oldest are forgotten when the bytes are used up. It knows which stretches it has
followed without a miss, and why it knows nothing of the others.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from device.messages import Heard
from device.runtime.sockets.recent_hearing import HeardItem, item_json, item_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_BYTES = 8 << 20
"""Of packed items: about twelve hours of the profile nursery."""

MOST_CHANGES = 2000
"""Of events and faults. They are kept apart, since one may begin hours before the moment in question."""

MOST_STRETCHES = 500
PACKED_S = 60.0
MOST_OPEN = 600
"""Items that are packed together."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time that was followed without a miss.

    Attributes:
        from_utc_s: begin.
        until_utc_s: end.
        before: why nothing is known of the time before it.
    """

    from_utc_s: float
    until_utc_s: float
    before: str


@dataclass(frozen=True, slots=True)
class _Pack:
    from_utc_s: float
    until_utc_s: float
    data: bytes


class ScoreRing:
    """Keeps what it is given, oldest first.

    Args:
        most_bytes: of packed items.

    Attributes:
        packed_bytes: that the packed items take now.
        why_not_now: why nothing is known of the present; empty while the daemon answers.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._packs: deque[_Pack] = deque()
        self._open: list[HeardItem] = []
        self._changes: deque[HeardItem] = deque(maxlen=MOST_CHANGES)
        self._stretches: deque[Stretch] = deque(maxlen=MOST_STRETCHES)
        self._daemon: object = None
        self._number = 0
        self._has_forgotten = False
        self.packed_bytes = 0
        self.why_not_now = _NOT_YET

    def __repr__(self) -> str:
        return f"ScoreRing({len(self._packs)} packs, {self.packed_bytes} of {self._most_bytes} bytes)"

    def add(self, utc_s: float, items: Sequence[HeardItem], *, daemon: object) -> list[HeardItem]:
        """Keep what a daemon answered at a time of day; returns the items that are new.

        Args:
            utc_s: when it answered.
            items: the newest that it has, oldest first.
            daemon: another one after it was started anew, when its numbers begin again.
        """
        is_another = daemon != self._daemon
        fresh = [item for item in items if is_another or item.number > self._number]
        self._extend(utc_s, fresh, self._why_apart(utc_s, fresh, is_another=is_another))
        self._daemon = daemon
        if is_another:
            self._number = 0
        for item in fresh:
            self._keep(item)
        self.why_not_now = ""
        return fresh

    def known(self, daemon: object) -> int:
        """The number of the newest item of a daemon that is kept; 0 without any."""
        return self._number if daemon == self._daemon else 0

    def miss(self, why: str) -> None:
        """The daemon did not answer, or its answer is too old; why."""
        self.why_not_now = why

    def _why_apart(self, utc_s: float, fresh: Sequence[HeardItem], *, is_another: bool) -> str:
        """Why something may be missing between what is known and this answer; empty if nothing is."""
        if not self._stretches:
            return _NOT_YET
        if is_another:
            return f"the daemon was started anew ({self.why_not_now})" if self.why_not_now else _RESTARTED
        if utc_s < self._stretches[-1].until_utc_s:
            return "the clock was set back"
        return _LATE if fresh and fresh[0].number != self._number + 1 else ""

    def _extend(self, utc_s: float, fresh: Sequence[HeardItem], why_apart: str) -> None:
        if why_apart:
            since_utc_s = min([utc_s, *(item.at_utc_s for item in fresh)])
            self._stretches.append(Stretch(since_utc_s, utc_s, why_apart))
        else:
            self._stretches[-1] = replace(self._stretches[-1], until_utc_s=utc_s)

    @property
    def stretches(self) -> list[Stretch]:
        """The times that are known, oldest first, as far as items are still kept."""
        oldest = self.oldest_utc_s
        if oldest is None:
            return list(self._stretches)
        kept = [each for each in self._stretches if each.until_utc_s >= oldest]
        if kept and self._has_forgotten and kept[0].from_utc_s < oldest:
            kept[0] = Stretch(oldest, kept[0].until_utc_s, _FORGOTTEN)
        return kept

    @property
    def oldest_utc_s(self) -> float | None:
        """The oldest time of an item; None without any."""
        if self._packs:
            return self._packs[0].from_utc_s
        return self._open[0].at_utc_s if self._open else None

    def between(self, from_utc_s: float, until_utc_s: float) -> Iterator[HeardItem]:
        """The items that were heard in a time, in the order in which they came; may be read in another thread."""
        packs = [each for each in self._packs if each.until_utc_s >= from_utc_s and each.from_utc_s <= until_utc_s]
        return _read(packs, list(self._open), from_utc_s, until_utc_s)

    def changes(self) -> list[HeardItem]:
        """The events, and the faults but gaps, that are kept apart, however old; oldest first."""
        return list(self._changes)

    # --- keeping

    def _keep(self, item: HeardItem) -> None:
        self._number = item.number
        self._open.append(item)
        faults = [fault for fault in item.heard.faults if fault.kind != "gap"]
        if item.heard.events or faults:
            self._changes.append(replace(item, heard=Heard(events=item.heard.events, faults=faults)))
        if len(self._open) >= MOST_OPEN or item.at_utc_s - self._open[0].at_utc_s >= PACKED_S:
            self._pack()

    def _pack(self) -> None:
        items, self._open = self._open, []
        times = [item.at_utc_s for item in items]
        text = json.dumps([item_json(item) for item in items], ensure_ascii=True, separators=(",", ":"))
        pack = _Pack(min(times), max(times), zlib.compress(text.encode()))
        self._packs.append(pack)
        self.packed_bytes += len(pack.data)
        while self.packed_bytes > self._most_bytes:
            self.packed_bytes -= len(self._packs.popleft().data)
            self._has_forgotten = True


_NOT_YET = "the page had just been started"
_LATE = "the page did not ask the daemon in time, and missed what it heard"
_RESTARTED = "the daemon was started anew"
_FORGOTTEN = "it is too long ago: the page keeps a fixed number of bytes"


def _unpacked(pack: _Pack) -> list[HeardItem]:
    return [item_of(value) for value in json.loads(zlib.decompress(pack.data))]


def _read(
    packs: Sequence[_Pack], newest: Sequence[HeardItem], from_utc_s: float, until_utc_s: float
) -> Iterator[HeardItem]:
    for items in itertools.chain(map(_unpacked, packs), [newest]):
        yield from (item for item in items if from_utc_s <= item.at_utc_s <= until_utc_s)
