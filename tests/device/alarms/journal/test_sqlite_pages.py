"""Pages and logs read without SQLite hold what SQLite put there."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.alarms.journal.sqlite_pages import Pages, WriteAheadLog, parse_wal, raw_file

if TYPE_CHECKING:
    from pathlib import Path

_PAGE = 512

_VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=1500)
    | st.binary(max_size=1500)
)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {_PAGE}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def _rows(path: Path, newer: dict[int, bytes]) -> dict[int, tuple[object, ...]]:
    with raw_file(path) as (read, size):
        records = list(Pages(read, count=size // _PAGE, page_bytes=_PAGE, newer=newer).records())
    return {record.rowid: record.values for record in records if record.rowid is not None and len(record.values) == 3}


def _log(path: Path) -> WriteAheadLog:
    with raw_file(path.with_name(f"{path.name}-wal")) as (read, size):
        return parse_wal(read(0, size), _PAGE)


@given(rows=st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.tuples(_VALUES, _VALUES), max_size=30))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_records_of_any_values_and_length_are_read_as_sqlite_wrote_them(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[int, tuple[object, object]]
) -> None:
    path = tmp_path_factory.mktemp("pages") / "any.db"
    connection = _connect(path)
    connection.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, one, other)")
    connection.executemany("INSERT INTO things VALUES (?, ?, ?)", [(key, *values) for key, values in rows.items()])
    stored = {key: (None, one, other) for key, one, other in connection.execute("SELECT * FROM things")}
    in_log = {frame.number: frame.image for frame in _log(path).committed}
    assert _rows(path, in_log) == stored
    connection.close()
    assert _rows(path, {}) == stored


def test_deleted_rows_are_not_read_from_pages_that_were_freed(tmp_path: Path) -> None:
    connection = _connect(tmp_path / "any.db")
    connection.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, one, other)")
    connection.executemany("INSERT INTO things VALUES (?, ?, 1)", [(number, "x" * 300) for number in range(200)])
    connection.execute("DELETE FROM things WHERE number < 150")
    connection.close()
    assert set(_rows(tmp_path / "any.db", {})) == set(range(150, 200))


@pytest.fixture
def transactions(tmp_path: Path) -> tuple[bytes, list[int]]:
    """A log of six transactions of one row each, and its length after each of them."""
    path = tmp_path / "any.db"
    connection = _connect(path)
    lengths = []
    connection.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, one, other)")
    for number in range(5):
        lengths.append(path.with_name("any.db-wal").stat().st_size)
        connection.execute("INSERT INTO things VALUES (?, ?, 1)", (number, "x" * 1200))
    data = path.with_name("any.db-wal").read_bytes()
    connection.close()
    return data, [*lengths, len(data)]


def test_a_log_that_is_cut_off_anywhere_ends_with_its_last_whole_transaction_and_is_not_damaged(
    transactions: tuple[bytes, list[int]],
) -> None:
    data, ends = transactions
    for size in range(0, len(data) + 1, 97):
        log = parse_wal(data[:size], _PAGE)
        whole = max((end for end in ends if end <= size), default=32)
        assert len(log.committed) == (whole - 32) // (24 + _PAGE)
        assert log.is_damaged == (0 < size < 32)


def test_a_byte_that_rotted_before_the_last_transaction_is_damage_wherever_it_lies(
    transactions: tuple[bytes, list[int]],
) -> None:
    data, ends = transactions
    for at in range(0, ends[-2], 61):
        log = parse_wal(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :], _PAGE)
        assert log.is_damaged
        assert len(log.committed) * (24 + _PAGE) + 32 <= max(at, 32)


def test_frames_of_an_earlier_round_behind_the_newest_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    connection = _connect(path)
    connection.execute("CREATE TABLE things (number INTEGER PRIMARY KEY, one, other)")
    connection.executemany("INSERT INTO things VALUES (?, ?, 1)", [(number, "x" * 300) for number in range(50)])
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("INSERT INTO things VALUES (99, 'new', 1)")
    log = _log(path)
    connection.close()
    assert 0 < len(log.committed) < 10
    assert not log.is_damaged
    assert not log.beyond


def test_garbage_is_read_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "any.db"
    path.write_bytes(bytes(range(256)) * 40)
    assert _rows(path, {}) == {}
    assert _rows(tmp_path / "missing.db", {}) == {}
