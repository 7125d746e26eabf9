"""How much of the night was heard: two figures, and a fault where it was too little.

`listened` is the part of the elapsed seconds that were in a window that was scored; `windows` the part
of the windows due, one for each hop as configured, that were scored. Both are kept over the last
half minute, which the fault is judged by, and over the whole stream. What may still come to be heard is
not yet judged: the newest seconds wait for their window to become whole. Where everything is heard both
figures are 1.0, at any hop. Knows no reason for what was missed.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from device.messages import Fault

SPAN_S = 30.0
"""Seconds over which the figures are kept and judged."""

LEAST = 0.8
"""Part of the seconds under which too little was heard."""

ENOUGH = 0.9
"""Part of the seconds from which on it is enough again."""

SETTLING_S = 0.2
"""A window is scored at most so much behind its end: a slice, and what a resampler holds back."""

_TOLERANCE_S = 1e-6


class Total(NamedTuple):
    """Since the stream began, as far as it is settled."""

    listened_s: float
    elapsed_s: float
    scored: int
    due: int


class _Stretch(NamedTuple):
    """Seconds that were first covered by one window."""

    start_s: float
    end_s: float


class Coverage:
    """Watches one stream.

    Args:
        hop_s: from one window to the next, as configured.
        window_s: length of a window.
    """

    def __init__(self, hop_s: float, window_s: float) -> None:
        self._hop_s = hop_s
        self._window_s = window_s
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
        return self._listened_of(self._span_s(self._begin_s))

    @property
    def windows(self) -> float:
        """Of the windows due in the last half minute, the part that was scored."""
        to_s = self._now_s - SETTLING_S
        due = self._due_by(to_s) - self._due_by(to_s - SPAN_S)
        scored = sum(-SPAN_S < stretch.end_s - to_s - _TOLERANCE_S <= 0 for stretch in self._stretches)
        return 1.0 if due < 1 else min(1.0, scored / due)

    @property
    def total(self) -> Total:
        """The same since the stream began, as sums."""
        settled_s = self._settled_s
        listened_s = self._listened_s - self._seconds(settled_s, self._now_s)
        due = max(self._scored, self._due_by(self._now_s - SETTLING_S))
        return Total(listened_s, settled_s - self._begin_s, self._scored, due)

    def advance_to(self, now_s: float) -> None:
        """The stream has come to this second, heard or not; the first one is where all figures begin."""
        if self._start_s is None:
            self._start_s = self._now_s = self._watched_s = self._judged_s = self._covered_to_s = now_s
        self._now_s = max(self._now_s, now_s)
        oldest_s = self._settled_s - SPAN_S
        while self._stretches and self._stretches[0].end_s <= oldest_s:
            self._stretches.popleft()

    def score(self, start_s: float, end_s: float, *, trusted: bool) -> None:
        """A window was scored; one that is not trusted, for it may be a deaf microphone's, covers nothing."""
        fresh_s = max(start_s, self._covered_to_s) if trusted else end_s
        self._scored += 1
        self._stretches.append(_Stretch(fresh_s, end_s))
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
        if span_s < SPAN_S or self._listened_of(span_s) >= LEAST:
            return None
        self.fault_since_s = self._settled_s - SPAN_S
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

    @property
    def _settled_s(self) -> float:
        """Until here it is known what was heard: a window that could hold an earlier second was scored, or was not."""
        return max(self._begin_s, self._now_s - self._window_s - SETTLING_S)

    def _span_s(self, since_s: float) -> float:
        return max(0.0, min(SPAN_S, self._settled_s - since_s))

    def _listened_of(self, span_s: float) -> float:
        """The part of so many seconds, the newest that are settled."""
        to_s = self._settled_s
        return min(1.0, self._seconds(to_s - span_s, to_s) / span_s) if span_s else 1.0

    def _seconds(self, from_s: float, to_s: float) -> float:
        """Seconds in between that were listened to."""
        return sum(max(0.0, min(to_s, each.end_s) - max(from_s, each.start_s)) for each in self._stretches)

    def _due_by(self, at_s: float) -> int:
        """Windows that end by then; the first one ends where the stream is as long as a window."""
        hops = (at_s - self._begin_s - self._window_s + _TOLERANCE_S) / self._hop_s
        return max(0, math.floor(hops) + 1)

    def _fault(self, since_s: float, *, begins: bool) -> Fault:
        detail = f"{self.listened:.0%} of the last {SPAN_S:.0f} s were listened to, {self.windows:.0%} of the windows"
        return Fault("coverage", begins=begins, since_s=since_s, at_s=self._now_s, detail=detail)
