"""Errors of SQLite and of the disk are distinguished: full, refused, damaged or failing."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal import disk_errors
from device.alarms.journal.disk_errors import error_sentence, is_damage, is_disk_full
from device.alarms.journal.queries import NotAsWrittenError

if TYPE_CHECKING:
    from pathlib import Path


def sqlite_error(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(f"from {name}")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (sqlite_error("SQLITE_FULL"), "is full; what was kept is safe, free some space"),
        (OSError(errno.ENOSPC, "no space"), "is full"),
        (OSError(errno.EDQUOT, "quota"), "is full"),
        (sqlite_error("SQLITE_READONLY_DBMOVED"), "cannot be written"),
        (sqlite_error("SQLITE_CANTOPEN"), "cannot be written"),
        (OSError(errno.EROFS, "read-only"), "make its folder writable"),
        (PermissionError(errno.EACCES, "denied"), "make its folder writable"),
        (sqlite_error("SQLITE_CORRUPT_INDEX"), "is damaged (from SQLITE_CORRUPT_INDEX)"),
        (sqlite_error("SQLITE_NOTADB"), "is damaged"),
        (NotAsWrittenError("row 3 is damaged"), "is damaged (row 3 is damaged)"),
        (sqlite_error("SQLITE_IOERR_READ"), "fails (from SQLITE_IOERR_READ)"),
        (OSError(errno.EIO, "I/O error"), "check it"),
    ],
)
def test_each_error_is_one_sentence_with_the_file_and_a_cure(path: Path, error: Exception, sentence: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk_errors, "free_bytes", lambda _path: 10**9)
        words = error_sentence(path, error)
    assert str(path) in words
    assert sentence in words


@pytest.mark.parametrize(("free", "full"), [(0, True), (64 * 1024 - 1, True), (64 * 1024, False)])
def test_an_io_error_means_a_full_disk_only_if_hardly_anything_is_free(
    path: Path, monkeypatch: pytest.MonkeyPatch, free: int, *, full: bool
) -> None:
    monkeypatch.setattr(disk_errors, "free_bytes", lambda _path: free)
    assert is_disk_full(path, sqlite_error("SQLITE_IOERR_SHMSIZE")) is full


@pytest.mark.parametrize("name", ["SQLITE_FULL", "SQLITE_IOERR_FSYNC", "SQLITE_READONLY", "SQLITE_BUSY"])
def test_an_error_of_the_disk_is_no_damage(name: str) -> None:
    assert not is_damage(sqlite_error(name))
    assert is_damage(sqlite_error("SQLITE_CORRUPT"))
    assert is_damage(sqlite3.DatabaseError("without a code"))
