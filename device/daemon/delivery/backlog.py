"""Which entries the journal still has to hand out, as ordinals, in the order of their delivery. Pure.

Alarms with an urgent entry come first, of these the newest, since the current alarm matters most. The others follow,
the oldest first. Entries of one alarm stay together and in their order. One entry costs 8 bytes, one alarm some 300,
so that the size of the journal bounds all of it; taking the next entries costs the same however many there are.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


class Backlog:
    """Ordinals of owed entries, by alarm."""

    def __init__(self) -> None:
        self._alarms: OrderedDict[str, array[int]] = OrderedDict()
        self._count = 0

    def __repr__(self) -> str:
        return f"Backlog({self._count} entries of {len(self._alarms)} alarms)"

    def __len__(self) -> int:
        return self._count

    def load(self, rows: Iterable[tuple[str, int]]) -> None:
        """Replace all of it.

        Args:
            rows: (alarm_id, ordinal): the urgent ones first, newest first, then the others, oldest first.
        """
        self._alarms.clear()
        self._count = 0
        for alarm_id, ordinal in rows:
            self._alarms.setdefault(alarm_id, array("q")).append(ordinal)
            self._count += 1
        for alarm_id, ordinals in self._alarms.items():
            if len(ordinals) > 1:
                self._alarms[alarm_id] = array("q", sorted(ordinals))

    def add(self, alarm_id: str, ordinal: int, *, urgent: bool) -> None:
        """Add an entry that was committed just now."""
        is_new = alarm_id not in self._alarms
        self._alarms.setdefault(alarm_id, array("q")).append(ordinal)
        self._count += 1
        if is_new and urgent:
            self.prefer(alarm_id)

    def prefer(self, alarm_id: str) -> None:
        """Hand out the entries of this alarm next, if there are any."""
        if alarm_id in self._alarms:
            self._alarms.move_to_end(alarm_id, last=False)

    def head(self, alarm_id: str) -> int | None:
        """The oldest ordinal of an alarm; None if it has none here."""
        ordinals = self._alarms.get(alarm_id)
        return None if ordinals is None else ordinals[0]

    def peek(self, count: int, skip: Collection[str] = ()) -> Sequence[tuple[str, int]]:
        """The next `count` entries as (alarm_id, ordinal), but none of the alarms to skip."""
        found: list[tuple[str, int]] = []
        for alarm_id, ordinals in self._alarms.items():
            if len(found) >= count:
                break
            if alarm_id not in skip:
                found += [(alarm_id, ordinal) for ordinal in ordinals[: count - len(found)]]
        return found

    def remove(self, rows: Iterable[tuple[str, int]]) -> None:
        """Remove entries that `peek` returned, in that order."""
        counts: dict[str, int] = {}
        for alarm_id, _ in rows:
            counts[alarm_id] = counts.get(alarm_id, 0) + 1
        for alarm_id, count in counts.items():
            ordinals = self._alarms.get(alarm_id, array("q"))
            self._count -= min(count, len(ordinals))
            del ordinals[:count]
            if not ordinals:
                self._alarms.pop(alarm_id, None)
