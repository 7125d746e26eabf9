"""Damaged journals of every kind: opening raises nothing but `JournalError`, and no row goes without a word."""

from __future__ import annotations

import atexit
import json
import shutil
import sqlite3
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.errors import JournalError
from tests.device.alarms.journal.journal_files import owed_entries

if TYPE_CHECKING:
    from collections.abc import Callable

_BIG = 64_000_000
_COUNT = 300
_PAGE = 512


def _entry(number: int, body_bytes: int = 500) -> Entry:
    alarm = json.dumps({"state": "ended" if number % 3 else "active", "name": "cry"})
    return Entry(f"stream-cry-cry-{number}", 0, 1.7e9 + number, number % 7 == 0, alarm, "y" * body_bytes)


def _entries() -> list[Entry]:
    return [_entry(number, body_bytes=20 + 13 * (number % 60)) for number in range(_COUNT)]


def _owed_keys() -> set[tuple[str, int]]:
    return {entry.key for entry in _entries()[_COUNT // 2 :]} | {_entry(7).key}


@cache
def _snapshots() -> dict[str, Path]:
    """A journal as a power cut leaves it: `settled`, most of it in the file, and `fresh`, all of it in its log."""
    folders = {}
    for kind, chunk in (("settled", 50), ("fresh", _COUNT)):
        folder = Path(mkdtemp(prefix=f"journal-{kind}-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        with Journal.open(folder / "journal.db", max_bytes=_BIG) as journal:
            if kind == "fresh":
                journal._database.connection().execute("PRAGMA wal_autocheckpoint = 0")
            for first in range(0, _COUNT, chunk):
                journal.append(_entries()[first : first + chunk])
            journal.mark_delivered([entry.key for entry in _entries() if entry.key not in _owed_keys()])
            journal.set_note("paused_until", "17")
            folders[kind] = Path(shutil.copytree(folder, folder / "as-left"))
    return folders


@pytest.fixture(params=["settled", "fresh"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_snapshots()[request.param], tmp_path / "state")) / "journal.db"


def _judge(path: Path, *, at_most_lost: int) -> Journal:
    """Open a damaged journal, and hold what is left against what was there."""
    journal = Journal.open(path, max_bytes=_BIG)
    kept, original = list(journal.history(0.0)), {entry.key: entry for entry in _entries()}
    assert all(original[entry.key] == entry for entry in kept)
    lost = _COUNT - len(kept)
    assert lost <= at_most_lost
    salvage = journal.salvage
    if salvage is not None:
        assert salvage.rows == len(kept)
        assert salvage.set_aside is not None
        assert salvage.set_aside.exists() or salvage.set_aside.with_name(f"{salvage.set_aside.name}-wal").exists()
    else:
        assert lost == 0
    owed = {entry.key for entry in owed_entries(journal)}
    assert _owed_keys() & {entry.key for entry in kept} <= owed
    journal.append([_entry(_COUNT + 1)])
    assert journal.owed_count() == len(owed) + 1
    return journal


def test_a_journal_that_a_power_cut_left_is_sound(path: Path) -> None:
    with _judge(path, at_most_lost=0) as journal:
        assert journal.salvage is None
        assert journal.note("paused_until") == "17"


def _truncate(file: Path, size: int) -> None:
    with file.open("r+b") as opened:
        opened.truncate(size)


def _overwrite(file: Path, offset: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(bytes(4096)),
        lambda file: file.write_bytes(b"{}\n" * 3000),
        lambda file: _truncate(file, 100),
        lambda file: file.unlink(),
    ],
    ids=["empty", "zeros", "text", "header alone", "removed"],
)
def test_a_file_of_which_nothing_is_left_is_set_aside_and_its_log_is_still_read(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = Path(shutil.copytree(_snapshots()["fresh"], tmp_path / "state")) / "journal.db"
    damage(path)
    with _judge(path, at_most_lost=0) as journal:
        assert journal.salvage is not None
        assert journal.salvage.unreadable_rows == 0
        assert journal.note("paused_until") == "17"


def test_without_a_log_nothing_is_left_of_an_empty_file_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"")
    with Journal.open(path, max_bytes=_BIG) as journal:
        assert journal.salvage is not None
        assert (journal.salvage.rows, journal.salvage.unreadable_rows) == (0, 0)


def test_a_file_that_lost_its_second_half_keeps_the_first_and_tells_what_it_knows_to_be_missing(tmp_path: Path) -> None:
    path = Path(shutil.copytree(_snapshots()["settled"], tmp_path / "state")) / "journal.db"
    with Journal.open(path, max_bytes=_BIG):
        pass  # closed in order: all is in the file
    _truncate(path, path.stat().st_size // 2)
    with _judge(path, at_most_lost=_COUNT * 2 // 3) as journal:
        assert journal.salvage is not None
        assert 0 < journal.salvage.unreadable_rows <= _COUNT - journal.salvage.rows


def test_the_number_of_rows_on_a_page_of_garbage_is_told(tmp_path: Path) -> None:
    path = Path(shutil.copytree(_snapshots()["settled"], tmp_path / "state")) / "journal.db"
    with Journal.open(path, max_bytes=_BIG) as journal:
        found = journal._database.connection().execute(
            "SELECT pageno FROM dbstat WHERE name = 'entries' AND pagetype = 'leaf'"
        )
        page = found.fetchall()[40][0]
    _overwrite(path, (page - 1) * _PAGE, b"\xa5" * _PAGE)
    with _judge(path, at_most_lost=8) as journal:
        salvage = journal.salvage
        assert salvage is not None
        assert salvage.unreadable_rows == _COUNT - salvage.rows > 0
        assert f"{salvage.unreadable_rows} could not be read" in str(salvage)


def test_owed_rows_that_neither_table_nor_index_lists_any_more_are_told(tmp_path: Path) -> None:
    path = Path(shutil.copytree(_snapshots()["settled"], tmp_path / "state")) / "journal.db"
    with Journal.open(path, max_bytes=_BIG) as journal:
        leaves = "SELECT name, pageno FROM dbstat WHERE name LIKE '%entries%' AND pagetype = 'leaf'"
        found = journal._database.connection().execute(leaves).fetchall()
    rows = [page for name, page in found if name == "entries"]
    for page in (rows[-1], *(page for name, page in found if name != "entries")):
        _overwrite(path, (page - 1) * _PAGE, b"\xa5" * _PAGE)
    with _judge(path, at_most_lost=8) as journal:
        assert journal.salvage is not None
        assert journal.salvage.unreadable_rows == _COUNT - journal.salvage.rows > 0


def test_rows_below_a_lost_pointer_are_found_even_so(tmp_path: Path) -> None:
    path = Path(shutil.copytree(_snapshots()["settled"], tmp_path / "state")) / "journal.db"
    with Journal.open(path, max_bytes=_BIG):
        pass
    _overwrite(path, _PAGE, bytes(2 * _PAGE))  # the roots of the table and of its index
    with _judge(path, at_most_lost=0) as journal:
        assert journal.salvage is not None


@pytest.mark.parametrize("pragma", ["user_version = 2", "user_version = 0", "application_id = 7"])
def test_another_schema_is_set_aside_and_rows_that_are_understood_are_kept(path: Path, pragma: str) -> None:
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA {pragma}")
    other.close()
    with _judge(path, at_most_lost=0) as journal:
        assert journal.salvage is not None


def test_a_database_of_somebody_else_is_kept_whole_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE photos (name TEXT)")
    other.execute("INSERT INTO photos VALUES ('holiday')")
    other.commit()
    other.close()
    with Journal.open(path, max_bytes=_BIG) as journal:
        assert journal.salvage is not None
        assert journal.salvage.set_aside is not None
        aside = sqlite3.connect(journal.salvage.set_aside)
    assert aside.execute("SELECT * FROM photos").fetchall() == [("holiday",)]
    aside.close()


def test_a_bit_that_flipped_in_a_committed_transaction_of_the_log_costs_no_other_row(tmp_path: Path) -> None:
    path = Path(shutil.copytree(_snapshots()["fresh"], tmp_path / "state")) / "journal.db"
    log = path.with_name("journal.db-wal")
    _overwrite(log, 32 + 3 * (24 + _PAGE) + 100, b"\xff\x00\xff")
    with _judge(path, at_most_lost=4) as journal:
        assert journal.salvage is not None
        assert "log" in journal.salvage.reason


def test_a_few_damaged_files_are_kept_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    for number in range(6):
        path.write_bytes(b"garbage %d" % number)
        Journal.open(path, max_bytes=_BIG).close()
    kept = sorted(file.read_bytes() for file in tmp_path.glob("journal.db.damaged-*"))
    assert kept == [b"garbage 3", b"garbage 4", b"garbage 5"]


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_a_salvage_that_a_power_cut_interrupted_is_finished_at_the_next_start(tmp_path: Path, renamed: int) -> None:
    path = Path(shutil.copytree(_snapshots()["fresh"], tmp_path / "state")) / "journal.db"
    sound = Path(shutil.copytree(path.parent, tmp_path / "other")) / "journal.db"
    with Journal.open(sound, max_bytes=_BIG):
        pass
    shutil.copy(sound, path.with_name("journal.db.new"))
    for suffix in ("", "-wal")[:renamed]:
        path.with_name(f"journal.db{suffix}").rename(path.with_name(f"journal.db.damaged-20261121T000000Z{suffix}"))
    with _judge(path, at_most_lost=0):
        assert not path.with_name("journal.db.new").exists()


def test_a_row_that_rots_while_the_journal_is_open_is_told_and_the_others_are_salvaged(tmp_path: Path) -> None:
    path = Path(shutil.copytree(_snapshots()["settled"], tmp_path / "state")) / "journal.db"
    with Journal.open(path, max_bytes=_BIG) as journal:
        spoiler = sqlite3.connect(path)
        spoiler.execute("UPDATE entries SET body = 'z' WHERE alarm_id = 'stream-cry-cry-200'")
        spoiler.commit()
        spoiler.close()
        with pytest.raises(JournalError, match="damaged"):
            list(journal.history(0.0))
        assert len(list(journal.history(0.0))) == _COUNT - 1
        assert journal.salvage is not None
        assert journal.salvage.unreadable_rows == 1


@st.composite
def _damages(draw: st.DrawFn) -> list[tuple[str, str, float, bytes]]:
    """(which file, what is done, where as a share of its length, the bytes)."""
    file = st.sampled_from(["", "-wal"])
    overwritten = st.tuples(file, st.just("overwrite"), st.floats(0, 1), st.binary(min_size=1, max_size=700))
    flipped = st.tuples(file, st.just("flip"), st.floats(0, 1), st.just(b"\x01") | st.just(b"\x80"))
    return draw(st.lists(overwritten | flipped, min_size=1, max_size=3))


@example(kind="settled", damages=[("", "flip", 0.55078125, b"\x01")])  # SQLite reads a text as the newest ordinal
@example(kind="settled", damages=[("", "overwrite", 0.984375, b"\x80" + bytes(7))])  # SQLite's message is no UTF-8
@given(kind=st.sampled_from(["settled", "fresh"]), damages=_damages())
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_bytes_are_damaged_all_rows_elsewhere_are_kept_and_lost_ones_are_told(
    kind: str, damages: list[tuple[str, str, float, bytes]]
) -> None:
    folder = Path(mkdtemp(prefix="journal-hurt-"))
    path = Path(shutil.copytree(_snapshots()[kind], folder / "state")) / "journal.db"
    for suffix, act, share, data in damages:
        file = path.with_name(f"journal.db{suffix}")
        held = file.read_bytes()
        at = int(share * (len(held) - len(data)))
        patch = bytes(byte ^ data[0] for byte in held[at : at + 1]) if act == "flip" else data
        file.write_bytes(held[:at] + patch + held[at + len(patch) :])
    _judge(path, at_most_lost=_lost_at_most(damages)).close()
    shutil.rmtree(folder)


def _lost_at_most(damages: list[tuple[str, str, float, bytes]]) -> int:
    """A page holds parts of at most a dozen of these rows; 700 bytes touch three pages."""
    return sum(12 * (2 + len(data) // _PAGE) for _, _, _, data in damages)


@given(kind=st.sampled_from(["settled", "fresh"]), share=st.floats(0, 1), file=st.sampled_from(["", "-wal"]))
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_wherever_a_file_is_cut_off_the_journal_opens_with_what_lies_before(kind: str, share: float, file: str) -> None:
    folder = Path(mkdtemp(prefix="journal-cut-"))
    path = Path(shutil.copytree(_snapshots()[kind], folder / "state")) / "journal.db"
    cut = path.with_name(f"journal.db{file}")
    _truncate(cut, int(share * cut.stat().st_size))
    with Journal.open(path, max_bytes=_BIG) as journal:
        original = {entry.key: entry for entry in _entries()}
        kept = list(journal.history(0.0))
        assert file or len(kept) == _COUNT or journal.salvage is not None
        assert all(original[entry.key] == entry for entry in kept)
        assert _owed_keys() & {entry.key for entry in kept} <= {entry.key for entry in owed_entries(journal)}
        journal.append([_entry(_COUNT + 1)])
    shutil.rmtree(folder)
