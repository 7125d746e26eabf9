"""Reads the changes of alarms from a journal, also while a daemon writes it; changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.alarms.journal.reading import read_history, read_owed_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from device.alarms.journal.entries import Entry


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """One change of one alarm.

    Attributes:
        entry: of the journal.
        body: of the entry, parsed.
        delivered: the broker has acknowledged it, or without a broker the journal holds it; noted up to a minute late.
    """

    entry: Entry
    body: Mapping[str, Any]
    delivered: bool


def read_changes(path: Path, since_utc_s: float) -> Iterator[AlarmChange]:
    """The changes since then that a journal holds, in its order.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    owed = read_owed_keys(path)
    for entry in _entries_since(read_history(path, float("-inf")), since_utc_s):
        yield AlarmChange(entry, body_of(entry), entry.key not in owed)


def _entries_since(entries: Iterable[Entry], since_utc_s: float) -> Iterator[Entry]:
    """Entries since then, and those that a wrong clock may have dated too early.

    An unsynchronized entry from before that moment is kept, unless a synchronized one from before it follows.
    """
    doubtful: list[Entry] = []
    for entry in entries:
        if entry.utc_s >= since_utc_s:
            yield from doubtful
            doubtful.clear()
            yield entry
        elif body_of(entry).get("time_quality") == "synchronized":
            doubtful.clear()
        else:
            doubtful.append(entry)
    yield from doubtful


def body_of(entry: Entry) -> Mapping[str, Any]:
    """The entry's JSON object; empty if it is something else, as a newer version may have written it."""
    try:
        body = json.loads(entry.body)
    except ValueError:
        body = {}
    return body if isinstance(body, dict) else {}
