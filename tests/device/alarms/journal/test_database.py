"""The journal's file is opened, locked, reopened after failures and recreated if it is removed."""

from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.reading import read_history
from device.alarms.journal.store import Journal
from device.errors import JournalError
from tests.device.alarms.journal.journal_files import BIG_BYTES, make_entry, names_of, owed_entries

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_keeper_is_refused_and_the_first_goes_on(path: Path, journal: Journal) -> None:
    with pytest.raises(JournalError, match="kept by another process"):
        Journal.open(path, max_bytes=BIG_BYTES)
    journal.append([make_entry(1)])
    journal.close()
    with Journal.open(path, max_bytes=BIG_BYTES) as second:
        assert second.owed_count() == 1


def test_a_journal_that_was_closed_opens_itself_again(journal: Journal) -> None:
    journal.append([make_entry(1)])
    journal.close()
    journal.close()
    journal.append([make_entry(2)])
    assert journal.owed_count() == 2


def test_the_group_may_read_and_others_may_not(path: Path, journal: Journal) -> None:
    journal.append([make_entry(1)])
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o640, file.name


def test_a_missing_folder_and_what_is_no_file_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"folder of the journal .* is missing"):
        Journal.open(tmp_path / "nowhere" / "journal.db", max_bytes=BIG_BYTES)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(JournalError, match="is not a file"):
        Journal.open(tmp_path / "folder.db", max_bytes=BIG_BYTES)
    with pytest.raises(JournalError, match="there is no journal at"):
        next(read_history(tmp_path / "none.db", 0.0))


def test_a_file_that_is_removed_under_the_journal_is_written_anew(path: Path, journal: Journal) -> None:
    journal.append([make_entry(1), make_entry(2)])
    journal.mark_delivered([make_entry(1).key])
    for file in path.parent.iterdir():
        file.unlink()
    journal.append([make_entry(3)])
    assert journal.salvage is not None
    assert journal.salvage.rows == 2
    journal.close()
    with Journal.open(path, max_bytes=BIG_BYTES) as again:
        assert names_of(list(again.history(0.0))) == ["1/0", "2/0", "3/0"]
        assert names_of(owed_entries(again)) == ["2/0", "3/0"]


def test_a_folder_that_goes_away_is_told_and_the_next_append_succeeds_when_it_is_back(tmp_path: Path) -> None:
    folder, away = tmp_path / "state", tmp_path / "away"
    folder.mkdir()
    with Journal.open(folder / "journal.db", max_bytes=BIG_BYTES) as journal:
        journal.append([make_entry(1)])
        folder.rename(away)
        with pytest.raises(JournalError):
            journal.append([make_entry(2)])
        away.rename(folder)
        journal.append([make_entry(2)])
        assert names_of(list(journal.history(0.0))) == ["1/0", "2/0"]


def test_sqlite_agrees_that_the_file_is_sound_and_syncs_each_commit(path: Path, journal: Journal) -> None:
    journal.append([make_entry(number) for number in range(50)])
    connection = journal._database.connection()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    other.close()
