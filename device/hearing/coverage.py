"""How much of the stream was scored: two ratios, and a fault if one is too low.

`listened` is the share of the elapsed seconds that were inside a scored window; `windows` is the share of the
windows due, one for each configured hop, that were scored. Both are kept for the last half minute, which decides
about the fault, and for the whole stream. The newest seconds do not count yet: their windows may still be
incomplete. If everything is scored, both are 1.0, at any hop. Knows no reason why something was missed.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

from device.messages import Fault

SPAN_S = 30.0
"""Time span of the ratios that decide about the fault."""

FAULT_BELOW = 0.8
"""A lower share of listened seconds is a fault."""

FAULT_OVER_AT = 0.9
"""The fault is over at this share of listened seconds."""

SETTLING_S = 0.2
"""A window is scored within this time after its end: a slice, and what a resampler holds back."""

_TOLERANCE_S = 1e-6


class Total(NamedTuple):
    """Sums since the stream began, up to the newest second that is settled."""

    listened_s: float
    elapsed_s: float
    scored: int
    due: int


class _Stretch(NamedTuple):
    """The seconds that one window was the first to cover."""

    start_s: float
    end_s: float


class Coverage:
    """Coverage of one stream.

    Args:
        hop_s: from one window to the next, as configured.
        window_s: length of a window.
    """

    def __init__(self, hop_s: float, window_s: float) -> None:
        self._hop_s = hop_s
        self._window_s = window_s
        self._start_s: float | None = None
        self._now_s = 0.0
        self._unexplained_since_s = 0.0  # since then, no other fault explains what was missed
        self._checked_s = 0.0
        self._stretches: deque[_Stretch] = deque()
        self._covered_to_s = 0.0
        self._listened_s = 0.0
        self._scored = 0
        self.fault_since_s: float | None = None

    def __repr__(self) -> str:
        return f"Coverage({self.listened:.0%} listened, {self.windows:.0%} of windows)"

    @property
    def listened(self) -> float:
        """Share of the last half minute that was inside a window that was scored and trusted."""
        return self._listened_of(self._span_s(self._begin_s))

    @property
    def windows(self) -> float:
        """Share of the windows due in the last half minute that were scored."""
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
        """The stream has reached this second, with or without sound; the first call sets where all figures begin."""
        if self._start_s is None:
            self._start_s = self._now_s = self._unexplained_since_s = self._checked_s = self._covered_to_s = now_s
        self._now_s = max(self._now_s, now_s)
        oldest_s = self._settled_s - SPAN_S
        while self._stretches and self._stretches[0].end_s <= oldest_s:
            self._stretches.popleft()

    def add_window(self, start_s: float, end_s: float, *, trusted: bool) -> None:
        """A window was scored; one that is not trusted, because the microphone may be deaf, covers nothing."""
        fresh_s = max(start_s, self._covered_to_s) if trusted else end_s
        self._scored += 1
        self._stretches.append(_Stretch(fresh_s, end_s))
        if trusted:
            self._listened_s += max(0.0, end_s - fresh_s)
            self._covered_to_s = max(self._covered_to_s, end_s)

    def check(self, *, explained: bool) -> Fault | None:
        """The fault that begins or ends now, if any; checked once a second.

        Args:
            explained: another open fault explains the lack of coverage, so that this one must not begin.
        """
        if self._now_s - self._checked_s < 1.0:
            return None
        self._checked_s = self._now_s
        if explained:
            self._unexplained_since_s = self._now_s
        if self.fault_since_s is not None:
            return self._check_open(self.fault_since_s)
        span_s = self._span_s(self._unexplained_since_s)
        if span_s < SPAN_S or self._listened_of(span_s) >= FAULT_BELOW:
            return None
        self.fault_since_s = self._settled_s - SPAN_S
        return self._fault(self.fault_since_s, begins=True)

    def _check_open(self, since_s: float) -> Fault | None:
        if self.listened < FAULT_OVER_AT:
            return None
        self.fault_since_s = None
        return self._fault(since_s, begins=False)

    @property
    def now_s(self) -> float:
        """The second that the stream has reached."""
        return self._now_s

    @property
    def _begin_s(self) -> float:
        return self._now_s if self._start_s is None else self._start_s

    @property
    def _settled_s(self) -> float:
        """Up to here coverage is final: every window that could hold an earlier second was scored, or never will be."""
        return max(self._begin_s, self._now_s - self._window_s - SETTLING_S)

    def _span_s(self, since_s: float) -> float:
        return max(0.0, min(SPAN_S, self._settled_s - since_s))

    def _listened_of(self, span_s: float) -> float:
        """Share of the newest `span_s` settled seconds that was listened to."""
        to_s = self._settled_s
        return min(1.0, self._seconds(to_s - span_s, to_s) / span_s) if span_s else 1.0

    def _seconds(self, from_s: float, to_s: float) -> float:
        """Seconds between the two that were listened to."""
        return sum(max(0.0, min(to_s, each.end_s) - max(from_s, each.start_s)) for each in self._stretches)

    def _due_by(self, at_s: float) -> int:
        """Number of windows that end by then; the first one ends when the stream is as long as a window."""
        hops = (at_s - self._begin_s - self._window_s + _TOLERANCE_S) / self._hop_s
        return max(0, math.floor(hops) + 1)

    def _fault(self, since_s: float, *, begins: bool) -> Fault:
        detail = f"{self.listened:.0%} of the last {SPAN_S:.0f} s were listened to, {self.windows:.0%} of the windows"
        return Fault("coverage", begins=begins, since_s=since_s, at_s=self._now_s, detail=detail)
