"""Readers of a journal that grows get each change once, also where the file is ahead of the last look at it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.web.night.journal_tail import JournalTail

if TYPE_CHECKING:
    from pathlib import Path


def _append(journal: Journal, seq: int) -> None:
    journal.append([Entry("s-cry-0", seq, time.time(), urgent=True, alarm="{}", body="{}")])


async def _looked(tail: JournalTail, newest: int) -> None:
    """Follow until the tail has seen so many changes, then no longer."""
    following = asyncio.create_task(tail.follow())
    async with tail._changed:
        await tail._changed.wait_for(lambda: tail.newest == newest)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


def test_a_file_that_is_ahead_of_the_last_look_is_no_other_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    async def scenario(journal: Journal) -> list[int]:
        tail = JournalTail(lambda: path)
        _append(journal, 1)
        _append(journal, 2)
        await _looked(tail, 2)
        _append(journal, 3)
        rows = await tail.newer(1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tail.newer(rows[-1].ordinal), 0.3)
        return [row.ordinal for row in rows]

    with contextlib.closing(Journal.open(path, max_bytes=8_000_000)) as journal:
        assert asyncio.run(scenario(journal)) == [2, 3]


def test_an_older_look_that_ends_late_takes_nothing_back(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"

    async def scenario(journal: Journal) -> int:
        tail = JournalTail(lambda: path)
        _append(journal, 1)
        await _looked(tail, 1)
        look = tail._look
        _append(journal, 2)
        late = look()
        _append(journal, 3)
        await tail.newer(0)
        tail._look = lambda: late  # type: ignore[method-assign]
        following = asyncio.create_task(tail.follow())
        await asyncio.sleep(0.1)
        following.cancel()
        return tail.newest

    with contextlib.closing(Journal.open(path, max_bytes=8_000_000)) as journal:
        assert asyncio.run(scenario(journal)) == 3


def test_a_journal_that_was_replaced_is_followed_from_its_begin(tmp_path: Path) -> None:
    paths = [tmp_path / "first.db", tmp_path / "second.db"]

    async def scenario() -> list[int]:
        tail = JournalTail(lambda: paths[0])
        await _looked(tail, 5)
        paths.pop(0)
        await _looked(tail, 1)
        return [row.ordinal for row in await tail.newer(5)]

    for path, count in zip(paths, (5, 1), strict=True):
        with contextlib.closing(Journal.open(path, max_bytes=8_000_000)) as journal:
            for seq in range(count):
                _append(journal, seq)
    assert asyncio.run(scenario()) == [1]
