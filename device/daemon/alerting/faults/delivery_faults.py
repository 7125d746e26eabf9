"""Delivery problems as faults: alarms that cannot be journalled, or not published to the broker. Pure.

A fault begins once its problem has lasted for a while, and ends once all has been well for a while, so that a disk
or a network that comes and goes does not raise alarms all night. The clock is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device.daemon.delivery.journal_messages import JournalFailure
    from device.messages import FaultKind
    from device.sinks.mqtt.link import Link

BROKER_RAISE_AFTER_S = 30.0
"""A router that restarts takes longer; a broker that restarts is back by then. What only people can repair is a
fault at once."""

BROKER_CLEAR_AFTER_S = 2.0

UNANSWERED_AFTER_S = 5.0
"""A broker that is well acknowledges sooner; one that is only slow is no reason for an alarm."""

JOURNAL_CLEAR_AFTER_S = 10.0

HUNG_AFTER_S = 30.0
"""Without a network, resolving a host name blocks for up to this long; a thread that blocks longer hangs."""

RESTART_AFTER_S = 90.0
"""A thread that has hung for this long needs a restart, which the starved watchdog brings about."""


@dataclass(frozen=True, slots=True)
class FaultChange:
    """A fault begins or is over.

    Attributes:
        kind: what is wrong.
        begins: False if it is over.
        since_s: when it began, by the clock that is handed in.
        detail: one sentence.
    """

    kind: FaultKind
    begins: bool
    since_s: float
    detail: str


class DebouncedFault:
    """One problem, reported with a delay at either end.

    Args:
        kind: of its fault.
        raise_after_s: how long the problem must last before the fault begins.
        clear_after_s: how long all must be well before the fault is over.
        cleared: the sentence that reports its end.
    """

    def __init__(self, kind: FaultKind, *, raise_after_s: float, clear_after_s: float, cleared: str) -> None:
        self._kind = kind
        self._raise_after_s = raise_after_s
        self._clear_after_s = clear_after_s
        self._cleared = cleared
        self._since_s: float | None = None  # of the fault, while it is raised
        self._last_problem_s = 0.0

    def update(self, now_s: float, since_s: float | None, detail: str, *, at_once: bool = False) -> FaultChange | None:
        """Apply the current state of the problem.

        Args:
            now_s: monotonic.
            since_s: when the problem began; None if there is none.
            detail: of the problem, one sentence.
            at_once: it will not pass by itself, so the fault begins without delay.
        """
        if since_s is not None:
            self._last_problem_s = now_s
            if self._since_s is None and (at_once or now_s - since_s >= self._raise_after_s):
                self._since_s = since_s
                return FaultChange(self._kind, begins=True, since_s=since_s, detail=detail)
        elif self._since_s is not None and now_s - self._last_problem_s >= self._clear_after_s:
            return self._clear(self._since_s)
        return None

    def _clear(self, began_s: float) -> FaultChange:
        self._since_s = None
        detail = f"{self._cleared}, after {self._last_problem_s - began_s:.0f} s"
        return FaultChange(self._kind, begins=False, since_s=began_s, detail=detail)


class DeliveryFaults:
    """Turns the state of the journal and of the broker into faults."""

    def __init__(self) -> None:
        self._journal = DebouncedFault(
            "journal", raise_after_s=0.0, clear_after_s=JOURNAL_CLEAR_AFTER_S, cleared="alarms are kept again"
        )
        self._broker = DebouncedFault(
            "broker",
            raise_after_s=BROKER_RAISE_AFTER_S,
            clear_after_s=BROKER_CLEAR_AFTER_S,
            cleared="the broker accepts messages again",
        )
        self._denied_since_s: float | None = None

    def update(
        self,
        now_s: float,
        *,
        journal: JournalFailure | None,
        link: Link | None,
        stuck_s: float,
        unanswered_since_s: float | None = None,
        damaged: str | None = None,
    ) -> list[FaultChange]:
        """Return the faults that begin or are over now.

        Args:
            now_s: monotonic.
            journal: why entries are not committed at present; None if they are.
            link: state of the broker's connection; None if no broker is configured.
            stuck_s: how long the broker's thread has not turned.
            unanswered_since_s: since when the broker has left something unacknowledged; None if it has not. A new
                connection alone is no cure.
            damaged: the outcome for a journal that was just found damaged; None if it was not.
        """
        if journal is None:
            of_journal = self._journal.update(now_s, None if damaged is None else now_s, damaged or "")
        else:
            of_journal = self._journal.update(now_s, journal.since_s, journal.reason)
        lasting = link is not None and (link.state == "refused" or bool(link.losses))
        problem = self._broker_problem(now_s, link, stuck_s, unanswered_since_s)
        if link is not None and link.losses and link.state != "closed":
            problem = now_s if link.is_up else link.since_s, link.losses
        of_broker = self._broker.update(now_s, *problem, at_once=lasting)
        return [change for change in (of_journal, of_broker) if change is not None]

    def _broker_problem(
        self, now_s: float, link: Link | None, stuck_s: float, unanswered_since_s: float | None
    ) -> tuple[float | None, str]:
        if stuck_s >= HUNG_AFTER_S:
            return now_s - stuck_s, f"the thread that talks to the broker has hung for {stuck_s:.0f} s"
        if link is None or link.state != "denied":
            self._denied_since_s = None
        if link is None or link.state == "closed":
            return None, ""
        if not link.is_up:
            since_s = link.since_s if unanswered_since_s is None else min(link.since_s, unanswered_since_s)
            return since_s, link.reason
        if unanswered_since_s is not None and now_s - unanswered_since_s >= UNANSWERED_AFTER_S:
            waited_s = now_s - unanswered_since_s
            reason = f"the broker accepts the connection, but has acknowledged nothing for {waited_s:.0f} s"
            return unanswered_since_s, f"{reason}: is it overloaded?"
        if link.state == "connected":
            return None, ""
        if self._denied_since_s is None:
            self._denied_since_s = now_s
        return self._denied_since_s, link.reason
