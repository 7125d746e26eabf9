"""The SQL of the journal: inserts, queries and deletes on an open connection; knows no file.

A row that turns out not to be what was written raises `NotAsWrittenError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from device.alarms.journal.entries import Key, OwedRow, Row, parse_note, parse_row, row_checksum

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from device.alarms.journal.entries import Entry

Result = TypeVar("Result")

_PRUNED_AT_ONCE = 64
PRUNING_ORDER = (
    # delivered, and not the newest state of an open alarm
    """SELECT ordinal FROM entries WHERE NOT EXISTS (SELECT 1 FROM owed WHERE place IN (ordinal, -ordinal))
    AND (ended OR seq < (SELECT max(seq) FROM entries AS later WHERE later.alarm_id = entries.alarm_id))
    ORDER BY ordinal LIMIT ?""",
    # delivered, but the newest state of an open alarm
    """SELECT ordinal FROM entries WHERE NOT EXISTS (SELECT 1 FROM owed WHERE place IN (ordinal, -ordinal))
    ORDER BY ordinal LIMIT ?""",
    "SELECT ordinal FROM entries WHERE NOT urgent ORDER BY ordinal LIMIT ?",
    "SELECT ordinal FROM entries ORDER BY ordinal LIMIT ?",
)
"""Queries for the entries to delete if there is no room, in this order; each yields the oldest first."""

FIRST_UNDELIVERED_RANK = 2
"""From this index of `PRUNING_ORDER` on, entries are lost that were never delivered."""


class NotAsWrittenError(Exception):
    """A row that was whole when the journal was opened is not any more."""


def transact(connection: sqlite3.Connection, act: Callable[[sqlite3.Connection], Result]) -> Result:
    """Run `act` in a transaction: all of it is safe on disk afterwards, or nothing of it has happened."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = act(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return result


def insert_entries(
    entries: Sequence[Entry],
    delivered: Collection[Key],
    make_room: Callable[[sqlite3.Connection, int], None],
    connection: sqlite3.Connection,
) -> dict[Key, int]:
    """Insert the entries whose key is not known yet; they are owed unless they are `delivered`.

    Returns the ordinals of all these entries, known before or not.

    Args:
        entries: in arrival order.
        delivered: keys to mark as delivered, of these entries or of earlier ones.
        make_room: (connection, bytes) -> makes room for that much before the insertion.
        connection: in a transaction.
    """
    mark_delivered(delivered, connection)
    ordinals = ordinals_of([entry.key for entry in entries], connection)
    fresh = {entry.key: entry for entry in reversed(entries) if entry.key not in ordinals}
    fresh = dict(reversed(fresh.items()))  # of copies the first
    if not fresh:
        return ordinals
    newest = newest_ordinal(connection)  # before room is made: no ordinal is used twice
    make_room(connection, sum(_estimated_bytes(entry) for entry in fresh.values()))
    owed_from = oldest_owed(connection) or newest + 1
    for ordinal, entry in enumerate(fresh.values(), start=newest + 1):
        _insert_row(connection, Row(ordinal, entry, entry.ended, owed_from))
        ordinals[entry.key] = ordinal
    mark_delivered([key for key in fresh if key in delivered], connection)  # delivered before they could be kept
    return ordinals


def _estimated_bytes(entry: Entry) -> int:
    return len(entry.alarm.encode()) + len(entry.body.encode()) + 2 * len(entry.alarm_id) + 128


def _insert_row(connection: sqlite3.Connection, row: Row) -> None:
    connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row.values)
    place = -row.ordinal if row.entry.urgent else row.ordinal
    connection.execute("INSERT INTO owed VALUES (?, ?)", (place, row_checksum("owed", place)))


def mark_delivered(keys: Collection[Key], connection: sqlite3.Connection) -> None:
    """These entries are owed no more; unknown keys are ignored."""
    for key in keys:
        found = connection.execute("SELECT ordinal FROM entries WHERE alarm_id = ? AND seq = ?", key).fetchone()
        if found is not None:
            connection.execute("DELETE FROM owed WHERE place IN (?, ?)", (found[0], -found[0]))


