"""The record of commands: complete, in order, bounded, going on after a restart, and readable beside the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.alarms.journal.command_notes import (
    COUNT_KEY,
    KEPT,
    KEY_PREFIX,
    CommandLog,
    CommandNote,
    parse_command_notes,
)
from device.alarms.journal.reading import read_notes
from device.alarms.journal.store import Journal

if TYPE_CHECKING:
    from pathlib import Path


class Notes(dict[str, str]):
    def set_note(self, key: str, value: str) -> None:
        self[key] = value


def _note(sentence: str, by: str = "anna (auricle-web)") -> CommandNote:
    return CommandNote(0, 1.7e9, by, "pause", done=True, sentence=sentence)


def _kept(notes: Notes) -> list[CommandNote]:
    return parse_command_notes(value for key, value in notes.items() if key.startswith(KEY_PREFIX))


def test_commands_before_the_journal_has_opened_are_noted_when_it_has() -> None:
    log, notes = CommandLog(), Notes()
    log.add(_note("first"), notes)
    assert notes == {}
    log.restore("41", notes)
    log.add(_note("second"), notes)
    assert [(note.number, note.sentence) for note in _kept(notes)] == [(42, "first"), (43, "second")]
    assert notes[COUNT_KEY] == "43"


def test_the_oldest_give_way_and_a_restart_goes_on_counting() -> None:
    log, notes = CommandLog(), Notes()
    log.restore(None, notes)
    for number in range(KEPT + 3):
        log.add(_note(str(number)), notes)
    again = CommandLog()
    again.restore(notes[COUNT_KEY], notes)
    again.add(_note("last"), notes)
    kept = _kept(notes)
    assert len(kept) == KEPT
    assert [note.number for note in kept] == list(range(5, KEPT + 5))
    assert kept[-1].sentence == "last"


def test_a_journal_that_is_opened_again_with_an_old_count_overwrites_nothing() -> None:
    log, notes = CommandLog(), Notes()
    log.restore(None, notes)
    log.add(_note("first"), notes)
    log.restore(None, notes)
    log.add(_note("second"), notes)
    assert [note.sentence for note in _kept(notes)] == ["first", "second"]


def test_another_process_reads_them_while_the_journal_is_open(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "alarms.db", max_bytes=8_000_000) as journal:
        log = CommandLog()
        log.restore(None, journal)
        log.add(_note("signals sound again <b>"), journal)
        (note,) = parse_command_notes(read_notes(tmp_path / "alarms.db", KEY_PREFIX))
    assert note == CommandNote(1, 1.7e9, "anna (auricle-web)", "pause", done=True, sentence="signals sound again <b>")


def test_what_another_version_wrote_is_left_out() -> None:
    assert parse_command_notes(["", "[]", '{"number": "1"}', '{"number": 1, "utc_s": 0}']) == []
