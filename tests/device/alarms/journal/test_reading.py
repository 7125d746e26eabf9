"""A journal is read while it is being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.alarms.journal.reading import read_history
from tests.device.alarms.journal.journal_files import make_entry

if TYPE_CHECKING:
    from pathlib import Path

    from device.alarms.journal.store import Journal


def test_history_is_read_while_the_journal_is_kept_and_holds_nothing_up(path: Path, journal: Journal) -> None:
    journal.append([make_entry(number) for number in range(600)])
    reading = read_history(path, 1.7e9 + 100)
    assert next(reading).alarm_id == "stream-cry-cry-100"
    journal.append([make_entry(600)])
    assert len(list(reading)) == 500
    journal.close()
    assert len(list(read_history(path, 0.0))) == 601
