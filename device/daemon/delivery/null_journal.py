"""In place of a journal, where none is wanted: nothing is kept, so all is told from memory at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from device.alarms.journal.entries import Entry, Key
    from device.daemon.delivery.journal_writer import Trouble


class AlarmJournal(Protocol):
    """Keeps entries; see `JournalWriter`."""

    @property
    def dropped(self) -> int:
        """Entries that could not be kept and of which no broker knew."""

    @property
    def waiting(self) -> int:
        """Entries without a receipt."""

    def submit(self, entries: Sequence[Entry]) -> None:
        """Take entries."""

    def confirm(self, keys: Collection[Key]) -> None:
        """People have these."""

    def keep_note(self, key: str, value: str) -> None:
        """Keep a small fact."""

    def owe_again(self) -> None:
        """What was on its way is not any more."""

    def take_overdue(self, now_s: float) -> list[Entry]:
        """Entries that are to be told from memory."""

    def trouble(self, now_s: float) -> Trouble | None:
        """Why alarms are not kept at present."""

    def stalled_s(self, now_s: float) -> float:
        """How long the disk has been busy with one thing."""

    def close(self, deadline_s: float) -> bool:
        """Take no more."""


class Memory:
    """A keeper that keeps nothing, as it was asked to; never in trouble."""

    dropped = 0

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __repr__(self) -> str:
        return "Memory()"

    @property
    def waiting(self) -> int:
        """Entries that were not taken yet."""
        return len(self._entries)

    def submit(self, entries: Sequence[Entry]) -> None:
        """Hand them out with the next question."""
        self._entries.extend(entries)

    def take_overdue(self, now_s: float) -> list[Entry]:  # noqa: ARG002 - as of any keeper
        """All that was submitted since."""
        entries, self._entries = self._entries, []
        return entries

    def confirm(self, keys: Collection[Key]) -> None:
        """Nothing was owed."""

    def keep_note(self, key: str, value: str) -> None:
        """Nothing is kept."""

    def owe_again(self) -> None:
        """Whoever tells has it still."""

    def trouble(self, now_s: float) -> Trouble | None:  # noqa: ARG002 - as of any keeper
        """None: it does what was asked."""
        return None

    def stalled_s(self, now_s: float) -> float:  # noqa: ARG002 - as of any keeper
        """Never."""
        return 0.0

    def close(self, deadline_s: float) -> bool:  # noqa: ARG002 - as of any keeper
        """Nothing to do."""
        return True
