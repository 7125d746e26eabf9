"""The format of the journal: its entries, its tables, and the checksum that every row carries.

SQLite keeps no checksums, so each row has its own (the column `proof`): whatever is read, from a sound database
or from the remains of a damaged one, is either what was written or known not to be. Knows no file.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

Key = tuple[str, int]
"""(alarm_id, seq): receivers deduplicate by it."""

APPLICATION_ID = 0x41757263  # "Aurc"
SCHEMA_VERSION = 1

PAGE_BYTES = 512
"""The smallest: an entry then rewrites 2 kB of tables instead of 12, and at one alarm a minute that is what counts."""

SCHEMA = (
    (
        "CREATE TABLE entries (ordinal INTEGER PRIMARY KEY, alarm_id TEXT NOT NULL, seq INTEGER NOT NULL,"
        " utc_s REAL NOT NULL, urgent INTEGER NOT NULL, ended INTEGER NOT NULL, owed_from INTEGER NOT NULL,"
        " alarm TEXT NOT NULL, body TEXT NOT NULL, proof INTEGER NOT NULL, UNIQUE (alarm_id, seq))"
    ),
    "CREATE TABLE owed (place INTEGER PRIMARY KEY, proof INTEGER NOT NULL)",
    "CREATE TABLE notes (key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, proof INTEGER NOT NULL)",
)
"""`entries` in arrival order; `owed` holds the ordinals of those not delivered, negated for urgent ones."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of one alarm.

    Attributes:
        alarm_id: of the alarm.
        seq: orders the changes of one alarm; `(alarm_id, seq)` is unique.
        utc_s: when, in seconds since 1970-01-01 UTC.
        urgent: delivered before all entries that are not.
        alarm: JSON of the `Alarm` after the change, from which a restarted daemon restores it.
        body: JSON as it is published, without the members that say how late it is.
    """

    alarm_id: str
    seq: int
    utc_s: float
    urgent: bool
    alarm: str
    body: str

    @property
    def key(self) -> Key:
        """(alarm_id, seq)."""
        return self.alarm_id, self.seq

    @property
    def ended(self) -> bool:
        """Whether the alarm ended with this change; an alarm that cannot be parsed counts as open."""
        try:
            alarm = json.loads(self.alarm)
        except ValueError:
            return False
        return isinstance(alarm, dict) and alarm.get("state") == "ended"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table `entries`.

    Attributes:
        ordinal: number of the entry, in arrival order.
        entry: the entry itself.
        ended: whether the alarm ended with it.
        owed_from: the oldest ordinal that was owed when it was inserted: all before had been delivered by then.
    """

    ordinal: int
    entry: Entry
    ended: bool
    owed_from: int

    @property
    def values(self) -> tuple[int | float | str, ...]:
        """Its columns, the checksum last."""
        entry = self.entry
        plain = (
            self.ordinal,
            entry.alarm_id,
            entry.seq,
            entry.utc_s,
            int(entry.urgent),
            int(self.ended),
            self.owed_from,
            entry.alarm,
            entry.body,
        )
        return (*plain, row_checksum("entry", *plain))


class OwedRow(NamedTuple):
    """Where an owed entry is, without its text."""

    ordinal: int
    alarm_id: str
    seq: int


class Mark(NamedTuple):
    """How far a reader has come: the last row that it looked at, by ordinal and key, for files are replaced."""

    ordinal: int
    alarm_id: str
    seq: int


def row_checksum(*values: float | str) -> int:
    """CRC-32 of a row's values: 0 to 2^32 - 1."""
    return zlib.crc32("\x1f".join(map(repr, values)).encode())


def parse_row(values: Sequence[Any]) -> Row | None:
    """The columns of `entries` -> the row; None if they are not what was written."""
    match values:
        case [
            int(ordinal),
            str(alarm_id),
            int(seq),
            float() | int() as utc_s,
            int(urgent),
            int(ended),
            int(owed_from),
            str(alarm),
            str(body),
            int(proof),
        ]:
            entry = Entry(alarm_id, seq, float(utc_s), bool(urgent), alarm, body)
            row = Row(ordinal, entry, bool(ended), owed_from)
            return row if row.values[-1] == proof else None
    return None


def parse_note(values: Sequence[Any]) -> tuple[str, str] | None:
    """The columns of `notes` -> (key, value); None if they are not what was written."""
    match values:
        case [str(key), str(value), int(proof)] if proof == row_checksum("note", key, value):
            return key, value
    return None


def parse_place(values: Sequence[Any]) -> int | None:
    """The columns of `owed` -> the place; None if they are not what was written."""
    match values:
        case [int(place), int(proof)] if proof == row_checksum("owed", place):
            return place
    return None
