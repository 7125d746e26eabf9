"""Entries for the journals of tests, and the size of a journal on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from device.alarms.journal.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from device.alarms.journal.store import Journal


BIG_BYTES = 64_000_000
SMALL_BYTES = 4_000_000


def make_entry(
    alarm: int, seq: int = 0, *, urgent: bool = False, state: str = "active", body_bytes: int = 600
) -> Entry:
    alarm_json = {"alarm_id": f"stream-cry-cry-{alarm}", "state": state, "seq": seq}
    body = json.dumps({**alarm_json, "filler": "x" * body_bytes})
    return Entry(f"stream-cry-cry-{alarm}", seq, 1.7e9 + alarm, urgent, json.dumps(alarm_json), body)


def names_of(entries: Sequence[Entry]) -> list[str]:
    return [f"{entry.alarm_id.rsplit('-', 1)[1]}/{entry.seq}" for entry in entries]


def bytes_on_disk(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def owed_entries(journal: Journal) -> list[Entry]:
    """All that a journal owes, in the order of its rows."""
    rows = list(journal.owed_rows())
    entries = journal.read(row.ordinal for row in rows)
    return [entries[row.ordinal] for row in rows]
