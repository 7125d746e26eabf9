"""What the journal's thread reports to the main loop: opened, committed, read, salvaged, failing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.alarms.journal.entries import Entry
    from device.alarms.journal.salvage import Salvage


@dataclass(frozen=True, slots=True)
class JournalOpened:
    """The journal was read for the first time.

    Attributes:
        open_alarms: (alarm JSON, last seq) of each alarm that has not ended.
        notes: values of the requested notes that exist.
        pruned_undelivered: entries deleted before they were delivered, for want of room, since the journal was created.
        acknowledgements: alarm id -> what was published when somebody acknowledged it, of open alarms.
    """

    open_alarms: tuple[tuple[str, int], ...]
    notes: Mapping[str, str]
    pruned_undelivered: int
    acknowledgements: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommitReceipt:
    """These entries are committed to disk, so they may be published as durable.

    Attributes:
        entries: in arrival order.
    """

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class EntriesRead:
    """So many owed entries were read from the journal, to be published."""

    count: int


@dataclass(frozen=True, slots=True)
class JournalSalvaged:
    """The journal was damaged; what could be read was copied to a new one."""

    salvage: Salvage


JournalMessage = JournalOpened | CommitReceipt | EntriesRead | JournalSalvaged


@dataclass(frozen=True, slots=True)
class JournalFailure:
    """Entries are not committed at present.

    Attributes:
        since_s: start of the failure, by the writer's clock.
        reason: one sentence.
    """

    since_s: float
    reason: str
