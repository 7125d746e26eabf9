"""The journal of a daemon without one: it stores nothing, so that every entry is published from memory at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.daemon.delivery.journal_messages import JournalFailure


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
