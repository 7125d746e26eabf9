"""What keeps alarms from being kept or told becomes a fault itself: the journal's and the broker's. Pure.

A trouble is told once it has lasted for a while, and it is over once all has been well for a while, so that a disk
or a network that comes and goes does not tell of itself all night. The clock is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device.daemon.delivery.journal_writer import Trouble
    from device.messages import FaultKind
    from device.sinks.mqtt.client import Link

BROKER_AFTER_S = 30.0
"""A router that restarts takes longer, a broker that does not is back by then."""

BROKER_CALM_S = 2.0
JOURNAL_CALM_S = 10.0

HUNG_AFTER_S = 30.0
"""To look a name up takes a network that is gone this long; a thread that takes longer hangs."""

HOPELESS_AFTER_S = 90.0
"""A thread that has hung for so long comes back by a restart alone, which the watchdog brings."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault begins or is over.

    Attributes:
        kind: what is wrong.
        begins: False where it is over.
        since_s: since when, by the clock that is handed in.
        detail: one sentence.
    """

    kind: FaultKind
    begins: bool
    since_s: float
    detail: str


class _Sign:
    """One trouble, told with patience.

    Args:
        kind: of its fault.
        after_s: it has lasted this long when it is told.
        calm_s: all has been well for this long when it is over.
        over: the sentence that says so.
    """

    def __init__(self, kind: FaultKind, *, after_s: float, calm_s: float, over: str) -> None:
        self._kind = kind
        self._after_s = after_s
        self._calm_s = calm_s
        self._over = over
        self._since_s: float | None = None  # as it was told
        self._troubled_s = 0.0

    def look(self, now_s: float, since_s: float | None, detail: str) -> Finding | None:
        """The trouble as it is now (None: there is none); what is to be told, if anything."""
        if since_s is not None:
            self._troubled_s = now_s
            if self._since_s is None and now_s - since_s >= self._after_s:
                self._since_s = since_s
                return Finding(self._kind, begins=True, since_s=since_s, detail=detail)
        elif self._since_s is not None and now_s - self._troubled_s >= self._calm_s:
            lasted_s, began_s = self._troubled_s - self._since_s, self._since_s
            self._since_s = None
            return Finding(self._kind, begins=False, since_s=began_s, detail=f"{self._over}, after {lasted_s:.0f} s")
        return None


class Watch:
    """Looks after the journal and the broker."""

    def __init__(self) -> None:
        self._journal = _Sign("journal", after_s=0.0, calm_s=JOURNAL_CALM_S, over="alarms are kept again")
        self._broker = _Sign("broker", after_s=BROKER_AFTER_S, calm_s=BROKER_CALM_S, over="the broker is told again")
        self._denied_since_s: float | None = None

    def look(
        self, now_s: float, *, journal: Trouble | None, link: Link | None, stuck_s: float, damaged: str | None = None
    ) -> list[Finding]:
        """What is to be told now.

        Args:
            now_s: monotonic.
            journal: why alarms are not kept at present.
            link: how it stands with the broker; None where there is none.
            stuck_s: how long the broker's thread has not turned.
            damaged: what became of a journal that was found damaged just now.
        """
        if journal is None:
            kept = self._journal.look(now_s, None if damaged is None else now_s, damaged or "")
        else:
            kept = self._journal.look(now_s, journal.since_s, journal.reason)
        told = self._broker.look(now_s, *self._broker_trouble(now_s, link, stuck_s))
        return [finding for finding in (kept, told) if finding is not None]

    def _broker_trouble(self, now_s: float, link: Link | None, stuck_s: float) -> tuple[float | None, str]:
        if stuck_s >= HUNG_AFTER_S:
            return now_s - stuck_s, f"the thread that talks to the broker has hung for {stuck_s:.0f} s"
        if link is None or link.state in {"connected", "closed"}:
            self._denied_since_s = None
            return None, ""
        if not link.is_up:
            self._denied_since_s = None
            return link.since_s, link.reason
        if self._denied_since_s is None:
            self._denied_since_s = now_s
        return self._denied_since_s, link.reason
