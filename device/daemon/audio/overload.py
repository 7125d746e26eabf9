"""Chooses the hop from the audio backlog, for a machine that cannot keep up.

The hop is a whole multiple of the configured one. It widens soon after a backlog forms. It narrows one step at a time
once the backlog has cleared before every window for a while. A narrowing that has to be undone doubles that while for
its hop, so that a hot machine does not oscillate. Pure: the clock is an argument.
"""

from __future__ import annotations

WIDEN_AT_S = 1.0
"""Backlog in seconds at which the machine is behind: two default hops."""

WIDEN_AFTER_S = 1.0
"""A stall that is over within this time is ignored."""

CAUGHT_UP_AT_S = 0.3
"""Backlog in seconds below which the machine has caught up: blocks arrive in twos and threes."""

NARROW_AFTER_S = 30.0
"""How long the machine must keep up before the hop narrows."""

PATIENCE_MOST_S = 600.0
"""The most that a delay doubles to; a narrowing that held for longer counts as right."""


class OverloadControl:
    """Widens and narrows the hop.

    Args:
        hop_s: as configured.
        widest_s: upper bound of the hop.
        widen_up_to: upper bound as a multiple of the configured hop; 1 to never widen.
    """

    def __init__(self, hop_s: float, *, widest_s: float, widen_up_to: int) -> None:
        self._configured_s = hop_s
        self._most = max(1, min(widen_up_to, int(widest_s / hop_s + 1e-9)))
        self._factor = 1
        self._behind_since_s: float | None = None
        self._caught_up_s = float("-inf")  # when the machine had last caught up
        self._calm_since_s: float | None = None
        self._narrowed_s: float | None = None
        self._patience_s: dict[int, float] = {}  # factor -> time to keep up before narrowing to it

    def __repr__(self) -> str:
        return (
            f"OverloadControl({self.hop_s:g} s, {self._factor} of at most {self._most} times {self._configured_s:g} s)"
        )

    @property
    def hop_s(self) -> float:
        """The current hop."""
        return self._factor * self._configured_s

    def step(self, backlog_s: float, now_s: float) -> float:
        """The hop to use now, for this backlog in seconds; call it several times a second."""
        if backlog_s < CAUGHT_UP_AT_S:
            self._caught_up_s = now_s
        # A backlog forms while a window is computed: what counts is whether it has cleared when the next is due.
        calm = now_s - self._caught_up_s <= self.hop_s
        self._behind_since_s = _since(self._behind_since_s, now_s, holds=backlog_s > WIDEN_AT_S)
        self._calm_since_s = _since(self._calm_since_s, now_s, holds=calm)
        if self._behind_since_s is not None and now_s - self._behind_since_s >= WIDEN_AFTER_S:
            self._widen(now_s)
        elif self._calm_since_s is not None and now_s - self._calm_since_s >= self._patience_for(self._factor - 1):
            self._narrow(now_s)
        return self.hop_s

    def _patience_for(self, factor: int) -> float:
        return self._patience_s.get(factor, NARROW_AFTER_S)

    def _widen(self, now_s: float) -> None:
        self._behind_since_s = now_s
        if self._factor == self._most:
            return
        if self._narrowed_s is not None:
            held = now_s - self._narrowed_s > PATIENCE_MOST_S
            doubled_s = min(2 * self._patience_for(self._factor), PATIENCE_MOST_S)
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
