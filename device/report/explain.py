"""Why there was an alert at one second of a recording, or why there was none.

Collects the windows that contain this second. The rule that applied to each is described by the decider itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.messages import LOUDNESS
from device.report.spans import Span, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.messages import Decision, Event, Fault, Heard, Scores


class Explainer:
    """Collects from a replay what concerns one second of it.

    Args:
        at_s: the second in question, from the start of the recording.
    """

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s
        self._scores: list[Scores] = []
        self._decisions: list[Decision] = []
        self._events: list[Event] = []
        self._faults: list[Fault] = []

    def heard(self, heard: Heard) -> None:
        """Add the results of one push, in stream order."""
        self._scores += [scores for scores in heard.scores if scores.start_s <= self.at_s < scores.end_s]
        self._decisions += [decision for decision in heard.decisions if decision.start_s <= self.at_s < decision.end_s]
        self._events += heard.events
        self._faults += heard.faults

    def lines(self, source: str, duration_s: float) -> Iterator[str]:
        """The explanation, line by line."""
        yield f"{source} at {self.at_s:g} s"
        if not 0 <= self.at_s < duration_s:
            yield f"  was not heard: the recording was heard from 0 to {duration_s:.2f} s"
            return
        yield from self._deafness(duration_s)
        if all(scores.model == LOUDNESS for scores in self._scores):
            yield "  was in no scored window: the sound around it is shorter than a window, or no model listened"
        for model, label in self._labels():
            yield from self._label(model, label, fold(self._events, duration_s))

    def _deafness(self, duration_s: float) -> Iterator[str]:
        open_since = {fault.kind: fault for fault in self._faults if fault.begins and fault.since_s <= self.at_s}
        for fault in open_since.values():
            ends = [other.at_s for other in self._faults if other.kind == fault.kind and not other.begins]
            until_s = (
                fault.at_s if fault.kind == "gap" else min((e for e in ends if e > fault.at_s), default=duration_s)
            )
            if self.at_s < until_s:
                yield f"  fault {fault.kind}, {fault.since_s:.2f} to {until_s:.2f} s: {fault.detail}"

    def _labels(self) -> list[tuple[str, str]]:
        found = {(scores.model, label): None for scores in self._scores for label in scores.probabilities}
        return list(found)

    def _label(self, model: str, label: str, spans: list[Span]) -> Iterator[str]:
        span = next(
            (s for s in spans if (s.model, s.label) == (model, label) and s.start_s <= self.at_s < s.end_s), None
        )
        decisions = [decision for decision in self._decisions if (decision.model, decision.label) == (model, label)]
        yield f"  {model}/{label}: {_verdict(span, decisions)}"
        if span is not None:
            when = f"from {span.start_s:.2f} to {span.end_s:.2f} s, decided at {span.decided_s:.2f} s"
            yield f"    event {span.event_id} {when}"
            yield f"    begun by: {span.opened_by}; ended by: {span.closed_by or 'nothing, it was open at the end'}"
            if span.verdict is not None:
                yield f"    verdict: {span.verdict}"
        if not decisions:
            yield from self._bare_scores(model, label)
        for decision in decisions:
            yield f"{_window(decision.start_s, decision.end_s, decision.score)}  {decision.state:<8} {decision.rule}"

    def _bare_scores(self, model: str, label: str) -> Iterator[str]:
        for scores in self._scores:
            if scores.model == model:
                yield f"{_window(scores.start_s, scores.end_s, scores.probabilities[label])}  its role raises nothing"


def _verdict(span: Span | None, decisions: list[Decision]) -> str:
    if span is not None:
        return f"an alert, {span.score:.3f} at its highest"
    if not decisions:
        return "no alert"
    surest = max(decisions, key=lambda decision: decision.score)
    return f"no alert; surest was {surest.score:.3f}, kept from an alert by: {surest.rule}"


def _window(start_s: float, end_s: float, score: float) -> str:
    return f"    window {start_s:8.2f} to {end_s:8.2f} s  {score:.3f}"
