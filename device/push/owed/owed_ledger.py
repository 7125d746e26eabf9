"""What is owed to whom, from the journal's row to the service's acceptance. Pure.

Each change of an alarm that a rule matches is owed to it until the service has accepted a message about it; after that
it is not sent again. One that comes late says so; several late ones become one summary. Of one alarm, changes go in the
order of `seq`. A rule with a delay is owed an alarm only once nobody has acknowledged it for that long.

The clocks are arguments. Knows no service and no file: `unsaved` gives what changed since it was kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.push.owed.alarm_change import AlarmChange, parse_change
from device.push.owed.ledger_content import LedgerContent, LedgerUpdate, OwedChange, OwedKey, Told, ToldKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from device.alarms.journal.entries import Mark, Row
    from device.alarms.journal.following import Following, Present
    from device.push.owed.notify_rule import NotifyRule

LATE_AFTER_S = 60.0
"""What waits longer has met an outage: of several such changes one summary is made."""

MOST_AT_ONCE = 8
"""More changes than this become a summary even if none is late."""

MOST_HANDLED = 20000
"""Alarms that are remembered as handled: more than a journal of the default size holds."""

MOST_TOLD = 500
"""Open alarms of which it is remembered what was sent: far more than can be open."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to be sent.

    Attributes:
        rule: name of the rule that it is owed to.
        changes: that it is about, in order: one, unless it is a summary.
        late_s: how long the one that waited longest has waited.
        receipts: what the service called earlier messages: alarm id -> receipt, empty if there is none.
    """

    rule: str
    changes: tuple[AlarmChange, ...]
    late_s: float
    receipts: Mapping[str, str]

    @property
    def is_summary(self) -> bool:
        """Whether it is about several changes."""
        return len(self.changes) > 1

    @property
    def newest(self) -> tuple[AlarmChange, ...]:
        """The newest change of each alarm, in order."""
        return tuple({change.alarm_id: change for change in self.changes}.values())


class OwedLedger:
    """All that is owed, and what was sent about open alarms.

    Args:
        rules: of the configuration; what is owed to a rule that is gone is dropped.
        content: as it was kept.

    Attributes:
        mark: the last row of the journal that was looked at; None before the first.
        unreadable: rows that another version wrote, since the start.
    """

    def __init__(self, rules: Sequence[NotifyRule], content: LedgerContent) -> None:
        self.mark = content.mark
        self.unreadable = 0
        self._rules = {rule.name: rule for rule in rules}
        self._known_rules = content.rules
        self._owed = {key: owed for key, owed in content.owed.items() if key.rule in self._rules}
        self._told = {key: told for key, told in content.told.items() if key.rule in self._rules}
        self._handled = dict(content.handled)
        self._dirty_owed = {key for key in content.owed if key.rule not in self._rules}
        self._dirty_told = {key for key in content.told if key.rule not in self._rules}
        self._dirty_handled: set[str] = set()
        self._is_dirty = bool(self._dirty_owed or self._dirty_told)

    def __repr__(self) -> str:
        return f"OwedLedger({len(self._owed)} owed, {len(self._told)} told, at {self.mark})"

    # --- from the journal

    def begin(self, present: Present, now_s: float) -> None:
        """Owe the open alarms to rules that are new; the first time of all, take the rest of the journal as handled.

        A ledger that has begun with an empty journal has rules, but no mark: whatever came since then is new to it.

        Args:
            present: what the journal holds.
            now_s: monotonic.
        """
        if self.mark is None and not self._known_rules:
            for alarm_id, seq in present.last_seqs.items():
                self._set_handled(alarm_id, seq)
            self._set_mark(present.mark)
        new_rules = [rule for name, rule in self._rules.items() if name not in self._known_rules]
        for row in present.open_rows:
            change = parse_change(row.entry)
            if change is not None and row.entry.seq <= self._handled.get(row.entry.alarm_id, -1):
                self._consider(change, now_s, new_rules)
        self._is_dirty = self._is_dirty or self._known_rules != frozenset(self._rules)
        self._known_rules = frozenset(self._rules)

    def take(self, following: Following, now_s: float) -> None:
        """Owe what new rows say to every rule that they concern; rows that were handled before change nothing."""
        for row in following.rows:
            self._take_row(row, now_s)
        self._set_mark(following.mark)

    def take_own(self, change: AlarmChange, now_s: float) -> None:
        """Owe a change that the journal does not hold, or not yet."""
        if change.seq > self._handled.get(change.alarm_id, -1):
            self._set_handled(change.alarm_id, change.seq)
            self._consider(change, now_s, self._rules.values())

    def knows(self, alarm_id: str) -> bool:
        """Whether any change of an alarm was looked at."""
        return alarm_id in self._handled

    def _take_row(self, row: Row, now_s: float) -> None:
        entry = row.entry
        if entry.seq <= self._handled.get(entry.alarm_id, -1):
            return
        self._set_handled(entry.alarm_id, entry.seq)
        change = parse_change(entry)
        if change is None:
            self.unreadable += 1
        else:
            self._consider(change, now_s, self._rules.values())

    def _consider(self, change: AlarmChange, now_s: float, rules: Iterable[NotifyRule]) -> None:
        for rule in rules:
            waiting = [key for key in self._owed if (key.rule, key.alarm_id) == (rule.name, change.alarm_id)]
            is_delayed = any(self._owed[key].is_delayed for key in waiting)
            is_followed = bool(waiting) or ToldKey(rule.name, change.alarm_id) in self._told
            if is_delayed and change.is_closing:
                self._drop(waiting)  # somebody came before the delay was over
            elif is_followed and not is_delayed:
                self._owe(rule.name, change, now_s, 0.0)
            elif not is_followed and not change.is_closing and rule.matches(change):
                self._owe(rule.name, change, now_s, rule.after_s)

    def _owe(self, rule: str, change: AlarmChange, now_s: float, delay_s: float) -> None:
        key = OwedKey(rule, change.alarm_id, change.seq)
        self._owed[key] = OwedChange(change, change.utc_s + delay_s, now_s + delay_s, is_delayed=delay_s > 0)
        self._dirty_owed.add(key)
        self._is_dirty = True

    # --- to the services

    def owed_to(self, rule: str) -> int:
        """Changes that are owed to a rule; those whose delay is not over are not yet."""
        return sum(1 for key, owed in self._owed.items() if key.rule == rule and not owed.is_delayed)

    def next_delivery(self, rule: str, *, utc_s: float, now_s: float) -> Delivery | None:
        """The next message to a rule; None if nothing is due."""
        due = self._due(rule, utc_s=utc_s, now_s=now_s)
        if not due:
            return None
        late = [owed for owed in due if owed.waited_s(utc_s=utc_s, now_s=now_s) > LATE_AFTER_S]
        chosen = late if len(late) > 1 else due if len(due) > MOST_AT_ONCE else [_most_urgent(due)]
        changes = tuple(owed.change for owed in chosen)
        late_s = max(owed.waited_s(utc_s=utc_s, now_s=now_s) for owed in chosen)
        return Delivery(rule, changes, late_s, {one.alarm_id: self._receipt(rule, one.alarm_id) for one in changes})

    def accept(self, delivery: Delivery, receipt: str) -> None:
        """The service has accepted a message: what it is about is owed no more.

        Args:
            delivery: as it was sent.
            receipt: what the service calls it; empty if that is of no use later.
        """
        self._drop([OwedKey(delivery.rule, change.alarm_id, change.seq) for change in delivery.changes])
        for newest in delivery.newest:
            of_alarm = [change for change in delivery.changes if change.alarm_id == newest.alarm_id]
            self._note_told(delivery.rule, of_alarm, receipt)

    def waiting(self, rule: str) -> Mapping[str, Told]:
        """Alarm id -> what was sent about it, of the alarms that somebody may acknowledge through this rule."""
        return {key.alarm_id: told for key, told in self._told.items() if key.rule == rule and told.is_waiting}

    def _due(self, rule: str, *, utc_s: float, now_s: float) -> Sequence[OwedChange]:
        """What may be sent now; a delay that is over is over for good."""
        for key, owed in self._owed.items():
            if key.rule == rule and owed.is_delayed and owed.is_due(utc_s=utc_s, now_s=now_s):
                self._owed[key] = owed.released()  # replaces a value: the iteration goes on
        return [owed for key, owed in self._owed.items() if key.rule == rule and not owed.is_delayed]

    def _note_told(self, rule: str, changes: Sequence[AlarmChange], receipt: str) -> None:
        """Remember what was sent about an alarm, until it has ended."""
        key = ToldKey(rule, changes[0].alarm_id)
        before = self._told.pop(key, None)
        self._dirty_told.add(key)
        self._is_dirty = True
        newest = changes[-1]
        if newest.state == "ended":
            return
        opened_seq = before.opened_seq if before is not None and before.is_waiting else None
        for change in changes:
            opened_seq = None if change.is_closing else change.seq if opened_seq is None else opened_seq
        is_waiting = not newest.is_closing
        kept = receipt or (before.receipt if before is not None and is_waiting else "")
        self._told[key] = Told(newest.seq if opened_seq is None else opened_seq, kept, is_waiting=is_waiting)
        if len(self._told) > MOST_TOLD:
            oldest = next(iter(self._told))
            del self._told[oldest]
            self._dirty_told.add(oldest)

    def _receipt(self, rule: str, alarm_id: str) -> str:
        told = self._told.get(ToldKey(rule, alarm_id))
        return "" if told is None else told.receipt

    # --- what is to be kept

    def unsaved(self) -> LedgerUpdate | None:
        """What changed since `saved` was called last, in the order in which it came; None if nothing did."""
        if not self._is_dirty:
            return None
        return LedgerUpdate(
            mark=self.mark,
            owed={key: None for key in self._dirty_owed if key not in self._owed}
            | {key: owed for key, owed in self._owed.items() if key in self._dirty_owed},
            told={key: self._told.get(key) for key in self._dirty_told},
            handled={alarm_id: None for alarm_id in self._dirty_handled if alarm_id not in self._handled}
            | {alarm_id: seq for alarm_id, seq in self._handled.items() if alarm_id in self._dirty_handled},
            rules=self._known_rules,
        )

    def saved(self) -> None:
        """What `unsaved` returned is safe on disk."""
        self._dirty_owed.clear()
        self._dirty_told.clear()
        self._dirty_handled.clear()
        self._is_dirty = False

    def _drop(self, keys: Iterable[OwedKey]) -> None:
        for key in keys:
            self._owed.pop(key, None)
            self._dirty_owed.add(key)
            self._is_dirty = True

    def _set_handled(self, alarm_id: str, seq: int) -> None:
        self._handled.pop(alarm_id, None)
        self._handled[alarm_id] = seq
        self._dirty_handled.add(alarm_id)
        if len(self._handled) > MOST_HANDLED:
            oldest = next(iter(self._handled))
            del self._handled[oldest]
            self._dirty_handled.add(oldest)
        self._is_dirty = True

    def _set_mark(self, mark: Mark | None) -> None:
        self._is_dirty = self._is_dirty or mark != self.mark
        self.mark = mark


def _most_urgent(due: Sequence[OwedChange]) -> OwedChange:
    """The first change of the alarm for which somebody must come; of several the oldest."""
    urgent = {owed.change.alarm_id for owed in due if owed.change.is_urgent}
    return min(due, key=lambda owed: owed.change.alarm_id not in urgent)  # min takes the first of equals
