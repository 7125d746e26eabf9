"""Why there was an alert at one second of a recording, or why there was none.

Collects the windows that contain this second. The rule that applied to each is described by the decider itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.messages import LOUDNESS
from device.report.spans import FaultSpan, Span, fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.messages import Decision, Event, Fault, Heard, LabelState, Scores


@dataclass(frozen=True, slots=True)
class ExplainedWindow:
    """One window that contains the second: its times, score, the label's state after it, and the rule that applied."""

    start_s: float
    end_s: float
    score: float
    state: LabelState | None
    rule: str


@dataclass(frozen=True, slots=True)
class ExplainedLabel:
    """One label of one model.

    Attributes:
        model: name of the model.
        label: of it.
        verdict: whether there was an alert, and if not, what kept it from one.
        span: the alert that contains the second; None if none does.
        windows: that contain it, in stream order.
    """

    model: str
    label: str
    verdict: str
    span: Span | None
    windows: tuple[ExplainedWindow, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one second.

    Attributes:
        faults: that were open then.
        labels: of all models that scored it.
    """

    faults: tuple[FaultSpan, ...]
    labels: tuple[ExplainedLabel, ...]

    @property
    def in_no_window(self) -> bool:
        """No model scored a window that contains the second."""
        return all(each.model == LOUDNESS for each in self.labels)


IN_NO_WINDOW = "was in no scored window: the sound around it is shorter than a window, or no model listened"


class Explainer:
    """Collects from a replay, or from what a daemon heard, what concerns one second of it.

    Args:
        at_s: the second in question, from the start of the stream.
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

    def explanation(self, duration_s: float) -> Explanation:
        """Why there was an alert then, or none; what was open at the end lasts for `duration_s`."""
        spans = fold(self._events, duration_s)
        labels = {(scores.model, label): None for scores in self._scores for label in scores.probabilities}
        return Explanation(
            tuple(self._open_faults(duration_s)), tuple(self._label(model, label, spans) for model, label in labels)
        )

    def lines(self, source: str, duration_s: float) -> Iterator[str]:
        """The explanation, line by line."""
        yield f"{source} at {self.at_s:g} s"
        if not 0 <= self.at_s < duration_s:
            yield f"  was not heard: the recording was heard from 0 to {duration_s:.2f} s"
            return
        explanation = self.explanation(duration_s)
        for fault in explanation.faults:
            yield f"  fault {fault.kind}, {fault.start_s:.2f} to {fault.end_s:.2f} s: {fault.detail}"
        if explanation.in_no_window:
            yield f"  {IN_NO_WINDOW}"
        for label in explanation.labels:
            yield from _label_lines(label)

    def _open_faults(self, duration_s: float) -> Iterator[FaultSpan]:
        open_since = {fault.kind: fault for fault in self._faults if fault.begins and fault.since_s <= self.at_s}
        for fault in open_since.values():
            ends = [other.at_s for other in self._faults if other.kind == fault.kind and not other.begins]
            end_s = min((end for end in ends if end > fault.at_s), default=None)
            until_s = fault.at_s if fault.kind == "gap" else duration_s if end_s is None else end_s
            if self.at_s < until_s:
                lasted = fault.kind != "gap" and end_s is None
                yield FaultSpan(fault.kind, fault.since_s, until_s, fault.detail, lasted)

    def _label(self, model: str, label: str, spans: list[Span]) -> ExplainedLabel:
        span = next(
            (s for s in spans if (s.model, s.label) == (model, label) and s.start_s <= self.at_s < s.end_s), None
        )
        decisions = [decision for decision in self._decisions if (decision.model, decision.label) == (model, label)]
        windows = [ExplainedWindow(each.start_s, each.end_s, each.score, each.state, each.rule) for each in decisions]
        return ExplainedLabel(
            model, label, _verdict(span, decisions), span, tuple(windows or self._bare_scores(model, label))
        )

    def _bare_scores(self, model: str, label: str) -> Iterator[ExplainedWindow]:
        for scores in self._scores:
            if scores.model == model and label in scores.probabilities:  # a schedule may hide it at times
                score = scores.probabilities[label]
                yield ExplainedWindow(scores.start_s, scores.end_s, score, None, "its role raises nothing")


def _label_lines(label: ExplainedLabel) -> Iterator[str]:
    yield f"  {label.model}/{label.label}: {label.verdict}"
    span = label.span
    if span is not None:
        when = f"from {span.start_s:.2f} to {span.end_s:.2f} s, decided at {span.decided_s:.2f} s"
        yield f"    event {span.event_id} {when}"
        yield f"    begun by: {span.opened_by}; ended by: {span.closed_by or 'nothing, it was open at the end'}"
        if span.verdict is not None:
            yield f"    verdict: {span.verdict}"
    for window in label.windows:
        state = "" if window.state is None else f"{window.state:<8} "
        yield f"{_window(window.start_s, window.end_s, window.score)}  {state}{window.rule}"


def _verdict(span: Span | None, decisions: list[Decision]) -> str:
    if span is not None:
        return f"an alert, {span.score:.3f} at its highest"
    if not decisions:
        return "no alert"
    surest = max(decisions, key=lambda decision: decision.score)
    return f"no alert; surest was {surest.score:.3f}, kept from an alert by: {surest.rule}"


def _window(start_s: float, end_s: float, score: float) -> str:
    return f"    window {start_s:8.2f} to {end_s:8.2f} s  {score:.3f}"
