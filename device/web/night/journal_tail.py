"""Follows the journal of a running daemon: its newest changes, for any number of readers. Reads alone.

A reader that was away gets what it missed from the file. A journal that was replaced is followed from its begin.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import anyio.to_thread
from anyio import CapacityLimiter

from device.alarms.journal.reading import read_newest_rows, read_rows_after
from device.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from device.alarms.journal.entries import Row

POLL_S = 1.0
MOST_AT_ONCE = 500
_FIRST_WITHIN_S = 3.0


class JournalTail:
    """One journal.

    Args:
        find: its path now: the daemon may begin one later than the page.

    Attributes:
        newest: ordinal of the newest change; 0 before the first.
        problem: why it cannot be read at present; empty if it can.
    """

    def __init__(self, find: Callable[[], Path]) -> None:
        self._find = find
        self._identity: tuple[str, int] | None = None
        self._changed = asyncio.Condition()
        self._has_looked = asyncio.Event()
        self._reading = CapacityLimiter(2)
        self.newest = 0
        self.problem = ""

    def __repr__(self) -> str:
        return f"JournalTail({self.newest})"

    async def follow(self) -> None:
        """Look for new changes for ever; raises nothing of the journal's."""
        while True:
            try:
                newest, is_another = await anyio.to_thread.run_sync(self._look, limiter=self._reading)
                self.problem = ""
            except JournalError as error:
                newest, is_another, self.problem = self.newest, False, str(error)
            self._has_looked.set()
            if is_another or newest > self.newest:  # a reader may have seen newer ones meanwhile
                await self._advance(newest)
            await asyncio.sleep(POLL_S)

    async def _advance(self, newest: int) -> None:
        async with self._changed:
            self.newest = newest
            self._changed.notify_all()

    async def now(self) -> int:
        """The newest ordinal, once the journal was looked at; 0 if that takes seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_looked.wait(), _FIRST_WITHIN_S)
        return self.newest

    async def newer(self, ordinal: int) -> list[Row]:
        """The changes after an ordinal, oldest first, at most `MOST_AT_ONCE`, once there are any."""
        while True:
            async with self._changed:
                while self.newest == ordinal:
                    await self._changed.wait()
            after = ordinal if ordinal < self.newest else 0  # another journal
            try:
                rows = await anyio.to_thread.run_sync(self._rows_after, after, limiter=self._reading)
            except JournalError:
                rows = []
            if rows:
                if rows[-1].ordinal > self.newest:  # the file is ahead of the last look: that is no other journal
                    await self._advance(rows[-1].ordinal)
                return rows
            await asyncio.sleep(POLL_S)

    def _look(self) -> tuple[int, bool]:
        """The newest ordinal, and whether the journal is another one than before."""
        path = self._find()
        try:
            identity = str(path), path.stat().st_ino
        except OSError as error:
            raise JournalError(f"the journal {path} cannot be read: {error.strerror}") from None
        if identity != self._identity:
            rows = read_newest_rows(path, 1)
            self._identity = identity
            return rows[-1].ordinal if rows else 0, True
        newest = self.newest
        while rows := read_rows_after(path, newest, MOST_AT_ONCE):
            newest = rows[-1].ordinal
        return newest, False

    def _rows_after(self, ordinal: int) -> list[Row]:
        return read_rows_after(self._find(), ordinal, MOST_AT_ONCE)
