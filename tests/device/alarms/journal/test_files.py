"""The files beside a journal: one lock, a reserve that frees room, and few damaged copies."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.files import (
    MAX_DAMAGED_FILES,
    RESERVE_BYTES,
    Lock,
    beside,
    check_is_file,
    create_reserve,
    damaged_file_name,
    delete_reserve,
    make_empty,
    prune_damaged_files,
    uri_path,
)
from device.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

UTC_S = 1795227247.0


def test_a_second_lock_is_refused_until_the_first_is_released(path: Path) -> None:
    first = Lock(path)
    with pytest.raises(JournalError, match="kept by another process; stop that one, or name another file"):
        Lock(path)
    first.close()
    first.close()
    Lock(path).close()


def test_a_new_file_is_empty_and_readable_by_the_group_whatever_was_there_and_the_umask(path: Path) -> None:
    path.write_bytes(b"left over")
    path.chmod(0o600)
    umask = os.umask(0o077)
    try:
        make_empty(path)
    finally:
        os.umask(umask)
    assert path.stat().st_size == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_reserve_occupies_its_bytes_on_disk_and_gives_them_back(path: Path) -> None:
    assert not delete_reserve(path)
    assert create_reserve(path)
    assert create_reserve(path)
    reserve = beside(path, ".ballast")
    assert reserve.stat().st_size == RESERVE_BYTES
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES  # no hole: a hole would free nothing
    assert delete_reserve(path)
    assert list(path.parent.iterdir()) == []


def test_a_reserve_cut_short_is_made_whole_again(path: Path) -> None:
    beside(path, ".ballast").write_bytes(b"x" * 100)
    assert create_reserve(path)
    assert beside(path, ".ballast").stat().st_size == RESERVE_BYTES


def test_without_a_folder_there_is_no_reserve(tmp_path: Path) -> None:
    assert not create_reserve(tmp_path / "nowhere" / "journal.db")


def test_a_journal_may_be_a_plain_file_or_missing_and_nothing_else(tmp_path: Path) -> None:
    check_is_file(tmp_path / "missing.db")
    (tmp_path / "plain.db").write_bytes(b"")
    check_is_file(tmp_path / "plain.db")
    os.mkfifo(tmp_path / "pipe.db")
    for name in ("", "pipe.db"):
        with pytest.raises(JournalError, match="is not a file; move that away, or name another file"):
            check_is_file(tmp_path / name)


def test_damaged_files_of_one_second_have_different_names(path: Path) -> None:
    names = []
    for _ in range(3):
        names.append(damaged_file_name(path, UTC_S).name)
        damaged_file_name(path, UTC_S).write_bytes(b"")
    stem = "journal.db.damaged-20261121T021407Z"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]


def set_aside(path: Path, age: int, size: int, log_size: int = 0) -> Path:
    """A damaged file of that size; a higher age is older."""
    file = beside(path, f".damaged-{age}")
    file.write_bytes(b"x" * size)
    os.utime(file, (UTC_S - age, UTC_S - age))
    if log_size:
        beside(file, "-wal").write_bytes(b"x" * log_size)
    return file


def test_the_newest_damaged_files_remain_with_their_logs_and_the_journal_is_left_alone(path: Path) -> None:
    path.write_bytes(b"journal")
    files = [set_aside(path, age, 10, log_size=5) for age in range(MAX_DAMAGED_FILES + 2)]
    prune_damaged_files(path, 10_000)
    assert [file.exists() for file in files] == [True] * MAX_DAMAGED_FILES + [False] * 2
    assert [beside(file, "-wal").exists() for file in files] == [True] * MAX_DAMAGED_FILES + [False] * 2
    assert path.read_bytes() == b"journal"


def test_of_damaged_files_that_are_too_large_only_the_newest_remains_however_large(path: Path) -> None:
    newest, middle, oldest = set_aside(path, 0, 900), set_aside(path, 1, 40, log_size=70), set_aside(path, 2, 10)
    prune_damaged_files(path, 1000)
    assert [newest.exists(), middle.exists(), oldest.exists()] == [True, False, False]
    prune_damaged_files(path, 10)
    assert newest.exists()


def test_a_path_is_quoted_for_a_uri(tmp_path: Path) -> None:
    assert uri_path(tmp_path / "a b?mode=rw#.db").endswith("/a%20b%3Fmode%3Drw%23.db")
