"""What must have arrived: all that a journal held, held against what the subscriber has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from device.alarms.machine import AFTER_RESTART_SEQ

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from device.alarms.journal.entries import Entry, Key

_TOLD_ANEW = ("decided_to_told_s", "late", "not_durable")
_UNREADABLE = re.compile(r"(\d+) could not be")


@dataclass(frozen=True, slots=True)
class Copy:
    """A change of an alarm as it came.

    Attributes:
        told: the payload.
        at_utc_s: when it came.
    """

    told: Mapping[str, Any]
    at_utc_s: float

    @property
    def key(self) -> Key:
        """(alarm_id, seq)."""
        return self.told["alarm_id"], self.told["seq"]

    @property
    def said(self) -> dict[str, Any]:
        """What it says whenever it is told."""
        return {name: value for name, value in self.told.items() if name not in _TOLD_ANEW}

    @property
    def decided_utc_s(self) -> float:
        """When it was decided: by the daemon's own account of how long ago that is, else by its clock."""
        ago_s = self.told["decided_to_told_s"]
        if ago_s is not None:
            return self.at_utc_s - float(ago_s)
        return datetime.fromisoformat(self.told["decided_utc"]).timestamp()


@dataclass(slots=True)
class Judgement:
    """What became of all alarms.

    Attributes:
        owed: how many had to arrive.
        lost: that did not arrive though the journal held them, or that are missing between others.
        unkept: that were told as durable and that no journal ever held.
        contradicted: of which two copies say different things.
        worst_delay_s: from the decision, or from when all was well again, to the first copy.
        copies: that came beside the first ones.
        from_memory: alarms that were told first before a disk had them.
        unreadable: entries that the daemon said a damaged journal had lost, if any.
    """

    owed: int = 0
    lost: list[Key] = field(default_factory=list)
    unkept: list[Key] = field(default_factory=list)
    contradicted: list[Key] = field(default_factory=list)
    worst_delay_s: float = 0.0
    copies: int = 0
    from_memory: int = 0
    unreadable: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing was lost but what the daemon itself said could not be read any more."""
        return len(self.lost) <= self.unreadable and not self.unkept and not self.contradicted


def judge(
    kept: Mapping[Key, Entry],
    copies: Sequence[Copy],
    *,
    well_utc_s: Sequence[float] = (),
    killed: Collection[str] = (),
    keeps_all: bool = True,
) -> Judgement:
    """Hold what came against what was kept.

    Args:
        kept: all that the journal was ever seen to hold.
        copies: in the order of their coming.
        well_utc_s: when a fault was over.
        killed: what ids begin with, up to the first -, of daemons that were killed; of all others' alarms every
            change must have come up to the last one.
        keeps_all: False where the journal had to let go of what was told, to make room.
    """
    first: dict[Key, Copy] = {}
    found = Judgement(copies=len(copies))
    for copy in copies:
        if first.setdefault(copy.key, copy).said != copy.said:
            found.contradicted.append(copy.key)
        found.worst_delay_s = max(found.worst_delay_s, _delay_s(first[copy.key], well_utc_s))
    durable = {copy.key for copy in copies if not copy.told["not_durable"]}
    owed = kept.keys() | durable | _between(kept.keys() | first.keys(), killed)
    found.owed = len(owed)
    found.copies -= len(first)
    found.unreadable = sum(_unreadable(copy) for copy in first.values())
    found.from_memory = sum(copy.told["not_durable"] for copy in first.values())
    found.lost = sorted(owed - first.keys())
    found.unkept = sorted(durable - kept.keys()) if keeps_all else []
    return found


def _delay_s(copy: Copy, well_utc_s: Sequence[float]) -> float:
    since_utc_s = max([copy.decided_utc_s, *(well for well in well_utc_s if well <= copy.at_utc_s)])
    return copy.at_utc_s - since_utc_s


def _between(known: Collection[Key], killed: Collection[str]) -> set[Key]:
    """All changes before known ones, of alarms that began in lives that were not killed; a restart skips some."""
    missing: set[Key] = set()
    for alarm_id, seq in known:
        if life_of(alarm_id) in killed:
            continue
        before = next((other for other in range(seq - 1, -1, -1) if (alarm_id, other) in known), -1)
        if seq - before < AFTER_RESTART_SEQ:
            missing.update((alarm_id, between) for between in range(before + 1, seq))
    return missing


def life_of(alarm_id: str) -> str:
    """What ids of one life of the daemon begin with: a stream's or a boot's id."""
    return alarm_id.partition("-")[0]


def _unreadable(copy: Copy) -> int:
    told = copy.told
    if told["name"] != "journal" or told["change"] != "raised":
        return 0
    number = _UNREADABLE.search(told["detail"])
    return int(number[1]) if number else 0
