"""Turns scores into few, trustworthy events: on and off thresholds, confirmation, hold, cooldown.

There is one `Decider` for each label of each model. Every window yields a `Decision` that names the rule applied,
so that every alarm can be explained, and every silence too. Knows no audio and no clock: its time is that of the
windows that it is given.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from device.messages import Decision, Event
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from device.messages import LabelState, Phase, Scores

_TOLERANCE_S = 1e-6
"""Far more than the rounding error of summed window times, far less than a hop, which is at least 25 ms."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The thresholds and times at which the scores of a label become events; part of the model's bundle.

    Attributes:
        on: probability at or above which a window counts for an onset, in (0, 1).
        off: probability below which a window counts for the end, at most `on`.
        confirm_s: seconds of windows (k = confirm_s / hop) that must count ...
        confirm_of_s: ... within this many seconds of windows (n = confirm_of_s / hop).
        min_length_s: an event does not begin before the sound is this long.
        hold_s: an event ends after this many seconds below `off`.
        cooldown_s: an onset within this time after the end reopens the same event.
    """

    on: float
    off: float
    confirm_s: float
    confirm_of_s: float
    min_length_s: float
    hold_s: float
    cooldown_s: float

    def needed(self, hop_s: float) -> int:
        """k: windows at or above `on` that confirm an onset at this hop."""
        return _windows(self.confirm_s, hop_s)

    def considered(self, hop_s: float) -> int:
        """n: the newest windows, of which k must be at or above `on`."""
        return max(self.needed(hop_s), _windows(self.confirm_of_s, hop_s))


class _ScoredWindow(NamedTuple):
    """One window as the decider remembers it; it counts for the seconds of the hop that led to it."""

    start_s: float
    end_s: float
    score: float
    hop_s: float


@dataclass(slots=True)
class _LatestEvent:
    """The open event, or the last one that ended."""

    number: int
    start_s: float
    end_s: float  # of the last window at or above `off`
    peak: float
    seq: int = 0
    quiet: list[_ScoredWindow] = field(default_factory=list)  # windows below `off` since then
    reason: str | None = None  # why it ended; None while it is open


class Decider:
    """Decides about one label of one model, one window at a time.

    Args:
        event_prefix: prefix of all event ids of this label, `<stream_id>-<model>-<label>`.
        model: name of the model.
        label: the label.
        point: the operating point.
        hop_s: from one window to the next, as configured; k, n and the hold are counted in hops.
        words: a score or a threshold, as the rules word it.
    """

    def __init__(
        self,
        *,
        event_prefix: str,
        model: str,
        label: str,
        point: OperatingPoint,
        hop_s: float,
        words: Callable[[float], str] = "{:.2f}".format,
    ) -> None:
        self.model = model
        self.label = label
        self.point = point
        self._prefix = event_prefix
        self._words = words
        self._recent: deque[_ScoredWindow] = deque()
        self._windows = 0
        self._onset: _ScoredWindow | None = (
            None  # first counted window of an onset that is confirmed but still too short
        )
        self._latest: _LatestEvent | None = None
        self._hop_s = self._widest_hop_s = self._configured_hop_s = hop_s  # now, and since the last window
        self._last_end_s: float | None = None  # of the last window; None if samples are missing since
        self._needed_s = point.needed(hop_s) * hop_s
        self._considered_s = point.considered(hop_s) * hop_s
        self._hold_s = _windows(point.hold_s, hop_s) * hop_s

    def __repr__(self) -> str:
        return f"Decider({self.model}/{self.label}, {'on' if self.is_on else 'off'}, {self._windows} windows)"

    @property
    def is_on(self) -> bool:
        """Whether an event is open."""
        return self._latest is not None and self._latest.reason is None

    def change_hop(self, hop_s: float) -> None:
        """Windows come at another hop from now on; k, n and the hold adapt, so that their seconds stay the same.

        A window counts for the seconds since the one before it, and seconds are compared. So an onset and an end
        are confirmed less than the widest of these hops away from where they would have been without the change.
        """
        self._hop_s, self._widest_hop_s = hop_s, max(self._widest_hop_s, hop_s)

    def push(self, scores: Scores, *, trusted: bool = True) -> tuple[Decision, Event | None]:
        """Decide about one window.

        Args:
            scores: of the window, holding a probability for this label.
            trusted: False if the window may have been recorded by a deaf microphone: it may confirm a sound, but
                is no evidence of quiet.
        """
        window = _ScoredWindow(
            scores.start_s, scores.end_s, scores.probabilities[self.label], self._hop_to(scores.end_s)
        )
        self._windows += 1
        if self._latest is not None and self._latest.reason is None:
            decision, event = self._while_on(self._latest, window, trusted=trusted)
        else:
            decision, event = self._while_off(window)
        return (decision if trusted else replace(decision, trusted=False)), event

    def restart(self) -> None:
        """Samples are missing: confirmation and hold start again, an open event stays open."""
        self._recent.clear()
        self._onset = self._last_end_s = None
        if self._latest is not None:
            self._latest.quiet.clear()

    def close(self, reason: str, at_s: float) -> Event | None:
        """The audio ends here; returns the end of the open event, if there is one.

        Args:
            reason: end_of_file, no_audio, gap, rate, deaf, reload, stopped.
            at_s: time in the stream.
        """
        self.restart()
        if self._latest is None or self._latest.reason is not None:
            return None
        return self._end(self._latest, reason, at_s, ())

    def finish(self, at_s: float) -> list[Event]:
        """The file ends at `at_s`; one with fewer windows than confirmation needs is judged by all that it has."""
        events = []
        if not self.is_on and 0 < self._windows < self._at_this_hop(self._needed_s):
            counted = [each for each in self._recent if each.score >= self.point.on]
            if len(counted) == self._windows:
                had = (
                    f"the file has only {self._windows} of {quantity(self._at_this_hop(self._considered_s), 'window')}"
                )
                events.append(self._begin(counted, at_s, f"{self._count(len(counted))}; {had}"))
        ended = self.close("end_of_file", at_s)
        return [*events, ended] if ended else events

    # --- an event is open

    def _while_on(self, latest: _LatestEvent, window: _ScoredWindow, *, trusted: bool) -> tuple[Decision, Event | None]:
        latest.peak = max(latest.peak, window.score)
        if window.score >= self.point.off:
            latest.end_s = window.end_s
            latest.quiet.clear()
            rule = f"on: {self._words(window.score)} is at or above off {self._words(self.point.off)}"
            return self._decision(window, "on", rule), None
        if not trusted:
            rule = f"held: {self._words(window.score)} is below off, but this microphone may be deaf"
            return self._decision(window, "holding", rule), None
        latest.quiet.append(window)
        wanted = quantity(self._at_this_hop(self._hold_s), "window")
        held = f"below off {self._words(self.point.off)} for {len(latest.quiet)} of {wanted}"
        if _seconds(latest.quiet) < self._hold_s - _TOLERANCE_S:
            return self._decision(window, "holding", f"held: {held}"), None
        event = self._end(latest, "quiet", window.end_s, tuple((each.start_s, each.score) for each in latest.quiet))
        return self._decision(window, "off", f"ended: {held}"), event

    def _end(self, latest: _LatestEvent, reason: str, at_s: float, windows: tuple[tuple[float, float], ...]) -> Event:
        latest.reason = reason
        latest.quiet = []
        self._recent.clear()
        return self._event(latest, "end", at_s, reason, windows)

    # --- no event is open

    def _while_off(self, window: _ScoredWindow) -> tuple[Decision, Event | None]:
        self._recent.append(window)
        self._drop_old_windows()
        counted = [each for each in self._recent if each.score >= self.point.on]
        if _seconds(counted) < self._needed_s - _TOLERANCE_S:
            self._onset = None
            return self._unconfirmed(window, len(counted)), None
        if self._onset is None:
            self._onset = counted[0]
        length_s = counted[-1].end_s - self._onset.start_s + self._unnoticed_s(self._onset)
        if length_s < self.point.min_length_s - _TOLERANCE_S:
            rule = f"confirming: {length_s:.2f} s long, reported from {self.point.min_length_s:.2f} s on"
            return self._decision(window, "pending", rule), None
        event = self._begin(counted, window.end_s, self._count(len(counted)))
        return self._decision(window, "on", f"{event.phase}: {event.reason}"), event

    def _drop_old_windows(self) -> None:
        """Drop windows older than the newest n hops."""
        while _seconds(self._recent) - self._recent[0].hop_s > self._considered_s - _TOLERANCE_S:
            self._recent.popleft()

    def _hop_to(self, end_s: float) -> float:
        """Seconds that the window ending here counts for: the hop, or more if that was narrowed since the last one."""
        last_end_s, widest_s = self._last_end_s, self._widest_hop_s
        self._last_end_s, self._widest_hop_s = end_s, self._hop_s
        if last_end_s is None or widest_s <= self._hop_s:
            return self._hop_s
        return min(max(end_s - last_end_s, self._hop_s), widest_s)

    def _at_this_hop(self, seconds: float) -> int:
        """Number of windows at the current hop that amount to these seconds."""
        return math.ceil(seconds / self._hop_s - _TOLERANCE_S)

    def _unnoticed_s(self, first: _ScoredWindow) -> float:
        """How much earlier than this window a sound may have begun unnoticed, because the hop was widened."""
        return first.hop_s - self._configured_hop_s

    def _unconfirmed(self, window: _ScoredWindow, counted: int) -> Decision:
        score = f"{self._words(window.score)} is {'at or above' if window.score >= self.point.on else 'below'} on"
        score = f"{score} {self._words(self.point.on)}"
        if not counted:
            return self._decision(window, "off", f"off: {score}")
        must = self._at_this_hop(self._needed_s)
        rule = f"confirming: {score}; {counted} of the last {quantity(len(self._recent), 'window')} count, {must} must"
        return self._decision(window, "pending", rule)

    def _begin(self, counted: list[_ScoredWindow], at_s: float, reason: str) -> Event:
        start_s = (self._onset or counted[0]).start_s
        peak, end_s = max(each.score for each in counted), counted[-1].end_s
        phase: Phase = "begin"
        if self._latest is not None and self._reopens(self._latest, start_s):
            self._latest.peak, self._latest.end_s, self._latest.reason = max(self._latest.peak, peak), end_s, None
            self._latest.seq += 1
            phase = "reopen"
        else:
            self._latest = _LatestEvent(0 if self._latest is None else self._latest.number + 1, start_s, end_s, peak)
        self._onset = None
        windows = tuple((each.start_s, each.score) for each in counted)
        return self._event(self._latest, phase, at_s, reason, windows, onset_s=start_s)

    def _reopens(self, latest: _LatestEvent, onset_s: float) -> bool:
        return latest.reason == "quiet" and onset_s - latest.end_s <= self.point.cooldown_s + _TOLERANCE_S

    def _count(self, counted: int) -> str:
        return f"{counted} of {quantity(len(self._recent), 'window')} at or above {self._words(self.point.on)}"

    # --- messages

    def _event(
        self,
        latest: _LatestEvent,
        phase: Phase,
        at_s: float,
        reason: str,
        windows: tuple[tuple[float, float], ...],
        onset_s: float | None = None,
    ) -> Event:
        if phase == "end":
            latest.seq += 1
        return Event(
            event_id=f"{self._prefix}-{latest.number}",
            seq=latest.seq,
            model=self.model,
            label=self.label,
            phase=phase,
            score=latest.peak,
            start_s=latest.start_s if onset_s is None else onset_s,
            end_s=min(latest.end_s, at_s) if phase == "end" else None,
            decided_s=at_s,
            reason=reason,
            windows=windows,
        )

    def _decision(self, window: _ScoredWindow, state: LabelState, rule: str) -> Decision:
        return Decision(self.model, self.label, state, rule, window.score, window.start_s, window.end_s)


def _seconds(windows: Iterable[_ScoredWindow]) -> float:
    """The seconds that these windows count for."""
    return sum(each.hop_s for each in windows)


def _windows(seconds: float, hop_s: float) -> int:
    """Seconds as a number of windows, at least one; halves are rounded up."""
    return max(1, int(seconds / hop_s + 0.5 + _TOLERANCE_S))
