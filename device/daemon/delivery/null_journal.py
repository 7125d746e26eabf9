"""The journal's interface, and the journal of a daemon without one: it stores nothing, all is published from memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.daemon.delivery.journal_messages import JournalFailure


class AlarmJournal(Protocol):
    """Stores entries; see `JournalWriter`."""

    @property
    def dropped(self) -> int:
        """Entries that were neither committed nor confirmed."""

    @property
    def waiting(self) -> int:
        """Entries without a receipt."""

    def submit(self, entries: Sequence[Entry]) -> None:
        """Queue entries."""

    def confirm(self, keys: Collection[Key]) -> None:
        """Note that these entries are owed no longer."""

    def set_note(self, key: str, value: str) -> None:
        """Write a small fact."""

    def redeliver_owed(self) -> None:
        """Hand out again what was in flight."""

    def collect_overdue(self, now_s: float) -> list[Entry]:
        """Entries that are to be published from memory, each once."""

    def failure(self, now_s: float) -> JournalFailure | None:
        """Why entries are not committed at present."""

    def stalled_s(self, now_s: float) -> float:
        """How long the disk has been busy with one operation."""

    def close(self, deadline_s: float) -> bool:
        """Stop accepting; whether all that waited was committed before the deadline."""


class NullJournal:
    """A journal that stores nothing, as configured; it never fails."""

    dropped = 0

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __repr__(self) -> str:
        return "NullJournal()"

    @property
    def waiting(self) -> int:
        """Entries that were not collected yet."""
        return len(self._entries)

    def submit(self, entries: Sequence[Entry]) -> None:
        """Make entries overdue at once."""
        self._entries.extend(entries)

    def collect_overdue(self, now_s: float) -> list[Entry]:  # noqa: ARG002 - as of any journal
        """All that was submitted since the last call."""
        entries, self._entries = self._entries, []
        return entries

    def confirm(self, keys: Collection[Key]) -> None:
        """Nothing was owed."""

    def set_note(self, key: str, value: str) -> None:
        """Nothing is stored."""

    def redeliver_owed(self) -> None:
        """The alarm publisher still has all entries."""

    def failure(self, now_s: float) -> JournalFailure | None:  # noqa: ARG002 - as of any journal
        """None: it does what was configured."""
        return None

    def stalled_s(self, now_s: float) -> float:  # noqa: ARG002 - as of any journal
        """0: there is no disk."""
        return 0.0

    def close(self, deadline_s: float) -> bool:  # noqa: ARG002 - as of any journal
        """Nothing to do."""
        return True
