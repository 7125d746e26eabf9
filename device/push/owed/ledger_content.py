"""What the ledger of push consists of, and what of it is kept on disk. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.alarms.journal.entries import Mark
    from device.push.owed.alarm_change import AlarmChange


class OwedKey(NamedTuple):
    """A change that is owed to a rule."""

    rule: str
    alarm_id: str
    seq: int


class ToldKey(NamedTuple):
    """An alarm that a rule was sent something about."""

    rule: str
    alarm_id: str


@dataclass(frozen=True, slots=True)
class OwedChange:
    """A change that waits to be accepted by a service.

    Attributes:
        change: the change itself.
        due_utc_s: when it may be sent: later than its decision for a rule with a delay.
        due_s: likewise, monotonic, in the life of this process; None for one that an earlier process has seen.
        is_delayed: the delay is not over yet.
    """

    change: AlarmChange
    due_utc_s: float
    due_s: float | None
    is_delayed: bool

    def waited_s(self, *, utc_s: float, now_s: float) -> float:
        """How long it could have been sent; a clock that went back counts as standing still."""
        return max(0.0, utc_s - self.due_utc_s if self.due_s is None else now_s - self.due_s)

    def is_due(self, *, utc_s: float, now_s: float) -> bool:
        """Whether it may be sent now, by either clock."""
        return not self.is_delayed or utc_s >= self.due_utc_s or (self.due_s is not None and now_s >= self.due_s)

    def released(self) -> OwedChange:
        """A copy whose delay is over."""
        return replace(self, is_delayed=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule was sent about an open alarm.

    Attributes:
        opened_seq: the first change that was sent since the alarm last waited for nobody; an acknowledgement of a
            message before it concerns another occasion.
        receipt: what the service calls its newest message; empty if that is of no use.
        is_waiting: somebody may still acknowledge it.
    """

    opened_seq: int
    receipt: str
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class LedgerContent:
    """A ledger as it was kept.

    Attributes:
        mark: the last row of the journal that was looked at; None before the first, as with a journal that was empty.
        owed: in the order in which it came.
        told: of open alarms.
        handled: alarm id -> the greatest seq that was looked at, oldest alarm first.
        rules: names of the rules that have been there before; empty if it has never begun.
    """

    mark: Mark | None = None
    owed: Mapping[OwedKey, OwedChange] = field(default_factory=dict)
    told: Mapping[ToldKey, Told] = field(default_factory=dict)
    handled: Mapping[str, int] = field(default_factory=dict)
    rules: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LedgerUpdate:
    """What changed in a ledger since it was kept; None for what is gone."""

    mark: Mark | None
    owed: Mapping[OwedKey, OwedChange | None]
    told: Mapping[ToldKey, Told | None]
    handled: Mapping[str, int | None]
    rules: frozenset[str]
