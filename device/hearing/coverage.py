"""How much of the night was heard: two figures, and a fault where it was too little.

`listened` is the part of the elapsed seconds that were in a window that was scored; `windows` the part
of the windows due, one for each hop as configured, that were scored. Both are kept over the last
half minute, which the fault is judged by, and over the whole stream. Knows no reason for what was missed.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from device.messages import Fault

SPAN_S = 30.0
"""Seconds over which the figures are kept and judged."""

LEAST = 0.8
"""Part of the seconds under which too little was heard."""

ENOUGH = 0.9
"""Part of the seconds from which on it is enough again."""


class Total(NamedTuple):
    """Since the stream began."""

    listened_s: float
    elapsed_s: float
    scored: int
    due: int


class _Stretch(NamedTuple):
    """Seconds that were first covered by one window."""

    start_s: float
    end_s: float
    windows: int


class Coverage:
    """Watches one stream.

    Args:
        hop_s: from one window to the next, as configured.
    """

    def __init__(self, hop_s: float) -> None:
        self._hop_s = hop_s
        self._start_s: float | None = None
        self._now_s = 0.0
        self._watched_s = 0.0  # since when what was missed is unexplained
        self._judged_s = 0.0
        self._stretches: deque[_Stretch] = deque()
        self._covered_to_s = 0.0
        self._listened_s = 0.0
        self._scored = 0
        self.fault_since_s: float | None = None

    def __repr__(self) -> str:
        return f"Coverage({self.listened:.0%} listened, {self.windows:.0%} of windows)"

    @property
    def listened(self) -> float:
        """Of the last half minute, the part that was in a window that was scored and trusted."""
        span_s = self._span_s(self._begin_s)
        return 1.0 if span_s <= 0 else min(1.0, self._seconds(self._now_s - span_s) / span_s)

    @property
    def windows(self) -> float:
        """Of the windows due in the last half minute, the part that was scored."""
        due = self._span_s(self._begin_s) / self._hop_s
        return 1.0 if due < 1 else min(1.0, sum(stretch.windows for stretch in self._stretches) / due)

    @property
    def total(self) -> Total:
        """The same since the stream began, as sums."""
        elapsed_s = self._now_s - self._begin_s
        return Total(self._listened_s, elapsed_s, self._scored, int(elapsed_s / self._hop_s))

    def pass_to(self, now_s: float) -> None:
        """The stream has come to this second, heard or not; the first one is where all figures begin."""
        if self._start_s is None:
            self._start_s = self._now_s = self._watched_s = self._judged_s = self._covered_to_s = now_s
        self._now_s = max(self._now_s, now_s)
        oldest_s = self._now_s - SPAN_S
        while self._stretches and self._stretches[0].end_s <= oldest_s:
            self._stretches.popleft()

    def score(self, start_s: float, end_s: float, *, trusted: bool) -> None:
        """A window was scored; one that is not trusted, for it may be a deaf microphone's, covers nothing."""
        fresh_s = max(start_s, self._covered_to_s) if trusted else end_s
        self._scored += 1
        self._stretches.append(_Stretch(fresh_s, end_s, 1))
        if trusted:
            self._listened_s += max(0.0, end_s - fresh_s)
            self._covered_to_s = max(self._covered_to_s, end_s)

    def judge(self, *, explained: bool) -> Fault | None:
        """The fault that begins or ends now, if any; looked for once a second.

        Args:
            explained: another fault is told that says why nothing was heard, so this one need not.
        """
        if self._now_s - self._judged_s < 1.0:
            return None
        self._judged_s = self._now_s
        if explained:
            self._watched_s = self._now_s
        if self.fault_since_s is not None:
            return self._judge_open(self.fault_since_s)
        span_s = self._span_s(self._watched_s)
        if span_s < SPAN_S or self._seconds(self._now_s - span_s) >= LEAST * span_s:
            return None
        self.fault_since_s = self._now_s - SPAN_S
        return self._fault(self.fault_since_s, begins=True)

    def _judge_open(self, since_s: float) -> Fault | None:
        if self.listened < ENOUGH:
            return None
        self.fault_since_s = None
        return self._fault(since_s, begins=False)

    @property
    def now_s(self) -> float:
        """How far the stream has come."""
        return self._now_s

    @property
    def _begin_s(self) -> float:
        return self._now_s if self._start_s is None else self._start_s

    def _span_s(self, since_s: float) -> float:
        return min(SPAN_S, self._now_s - since_s)

    def _seconds(self, since_s: float) -> float:
        return sum(max(0.0, stretch.end_s - max(since_s, stretch.start_s)) for stretch in self._stretches)

    def _fault(self, since_s: float, *, begins: bool) -> Fault:
        detail = f"{self.listened:.0%} of the last {SPAN_S:.0f} s were listened to, {self.windows:.0%} of the windows"
        return Fault("coverage", begins=begins, since_s=since_s, at_s=self._now_s, detail=detail)
