"""The check of the journal: sound or damaged, at rest or in use, it stays as it is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.errors import JournalError
from device.tools.check.journal_check import check_journal

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

_MAX_BYTES = 4_000_000
_BODY = '{"kind":"sound","model":"cry","name":"cry","alarm_id":"a","seq":0}'


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    """A journal with some entries, closed in order."""
    path = tmp_path / "alarms.db"
    with Journal.open(path, max_bytes=_MAX_BYTES) as journal:
        journal.append([Entry(f"a{number}", 0, 1795227247.0 + number, True, "{}", _BODY) for number in range(40)])
    return path


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_sound_journal_is_told_with_the_room_there_is_and_stays_as_it_is(journal_path: Path) -> None:
    before = _files(journal_path.parent)
    finding = check_journal(journal_path, _MAX_BYTES, None)
    assert finding.outcome == "ok"
    assert "can be written" in finding.summary
    assert _files(journal_path.parent) == before


def test_a_journal_that_is_yet_to_be_made_is_told_and_not_made(tmp_path: Path) -> None:
    assert check_journal(tmp_path / "anna" / "alarms.db", _MAX_BYTES, None).outcome == "ok"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", [0, 700], ids=["its head", "a page"])
def test_a_damaged_journal_is_said_and_stays_as_it_is(journal_path: Path, at: int) -> None:
    data = bytearray(journal_path.read_bytes())
    data[at : at + 300] = bytes(300)
    journal_path.write_bytes(data)
    before = _files(journal_path.parent)
    finding = check_journal(journal_path, _MAX_BYTES, None)
    assert finding.outcome == "failure"
    assert "is damaged: " in finding.summary
    assert "salvages" in finding.cure
    assert _files(journal_path.parent) == before


def test_a_row_that_is_not_as_it_was_written_is_damage(journal_path: Path) -> None:
    data = journal_path.read_bytes()
    assert b'"name":"cry"' in data
    journal_path.write_bytes(data.replace(b'"name":"cry"', b'"name":"cat"'))
    assert "is damaged: " in check_journal(journal_path, _MAX_BYTES, None).summary


def test_what_a_killed_daemon_left_in_the_log_is_read_and_stays_as_it_is(journal_path: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with Journal.open(journal_path, max_bytes=_MAX_BYTES) as journal:
        journal.append([Entry("b", 0, 1795227300.0, True, "{}", _BODY)])
        for name in ("alarms.db", "alarms.db-wal"):
            (crashed / name).write_bytes((tmp_path / name).read_bytes())
    before = _files(crashed)
    assert before["alarms.db-wal"]
    assert check_journal(crashed / "alarms.db", _MAX_BYTES, None).outcome == "ok"
    assert _files(crashed) == before
    page = bytearray(before["alarms.db-wal"])
    page[100:400] = b"\xff" * 300
    (crashed / "alarms.db-wal").write_bytes(page)
    assert "is damaged: its log is" in check_journal(crashed / "alarms.db", _MAX_BYTES, None).summary


def test_a_folder_in_place_of_the_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is not a file"):
        check_journal(tmp_path, _MAX_BYTES, None)


def test_too_little_room_for_the_journal_is_a_warning_and_what_it_holds_already_counts(journal_path: Path) -> None:
    finding = check_journal(journal_path, 10**18, None)
    assert finding.outcome == "warning"
    assert "max_mb in [journal]" in finding.cure
    held_bytes = sum(len(data) for data in _files(journal_path.parent).values())
    assert check_journal(journal_path, held_bytes, None).summary.endswith("it takes at most 0")


def test_no_journal_is_a_warning_that_says_what_is_lost() -> None:
    finding = check_journal(None, _MAX_BYTES, None)
    assert finding.outcome == "warning"
    assert "lost with the process" in finding.summary


def test_a_daemon_that_cannot_keep_its_alarms_is_a_failure(journal_path: Path, state: DaemonState) -> None:
    assert check_journal(journal_path, _MAX_BYTES, state).outcome == "ok"
    finding = check_journal(journal_path, _MAX_BYTES, dataclasses.replace(state, journal="the disk is full"))
    assert finding.outcome == "failure"
    assert "does not keep alarms: the disk is full" in finding.summary


def test_the_journal_of_a_daemon_that_writes_it_is_read_beside_it(journal_path: Path, state: DaemonState) -> None:
    with Journal.open(journal_path, max_bytes=_MAX_BYTES) as journal:
        journal.append([Entry("b", 0, 1795227300.0, True, "{}", _BODY)])
        before = _files(journal_path.parent)
        assert check_journal(journal_path, _MAX_BYTES, state).outcome == "ok"
        assert check_journal(journal_path, _MAX_BYTES, None).outcome == "ok", "its lock says that somebody keeps it"
        assert _files(journal_path.parent).keys() == before.keys()
        journal.append([Entry("b", 1, 1795227301.0, True, "{}", _BODY)])
