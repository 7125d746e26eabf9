"""Follows the daemon's journal into the ledger: cheap while nothing happens, and patient while there is no journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.alarms.journal.following import AT_ONCE, file_state, read_following, read_present
from device.errors import JournalError
from device.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

    from device.push.owed.owed_ledger import OwedLedger

LOOK_AGAIN_S = 30.0
"""The journal is read this often though its files look unchanged."""


class JournalFollower:
    """Reads what is new in a journal.

    Args:
        path: of the journal; it may not exist yet.
        ledger: takes what is read.

    Attributes:
        problem: why the newest attempt failed; empty if it succeeded.
        since_s: when the failures began, monotonic; None while there are none.
    """

    def __init__(self, path: Path, ledger: OwedLedger) -> None:
        self.problem = ""
        self.since_s: float | None = None
        self._path = path
        self._ledger = ledger
        self._has_begun = False
        self._seen: object = None
        self._looked_s = float("-inf")

    def __repr__(self) -> str:
        return f"JournalFollower({str(self._path)!r}, {self.problem or 'well'})"

    def follow(self, now_s: float) -> None:
        """Pass on what is new; never raises."""
        files = file_state(self._path)
        if files == self._seen and not self.problem and now_s - self._looked_s < LOOK_AGAIN_S:
            return
        self._looked_s = now_s
        try:
            self._read(now_s)
        except (JournalError, OSError) as error:
            self.problem = printable(str(error))
            self.since_s = now_s if self.since_s is None else self.since_s
            return
        self._seen, self.problem, self.since_s = files, "", None

    def _read(self, now_s: float) -> None:
        if not self._has_begun:
            self._ledger.begin(read_present(self._path), now_s)
            self._has_begun = True
        while True:
            following = read_following(self._path, self._ledger.mark)
            before = self._ledger.mark
            self._ledger.take(following, now_s)
            if self._ledger.mark == before or len(following.rows) < AT_ONCE:
                return
