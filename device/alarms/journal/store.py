"""The journal: a durable record of alarm changes that survives kill -9, power cuts, full disks and its own damage.

Any call may raise `JournalError`; nothing that was committed is lost by that, and the next call tries again. How
the file is opened and repaired is the matter of `database`, how much room it takes up that of `space`.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from device.alarms.journal.database import Database
from device.alarms.journal.queries import (
    acknowledged_rows,
    history,
    insert_entries,
    mark_delivered,
    newest_ordinal,
    open_rows,
    owed_rows,
    read_note,
    row_at,
    settle,
    write_note,
)
from device.alarms.journal.space import PRUNED_UNDELIVERED_NOTE, JournalSpace

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Self

    from device.alarms.journal.entries import Entry, Key, OwedRow
    from device.alarms.journal.salvage import Salvage

_CHUNK = 50  # entries a commit: bounds the log


class Journal:
    """A durable record of entries and of which of them are owed, that is, not delivered yet; a context manager.

    For one thread at a time. If the disk is full or read-only, everything that was kept can still be read, and
    `append` raises until it can be written again.

    Args:
        path: of the file; its folder must exist. Beside it lie its log, its lock and a reserve of 512 KiB.
        max_bytes: of all these together.
        utc: the time of day, for the name of a damaged file.

    Raises:
        JournalError: it can be neither read nor written.
    """

    def __init__(self, path: Path, *, max_bytes: int, utc: Callable[[], float] = time.time) -> None:
        self.path = path
        self._space = JournalSpace(path, max_bytes)
        self._database = Database(path, self._space, utc)
        try:
            self._database.connection()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r}, {'open' if self._database.is_open else 'closed'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @classmethod
    def open(cls, path: Path, *, max_bytes: int) -> Journal:
        """The journal at `path`, created if it is missing, salvaged if it is damaged.

        Raises:
            JournalError: it can be neither read nor written, or another process writes it.
        """
        return cls(path, max_bytes=max_bytes)

    @property
    def salvage(self) -> Salvage | None:
        """The result of salvaging a damaged file since this was opened; None if it was sound."""
        return self._database.salvage

    @property
    def refusal(self) -> str | None:
        """Why nothing can be appended, as far as is known; None if nothing is known to prevent it."""
        return self._database.refusal

    @property
    def pruned_undelivered(self) -> int:
        """Entries that were pruned for want of room before they were delivered, since the journal was created."""
        return int(self.note(PRUNED_UNDELIVERED_NOTE) or 0)

    def close(self) -> None:
        """Close the file; idempotent, and any later call opens it again."""
        self._database.close()

    # --- writing

    def append(
        self,
        entries: Sequence[Entry],
        *,
        delivered: Collection[Key] = (),
        settled: Sequence[tuple[int, int]] = (),
    ) -> dict[Key, int]:
        """Commit entries; once it returns, no power cut takes them away. Entries with a known key are left alone.

        Args:
            entries: in arrival order.
            delivered: keys delivered in the meantime, marked in the same commit to spare the card.
            settled: ordinals, (first, last), of entries delivered in the meantime; likewise.

        Returns the ordinal of each entry.

        Raises:
            JournalError: they are not kept, or not all; to append them all again is right.
        """
        keys = set(delivered)
        ordinals: dict[Key, int] = {}
        for first in range(0, len(entries), _CHUNK):
            chunk = entries[first : first + _CHUNK]
            marked = keys.intersection(entry.key for entry in chunk) if first else keys
            ordinals |= self._database.write(partial(self._insert, chunk, marked, () if first else settled))
        if (keys or settled) and not entries:
            self._database.write(partial(self._insert, (), keys, settled))
        return ordinals

    def _insert(
        self,
        entries: Sequence[Entry],
        delivered: Collection[Key],
        settled: Sequence[tuple[int, int]],
        connection: sqlite3.Connection,
    ) -> dict[Key, int]:
        settle(settled, connection)
        return insert_entries(entries, delivered, self._space.prune, connection)

    def settle(self, intervals: Sequence[tuple[int, int]]) -> None:
        """The entries with these ordinals, (first, last), are owed no more.

        Raises:
            JournalError: they are still owed.
        """
        self._database.write(partial(settle, intervals))

    def mark_delivered(self, keys: Collection[Key]) -> None:
        """These entries are owed no more; unknown keys are ignored.

        Raises:
            JournalError: they are still owed.
        """
        self._database.write(partial(mark_delivered, keys))

    def set_note(self, key: str, value: str) -> None:
        """Keep a small fact under a name.

        Raises:
            JournalError: it is not kept.
        """
        self._database.write(partial(write_note, key, value))

    # --- reading

    def owed_rows(self) -> Iterator[OwedRow]:
        """All that is owed: the urgent entries first, newest first, then the others, oldest first.

        Raises:
            JournalError: it cannot be read.
        """
        with self._database.reading() as connection:
            yield from owed_rows(connection)

    def newest_ordinal(self) -> int:
        """The greatest ordinal; 0 if there is no entry.

        Raises:
            JournalError: it cannot be read.
        """
        with self._database.reading() as connection:
            return newest_ordinal(connection)

    def read(self, ordinals: Iterable[int]) -> dict[int, Entry]:
        """Ordinal -> entry, of those that are there.

        Raises:
            JournalError: it cannot be read.
        """
        with self._database.reading() as connection:
            found = ((ordinal, row_at(connection, ordinal)) for ordinal in ordinals)
            return {ordinal: row.entry for ordinal, row in found if row is not None}

    def owed_count(self) -> int:
        """Number of entries that are not delivered yet.

        Raises:
            JournalError: it cannot be read.
        """
        with self._database.reading() as connection:
            return int(connection.execute("SELECT count(*) FROM owed").fetchone()[0])

    def open_alarms(self) -> list[tuple[str, int]]:
        """(alarm JSON, last seq) of each alarm that has not ended, in its newest state, in arrival order.

        Raises:
            JournalError: it cannot be read.
        """
        with self._database.reading() as connection:
            return [(row.entry.alarm, row.entry.seq) for row in open_rows(connection)]

    def acknowledgements(self) -> dict[str, str]:
        """Alarm id -> what was published when somebody acknowledged it, of alarms that have not ended.

        Raises:
            JournalError: it cannot be read.
        """
        with self._database.reading() as connection:
            return {row.entry.alarm_id: row.entry.body for row in acknowledged_rows(connection)}

    def note(self, key: str) -> str | None:
        """The fact that was kept under that name; None if there is none.

        Raises:
            JournalError: it cannot be read.
        """
        with self._database.reading() as connection:
            return read_note(connection, key)

    def history(self, since_utc_s: float) -> Iterator[Entry]:
        """All entries since then, in arrival order; blocks no writer while it is read.

        Raises:
            JournalError: it cannot be read.
        """
        with self._database.reading() as connection:
            yield from history(connection, since_utc_s)
