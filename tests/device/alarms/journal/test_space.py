"""A journal stays within its limit; what is pruned first, and what last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.alarms.journal.store import Journal
from tests.device.alarms.journal.journal_files import BIG_BYTES, SMALL_BYTES, bytes_on_disk, make_entry, names_of

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_told_goes_first_where_there_is_no_room(path: Path) -> None:
    with Journal.open(path, max_bytes=SMALL_BYTES) as journal:
        journal.append([make_entry(0), make_entry(1, urgent=True)])
        for first in range(2, 6002, 100):
            entries = [make_entry(number, state="ended") for number in range(first, first + 100)]
            journal.append(entries)
            journal.mark_delivered([entry.key for entry in entries])
            assert bytes_on_disk(path) <= SMALL_BYTES
        kept = names_of(list(journal.history(0.0)))
        assert kept[:2] == ["0/0", "1/0"]
        assert kept[2:] == [f"{number}/0" for number in range(6002 - len(kept) + 2, 6002)]
        assert len(kept) > 1500
        assert journal.pruned_undelivered == 0


def test_the_state_of_an_open_alarm_outlives_newer_entries_that_were_told(path: Path) -> None:
    with Journal.open(path, max_bytes=SMALL_BYTES) as journal:
        latched = [make_entry(0, 0), make_entry(0, 1, state="latched")]
        journal.append(latched)
        journal.mark_delivered([entry.key for entry in latched])
        for first in range(1, 4001, 100):
            entries = [make_entry(number, state="ended") for number in range(first, first + 100)]
            journal.append(entries, delivered=[entry.key for entry in entries])
        assert [seq for _, seq in journal.open_alarms()] == [1]
        assert names_of(list(journal.history(0.0)))[0] == "0/1"


def test_untold_entries_go_last_oldest_first_urgent_ones_after_the_others_and_are_counted(path: Path) -> None:
    with Journal.open(path, max_bytes=SMALL_BYTES) as journal:
        for first in range(0, 6000, 100):
            journal.append([make_entry(number, urgent=number % 10 == 0) for number in range(first, first + 100)])
            assert bytes_on_disk(path) <= SMALL_BYTES
        kept = list(journal.history(0.0))
        assert journal.pruned_undelivered == 6000 - len(kept) > 0
        assert sum(entry.urgent for entry in kept) == 600
        assert journal.owed_count() == len(kept)
    with Journal.open(path, max_bytes=SMALL_BYTES) as journal:
        assert journal.pruned_undelivered == 6000 - len(kept)


def test_a_bound_that_was_lowered_holds_from_the_next_start_on(path: Path) -> None:
    with Journal.open(path, max_bytes=BIG_BYTES) as journal:
        entries = [make_entry(number, state="ended") for number in range(8000)]
        journal.append(entries, delivered=[entry.key for entry in entries])
    assert bytes_on_disk(path) > SMALL_BYTES
    with Journal.open(path, max_bytes=SMALL_BYTES) as journal:
        assert bytes_on_disk(path) <= SMALL_BYTES
        assert list(journal.history(0.0))[-1] == entries[-1]
