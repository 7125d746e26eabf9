"""Decides whether an alarm was lost: compares what the journal held with what the subscriber received."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from device.alarms.machine import AFTER_RESTART_SEQ

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from device.alarms.journal.entries import Entry, Key

_VARYING_MEMBERS = ("decided_to_told_s", "late", "not_durable")
_UNREADABLE = re.compile(r"(\d+) could not be")


@dataclass(frozen=True, slots=True)
class Copy:
    """A change of an alarm as the subscriber received it; a change may be received several times.

    Attributes:
        payload: the MQTT message, parsed.
        received_utc_s: when it was received.
    """

    payload: Mapping[str, Any]
    received_utc_s: float

    @property
    def key(self) -> Key:
        """(alarm_id, seq)."""
        return self.payload["alarm_id"], self.payload["seq"]

    @property
    def content(self) -> dict[str, Any]:
        """The members that must be equal in every copy."""
        return {name: value for name, value in self.payload.items() if name not in _VARYING_MEMBERS}

    @property
    def decided_utc_s(self) -> float:
        """When it was decided: by the daemon's own account of how long ago that is, else by its clock."""
        ago_s = self.payload["decided_to_told_s"]
        if ago_s is not None:
            return self.received_utc_s - float(ago_s)
        return datetime.fromisoformat(self.payload["decided_utc"]).timestamp()


@dataclass(slots=True)
class Judgement:
    """The result for all changes of alarms.

    Attributes:
        owed: number of changes that had to arrive.
        lost: changes that did not arrive though the journal held them, or that are missing between others.
        unjournalled: changes that were published as durable and that no journal ever held.
        contradictory: changes of which two copies differ.
        worst_delay_s: from the decision, or from the end of the fault if that is later, to the first copy.
        copies: number of copies after the first of each change.
        from_memory: number of changes whose first copy was published before the disk had them.
        unreadable: number of entries that the daemon reported as lost by a damaged journal.
    """

    owed: int = 0
    lost: list[Key] = field(default_factory=list)
    unjournalled: list[Key] = field(default_factory=list)
    contradictory: list[Key] = field(default_factory=list)
    worst_delay_s: float = 0.0
    copies: int = 0
    from_memory: int = 0
    unreadable: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing was lost except what the daemon itself reported as unreadable."""
        return len(self.lost) <= self.unreadable and not self.unjournalled and not self.contradictory


def judge(
    journalled: Mapping[Key, Entry],
    copies: Sequence[Copy],
    *,
    recovered_utc_s: Sequence[float] = (),
    killed_ids: Collection[str] = (),
    journal_keeps_all: bool = True,
) -> Judgement:
    """Compare what was received with what was journalled.

    Args:
        journalled: all entries that the journal was ever seen to hold.
        copies: in arrival order.
        recovered_utc_s: when each fault was over.
        killed_ids: prefixes of alarm ids, up to the first -, of daemons that were killed. Of every other daemon all
            changes up to the last known one must have arrived.
        journal_keeps_all: False if the journal had to delete delivered entries to make room.
    """
    first: dict[Key, Copy] = {}
    found = Judgement(copies=len(copies))
    for copy in copies:
        if first.setdefault(copy.key, copy).content != copy.content:
            found.contradictory.append(copy.key)
        found.worst_delay_s = max(found.worst_delay_s, _delay_s(first[copy.key], recovered_utc_s))
    durable = {copy.key for copy in copies if not copy.payload["not_durable"]}
    owed = journalled.keys() | durable | _missing_between(journalled.keys() | first.keys(), killed_ids)
    found.owed = len(owed)
    found.copies -= len(first)
    found.unreadable = sum(_unreadable(copy) for copy in first.values())
    found.from_memory = sum(copy.payload["not_durable"] for copy in first.values())
    found.lost = sorted(owed - first.keys())
    found.unjournalled = sorted(durable - journalled.keys()) if journal_keeps_all else []
    return found


def _delay_s(copy: Copy, recovered_utc_s: Sequence[float]) -> float:
    since_utc_s = max([copy.decided_utc_s, *(end for end in recovered_utc_s if end <= copy.received_utc_s)])
    return copy.received_utc_s - since_utc_s


def _missing_between(known: Collection[Key], killed_ids: Collection[str]) -> set[Key]:
    """Unknown changes before known ones, of alarms of daemons that were not killed; a restart skips numbers."""
    missing: set[Key] = set()
    newest: dict[str, int] = {}
    for alarm_id, seq in sorted(known):
        before, newest[alarm_id] = newest.get(alarm_id, -1), seq
        if id_prefix(alarm_id) not in killed_ids and seq - before < AFTER_RESTART_SEQ:
            missing.update((alarm_id, between) for between in range(before + 1, seq))
    return missing


def id_prefix(alarm_id: str) -> str:
    """The part of an alarm's id that one run of the daemon has in common: a stream's or a boot's id."""
    return alarm_id.partition("-")[0]


def _unreadable(copy: Copy) -> int:
    payload = copy.payload
    if payload["name"] != "journal" or payload["change"] != "raised":
        return 0
    number = _UNREADABLE.search(payload["detail"])
    return int(number[1]) if number else 0
