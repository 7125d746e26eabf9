"""Counts connections that are lost soon after they were made, again and again. Pure.

Each of them is made within a second, so none lasts long enough to be noticed as missing: together they are a problem.
"""

from __future__ import annotations

MOST_LOSSES = 3
"""So many in a row are a problem; a broker that restarts is one loss."""


class LossCounter:
    """Follows one connection after the other.

    Args:
        stable_s: a connection that lasts this long ends a row of losses.
    """

    def __init__(self, stable_s: float) -> None:
        self._stable_s = stable_s
        self._made_s: float | None = None
        self._losses = 0
        self._reason = ""

    def __repr__(self) -> str:
        return f"LossCounter({self._losses} in a row)"

    @property
    def problem(self) -> str:
        """Why connections are lost again and again; empty unless they are."""
        return self._reason if self._losses >= MOST_LOSSES else ""

    def made(self, now_s: float) -> None:
        """A connection was made."""
        self._made_s = now_s

    def lost(self, reason: str, now_s: float) -> None:
        """It was lost; if none was made, nothing changes."""
        self.lasts(now_s)
        if self._made_s is not None:
            self._losses, self._made_s, self._reason = self._losses + 1, None, reason

    def lasts(self, now_s: float) -> None:
        """The connection goes on."""
        if self._made_s is not None and now_s - self._made_s >= self._stable_s:
            self._losses = 0