def settle(intervals: Iterable[tuple[int, int]], connection: sqlite3.Connection) -> None:
    """The entries with these ordinals, (first, last), are owed no more."""
    newest = newest_ordinal(connection)
    for first, last in intervals:
        if last > newest:
            raise NotAsWrittenError(f"row {last} is missing: this is not the file that it was written to")
        for least, greatest in ((first, last), (-last, -first)):
            connection.execute("DELETE FROM owed WHERE place BETWEEN ? AND ?", (least, greatest))


def write_note(key: str, value: str, connection: sqlite3.Connection) -> None:
    """Keep a fact under a name; replaces an earlier value."""
    connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (key, value, row_checksum("note", key, value)))


def read_note(connection: sqlite3.Connection, key: str) -> str | None:
    """The fact under a name; None if there is none."""
    values = connection.execute("SELECT key, value, proof FROM notes WHERE key = ?", (key,)).fetchone()
    if values is None:
        return None
    note = parse_note(values)
    if note is None:
        raise NotAsWrittenError(f"the note {key!r} is damaged")
    return note[1]


def row_at(connection: sqlite3.Connection, ordinal: int) -> Row | None:
    """The row of that ordinal; None if there is none."""
    values = connection.execute("SELECT * FROM entries WHERE ordinal = ?", (ordinal,)).fetchone()
    if values is None:
        return None
    row = parse_row(values)
    if row is None:
        raise NotAsWrittenError(f"row {ordinal} is damaged")
    return row


def open_rows(connection: sqlite3.Connection) -> list[Row]:
    """The newest row of each alarm that has not ended, in arrival order."""
    query = """SELECT ordinal FROM (SELECT alarm_id, max(seq) AS seq FROM entries GROUP BY alarm_id)
        JOIN entries USING (alarm_id, seq) WHERE NOT ended ORDER BY ordinal"""
    found = [row_at(connection, ordinal) for (ordinal,) in connection.execute(query).fetchall()]
    return [row for row in found if row is not None]


def acknowledged_rows(connection: sqlite3.Connection) -> list[Row]:
    """The newest acknowledgement of each alarm that has not ended, unless it was pruned."""
    query = """SELECT ordinal FROM entries WHERE alarm_id = ? AND instr(body, '"change":"acknowledged"')
        ORDER BY seq DESC LIMIT 1"""
    found = (connection.execute(query, (row.entry.alarm_id,)).fetchone() for row in open_rows(connection))
    rows = [row_at(connection, each[0]) for each in found if each is not None]
    return [row for row in rows if row is not None]


def owed_rows(connection: sqlite3.Connection) -> Iterator[OwedRow]:
    """All that is owed: the urgent entries first, newest first, then the others, oldest first; one lookup for each."""
    query = "SELECT place, alarm_id, seq FROM owed CROSS JOIN entries ON ordinal = abs(place) ORDER BY place"
    for place, alarm_id, seq in connection.execute(query):
        yield OwedRow(abs(place), alarm_id, seq)


def newest_ordinal(connection: sqlite3.Connection) -> int:
    """The greatest ordinal; 0 if there is no entry."""
    return int(connection.execute("SELECT coalesce(max(ordinal), 0) FROM entries").fetchone()[0])


def ordinals_of(keys: Iterable[Key], connection: sqlite3.Connection) -> dict[Key, int]:
    """Key -> ordinal, of those that are there."""
    query = "SELECT ordinal FROM entries WHERE alarm_id = ? AND seq = ?"
    found = ((key, connection.execute(query, key).fetchone()) for key in keys)
    return {key: row[0] for key, row in found if row is not None}


def oldest_owed(connection: sqlite3.Connection) -> int | None:
    """The ordinal of the oldest entry that is not delivered yet; None if there is none."""
    found = connection.execute(
        "SELECT (SELECT min(place) FROM owed WHERE place > 0), (SELECT -max(place) FROM owed WHERE place < 0)"
    ).fetchone()
    return min((ordinal for ordinal in found if ordinal is not None), default=None)


