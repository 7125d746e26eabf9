"""What is asked of the journal's tables, on a connection that is open; knows no file.

Where a row turns out not to be what was written, `NotAsWrittenError` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.alarms.journal.entries import Key, Row, note_of, proof_of, row_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator

    from device.alarms.journal.entries import Entry

_PRUNED_AT_ONCE = 64
VICTIMS = (
    # told, and needed for nothing any more
    """SELECT ordinal FROM entries WHERE NOT EXISTS (SELECT 1 FROM owed WHERE place IN (ordinal, -ordinal))
    AND (ended OR seq < (SELECT max(seq) FROM entries AS later WHERE later.alarm_id = entries.alarm_id))
    ORDER BY ordinal LIMIT ?""",
    # told, but the state of an alarm that is open
    """SELECT ordinal FROM entries WHERE NOT EXISTS (SELECT 1 FROM owed WHERE place IN (ordinal, -ordinal))
    ORDER BY ordinal LIMIT ?""",
    "SELECT ordinal FROM entries WHERE NOT urgent ORDER BY ordinal LIMIT ?",
    "SELECT ordinal FROM entries ORDER BY ordinal LIMIT ?",
)
"""What goes first where there is no room, the oldest of each."""

UNTOLD_RANK = 2
"""From this one of `VICTIMS` on, something is lost of which nobody was told."""


class NotAsWrittenError(Exception):
    """A row that was whole when the journal was opened is not any more."""


def transact(connection: sqlite3.Connection, act: Callable[[sqlite3.Connection], None]) -> None:
    """All of what `act` does, safe on disk, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        act(connection)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def insert_row(connection: sqlite3.Connection, row: Row) -> None:
    """Keep a row that is owed from now on."""
    connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row.values)
    place = -row.ordinal if row.entry.urgent else row.ordinal
    connection.execute("INSERT INTO owed VALUES (?, ?)", (place, proof_of("owed", place)))


def settle(keys: Collection[Key], connection: sqlite3.Connection) -> None:
    """Nothing of that is owed any more; keys that are not known mean nothing."""
    for key in keys:
        found = connection.execute("SELECT ordinal FROM entries WHERE alarm_id = ? AND seq = ?", key).fetchone()
        if found is not None:
            connection.execute("DELETE FROM owed WHERE place IN (?, ?)", (found[0], -found[0]))


def write_note(key: str, value: str, connection: sqlite3.Connection) -> None:
    """Keep a fact under a name, in the place of what it said before."""
    connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (key, value, proof_of("note", key, value)))


def read_note(connection: sqlite3.Connection, key: str) -> str | None:
    """The fact under a name; None where there is none."""
    values = connection.execute("SELECT key, value, proof FROM notes WHERE key = ?", (key,)).fetchone()
    if values is None:
        return None
    note = note_of(values)
    if note is None:
        raise NotAsWrittenError(f"the note {key!r} is damaged")
    return note[1]


def row_at(connection: sqlite3.Connection, ordinal: int) -> Row:
    """The row of that ordinal."""
    values = connection.execute("SELECT * FROM entries WHERE ordinal = ?", (ordinal,)).fetchone()
    row = None if values is None else row_of(values)
    if row is None:
        raise NotAsWrittenError(f"row {ordinal} is damaged")
    return row


def open_rows(connection: sqlite3.Connection) -> list[Row]:
    """The newest row of each alarm that has not ended, in the order of their coming."""
    query = """SELECT ordinal FROM (SELECT alarm_id, max(seq) AS seq FROM entries GROUP BY alarm_id)
        JOIN entries USING (alarm_id, seq) WHERE NOT ended ORDER BY ordinal"""
    return [row_at(connection, ordinal) for (ordinal,) in connection.execute(query).fetchall()]


def owed_groups(connection: sqlite3.Connection, first: Iterable[str]) -> Iterator[list[tuple[int, Key]]]:
    """What is owed, as (ordinal, key), in groups that must stay in order; some come twice."""
    for alarm_id in first:
        yield _owed_of(connection, alarm_id, None)
    query = "SELECT place, alarm_id, seq FROM owed CROSS JOIN entries ON ordinal = abs(place) ORDER BY place"
    for place, alarm_id, seq in connection.execute(query):
        yield _owed_of(connection, alarm_id, -place) if place < 0 else [(place, (alarm_id, seq))]


def _owed_of(connection: sqlite3.Connection, alarm_id: str, newest: int | None) -> list[tuple[int, Key]]:
    query = """SELECT ordinal, alarm_id, seq FROM entries
        WHERE alarm_id = ? AND EXISTS (SELECT 1 FROM owed WHERE place IN (ordinal, -ordinal)) ORDER BY ordinal"""
    rows = connection.execute(query, (alarm_id,))
    return [(ordinal, (alarm_id, seq)) for ordinal, _, seq in rows if newest is None or ordinal <= newest]


def oldest_owed(connection: sqlite3.Connection) -> int | None:
    """The ordinal of the oldest entry that nobody was told of; None where there is none."""
    found = connection.execute(
        "SELECT (SELECT min(place) FROM owed WHERE place > 0), (SELECT -max(place) FROM owed WHERE place < 0)"
    ).fetchone()
    return min((ordinal for ordinal in found if ordinal is not None), default=None)


def history(connection: sqlite3.Connection, since_utc_s: float) -> Iterator[Entry]:
    """All entries since then, in the order of their coming, without one long transaction."""
    last = 0
    query = "SELECT * FROM entries WHERE ordinal > ? AND utc_s >= ? ORDER BY ordinal LIMIT 200"
    while rows := connection.execute(query, (last, since_utc_s)).fetchall():
        for values in rows:
            row = row_of(values)
            if row is None:
                raise NotAsWrittenError(f"row {values[0]} is damaged")
            last = row.ordinal
            yield row.entry


def delete_oldest(connection: sqlite3.Connection, victims: str) -> int:
    """Let some entries go, by one of `VICTIMS`; how many there were."""
    gone = connection.execute(victims, (_PRUNED_AT_ONCE,)).fetchall()
    connection.executemany("DELETE FROM owed WHERE place IN (?1, -?1)", gone)
    connection.executemany("DELETE FROM entries WHERE ordinal = ?", gone)
    return len(gone)


def pages_used(connection: sqlite3.Connection) -> int:
    """Pages that hold something."""
    return pragma(connection, "page_count") - pragma(connection, "freelist_count")


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """The value of a setting that is a number."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
