"""When the machine cannot keep up: how wide the hop is to be, from how much sound waits.

The hop widens in whole multiples of the configured one, soon where sound waits, and narrows again one
step at a time once every window has been made good before the next for a while; each narrowing that had
to be taken back doubles that while for that hop, so that a hot machine does not swing. Pure: the clock is
an argument.
"""

from __future__ import annotations

WIDEN_AT_S = 1.0
"""Seconds of sound that wait and tell that the machine does not keep up: two default hops."""

WIDEN_AFTER_S = 1.0
"""A stall that is made good within this time is none."""

EVEN_AT_S = 0.3
"""With less that waits, the machine has caught up: blocks come in twos and threes."""

NARROW_AFTER_S = 30.0
PATIENCE_MOST_S = 600.0
"""A narrowing that held for longer was right, whatever came later."""


class OverloadControl:
    """The hop that the machine can keep up with.

    Args:
        hop_s: as configured.
        widest_s: never wider than this.
        widen_up_to: nor than this many times the configured one; 1 for never.
    """

    def __init__(self, hop_s: float, *, widest_s: float, widen_up_to: int) -> None:
        self._configured_s = hop_s
        self._most = max(1, min(widen_up_to, int(widest_s / hop_s + 1e-9)))
        self._factor = 1
        self._behind_since_s: float | None = None
        self._even_s = float("-inf")  # when the machine had last caught up
        self._calm_since_s: float | None = None
        self._narrowed_s: float | None = None
        self._patience_s: dict[int, float] = {}  # factor -> calm that it wants before the hop narrows to it

    def __repr__(self) -> str:
        return (
            f"OverloadControl({self.hop_s:g} s, {self._factor} of at most {self._most} times {self._configured_s:g} s)"
        )

    @property
    def hop_s(self) -> float:
        """The hop as it should be now."""
        return self._factor * self._configured_s

    def step(self, backlog_s: float, now_s: float) -> float:
        """The hop as it should be now, given how many seconds of sound wait; to be asked often."""
        if backlog_s < EVEN_AT_S:
            self._even_s = now_s
        # Sound waits while a window is computed: what counts is whether it still does when the next is due.
        calm = now_s - self._even_s <= self.hop_s
        self._behind_since_s = _since(self._behind_since_s, now_s, holds=backlog_s > WIDEN_AT_S)
        self._calm_since_s = _since(self._calm_since_s, now_s, holds=calm)
        if self._behind_since_s is not None and now_s - self._behind_since_s >= WIDEN_AFTER_S:
            self._widen(now_s)
        elif self._calm_since_s is not None and now_s - self._calm_since_s >= self._patience_with(self._factor - 1):
            self._narrow(now_s)
        return self.hop_s

    def _patience_with(self, factor: int) -> float:
        return self._patience_s.get(factor, NARROW_AFTER_S)

    def _widen(self, now_s: float) -> None:
        self._behind_since_s = now_s
        if self._factor == self._most:
            return
        if self._narrowed_s is not None:
            held = now_s - self._narrowed_s > PATIENCE_MOST_S
            doubled_s = min(2 * self._patience_with(self._factor), PATIENCE_MOST_S)
            self._patience_s[self._factor] = NARROW_AFTER_S if held else doubled_s
        self._narrowed_s = None
        self._factor += 1

    def _narrow(self, now_s: float) -> None:
        self._calm_since_s = now_s
        if self._factor > 1:
            self._factor -= 1
            self._narrowed_s = now_s


def _since(since_s: float | None, now_s: float, *, holds: bool) -> float | None:
    if not holds:
        return None
    return now_s if since_s is None else since_s