def history(connection: sqlite3.Connection, since_utc_s: float) -> Iterator[Entry]:
    """All entries since then, in arrival order, without one long transaction."""
    last = 0
    query = "SELECT * FROM entries WHERE ordinal > ? AND utc_s >= ? ORDER BY ordinal LIMIT 200"
    while rows := connection.execute(query, (last, since_utc_s)).fetchall():
        for values in rows:
            row = parse_row(values)
            if row is None:
                raise NotAsWrittenError(f"row {values[0]} is damaged")
            last = row.ordinal
            yield row.entry


def rows_after(connection: sqlite3.Connection, ordinal: int, most: int) -> list[Row]:
    """The rows after an ordinal, oldest first, at most so many."""
    return _rows(connection, "SELECT * FROM entries WHERE ordinal > ? ORDER BY ordinal LIMIT ?", (ordinal, most))


def newest_rows(connection: sqlite3.Connection, most: int) -> list[Row]:
    """The newest rows, oldest first, at most so many."""
    return _rows(connection, "SELECT * FROM entries ORDER BY ordinal DESC LIMIT ?", (most,))[::-1]


def rows_between(connection: sqlite3.Connection, from_utc_s: float, until_utc_s: float, most: int) -> list[Row]:
    """The newest rows from the first to the last that is dated between, at most so many, oldest first."""
    first, last = connection.execute(
        "SELECT min(ordinal), max(ordinal) FROM entries WHERE utc_s >= ? AND utc_s < ?", (from_utc_s, until_utc_s)
    ).fetchone()
    if first is None:
        return []
    query = "SELECT * FROM entries WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal DESC LIMIT ?"
    return _rows(connection, query, (first, last, most))[::-1]


def _rows(connection: sqlite3.Connection, query: str, values: tuple[int, ...]) -> list[Row]:
    found = [parse_row(columns) for columns in connection.execute(query, values)]
    if None in found:
        raise NotAsWrittenError("a row is damaged")
    return [row for row in found if row is not None]


def notes_from(connection: sqlite3.Connection, prefix: str) -> list[str]:
    """The values of all notes whose key has this prefix; a damaged one is left out."""
    query = "SELECT key, value, proof FROM notes WHERE substr(key, 1, ?) = ?"
    found = [parse_note(values) for values in connection.execute(query, (len(prefix), prefix))]
    return [note[1] for note in found if note is not None]


def readable_rows_after(
    connection: sqlite3.Connection, ordinal: int, limit: int
) -> tuple[list[Row], tuple[int, str, int] | None]:
    """The rows after an ordinal, in arrival order, and (ordinal, alarm id, seq) of the last one looked at.

    A damaged row is left out: the daemon that writes the journal salvages it.
    """
    found = connection.execute("SELECT * FROM entries WHERE ordinal > ? ORDER BY ordinal LIMIT ?", (ordinal, limit))
    values = found.fetchall()
    rows = [row for row in map(parse_row, values) if row is not None]
    return rows, (values[-1][0], values[-1][1], values[-1][2]) if values else None


def last_seqs(connection: sqlite3.Connection) -> dict[str, int]:
    """Alarm id -> its greatest seq."""
    return dict(connection.execute("SELECT alarm_id, max(seq) FROM entries GROUP BY alarm_id ORDER BY max(ordinal)"))


def delete_oldest(connection: sqlite3.Connection, query: str) -> int:
    """Delete the oldest entries that one query of `PRUNING_ORDER` finds; returns their number."""
    gone = connection.execute(query, (_PRUNED_AT_ONCE,)).fetchall()
    connection.executemany("DELETE FROM owed WHERE place IN (?1, -?1)", gone)
    connection.executemany("DELETE FROM entries WHERE ordinal = ?", gone)
    return len(gone)


def pages_used(connection: sqlite3.Connection) -> int:
    """Number of pages that are not free."""
    return pragma(connection, "page_count") - pragma(connection, "freelist_count")


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """The value of a numeric pragma."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
