"""How much may be used per second, with some in reserve (a token bucket). Pure."""

from __future__ import annotations


class Allowance:
    """Refilled at a constant rate; what is used beyond it is a debt that delays the next use.

    Args:
        at_once: most that is in reserve.
        per_s: by which it is refilled.
        now_s: monotonic.
    """

    def __init__(self, *, at_once: float, per_s: float, now_s: float) -> None:
        self._most = self._left = at_once
        self._per_s = per_s
        self._at_s = now_s

    def __repr__(self) -> str:
        return f"Allowance({self._left:g} of {self._most:g})"

    def use(self, amount: float, now_s: float) -> bool:
        """Use so much if anything is left; whether that was so."""
        if self.ready_in_s(now_s):
            return False
        self._left -= amount
        return True

    def ready_in_s(self, now_s: float) -> float:
        """How long until anything is left; 0 if something is."""
        self._left = min(self._most, self._left + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return 0.0 if self._left > 0 else (1e-3 - self._left) / self._per_s
