"""What the ring of scores tells afterwards: every window of a time, and why there was an alert at a moment, or none.

The explanation is that of `auricle replay --explain`, from the windows that the daemon told. Pure.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from device.daytime import utc_text
from device.messages import Heard
from device.report.explain import Explainer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from device.report.explain import ExplainedLabel, Explanation
    from device.runtime.sockets.recent_hearing import HeardItem
    from device.web.live.circumstances import CircumstanceRecord
    from device.web.live.score_ring import ScoreRing, Stretch

MOST_WINDOWS = 10_000
"""In one answer: more than an hour of one model's."""

NEAR_S = 300.0
"""How far around a moment the surest windows are looked for: a finger on a whole night is no more exact."""

_SUREST_OF_LABEL = 3
_APART_S = 10.0
_BEGUN_BEFORE = "an alert; its beginning came before what this page knows"


@dataclass(frozen=True, slots=True)
class SureMoment:
    """A window near the moment in question, with a high score for one label."""

    model: str
    label: str
    at_utc_s: float
    score: float


@dataclass(frozen=True, slots=True)
class Hindsight:
    """What is known of one moment.

    Attributes:
        at_utc_s: the moment.
        why_unknown: why nothing is known of it; empty if something is.
        item: that was heard nearest to it, which converts times; None if nothing is known.
        explanation: why there was an alert, or none; None likewise.
        circumstances: what was unusual beside the scores, in sentences.
        surest: windows near it, the surest of each label first.
    """

    at_utc_s: float
    why_unknown: str
    item: HeardItem | None = None
    explanation: Explanation | None = None
    circumstances: tuple[str, ...] = ()
    surest: tuple[SureMoment, ...] = ()

    def utc_of(self, stream_s: float) -> float:
        """The time of day of a second of its stream."""
        return self.at_utc_s if self.item is None else self.item.utc_of(stream_s)


class Question:
    """A question about one moment: asked where the ring is filled, answered in any thread.

    Args:
        ring: of windows.
        record: of circumstances.
        at_utc_s: the moment.
        now_utc_s: now.
    """

    def __init__(self, ring: ScoreRing, record: CircumstanceRecord, at_utc_s: float, now_utc_s: float) -> None:
        self.at_utc_s = at_utc_s
        stretches = ring.stretches
        self._stretch = next((each for each in stretches if each.from_utc_s <= at_utc_s <= each.until_utc_s), None)
        self._why_unknown = _why_unknown(stretches, at_utc_s, now_utc_s, ring.why_not_now)
        self._items = ring.between(at_utc_s - NEAR_S, at_utc_s + NEAR_S)
        self._changes = ring.changes()
        self._circumstances = record.at(at_utc_s)

    def answer(self) -> Hindsight:
        """What is known of it."""
        items = list(self._items)
        surest = tuple(_surest(items))
        stretch = self._stretch
        if stretch is None:
            return Hindsight(self.at_utc_s, self._why_unknown, surest=surest)
        changes = [each for each in self._changes if stretch.from_utc_s <= each.at_utc_s <= stretch.until_utc_s]
        circumstances = () if self._circumstances is None else tuple(self._circumstances.sentences())
        item = min([*items, *changes], key=lambda each: abs(each.at_utc_s - self.at_utc_s), default=None)
        explanation = None if item is None else self._explanation(item, items, changes, stretch)
        return Hindsight(self.at_utc_s, "", item, explanation, circumstances, surest)

    def _explanation(
        self, item: HeardItem, items: Iterable[HeardItem], changes: Iterable[HeardItem], stretch: Stretch
    ) -> Explanation:
        explainer = Explainer(item.stream_s_of(self.at_utc_s))
        for each in changes:
            if each.stream == item.stream:
                explainer.heard(each.heard)
        for each in items:
            if each.stream == item.stream:
                gaps = [fault for fault in each.heard.faults if fault.kind == "gap"]
                explainer.heard(Heard(each.heard.scores, each.heard.decisions, faults=gaps))
        explanation = explainer.explanation(item.stream_s_of(stretch.until_utc_s))
        return replace(explanation, labels=tuple(map(_with_early_beginning, explanation.labels)))


def _with_early_beginning(label: ExplainedLabel) -> ExplainedLabel:
    """A label that was on, with a beginning that nobody told this page, was an alert all the same."""
    is_on = any(window.state == "on" for window in label.windows)
    return replace(label, verdict=_BEGUN_BEFORE) if label.span is None and is_on else label


def _why_unknown(stretches: Sequence[Stretch], at_utc_s: float, now_utc_s: float, why_not_now: str) -> str:
    if at_utc_s > now_utc_s:
        return "it is still to come"
    after = next((each for each in stretches if at_utc_s < each.from_utc_s), None)
    if after is not None:
        return after.before
    return why_not_now or "the page has not asked the daemon about it yet: ask again in a moment"


def _surest(items: Iterable[HeardItem]) -> Iterator[SureMoment]:
    """The surest windows of each label that is decided about, some seconds apart, the surest first."""
    moments: dict[tuple[str, str], list[SureMoment]] = {}
    for item in items:
        for each in item.heard.decisions:
            at_utc_s = item.utc_of((each.start_s + each.end_s) / 2)
            moment = SureMoment(each.model, each.label, at_utc_s, each.score)
            moments.setdefault((each.model, each.label), []).append(moment)
    for of_label in moments.values():
        chosen: list[SureMoment] = []
        for moment in sorted(of_label, key=lambda each: -each.score):
            if len(chosen) < _SUREST_OF_LABEL and all(
                abs(moment.at_utc_s - each.at_utc_s) >= _APART_S for each in chosen
            ):
                chosen.append(moment)
        yield from chosen


# --- as answers have it


def known_spans(stretches: Iterable[Stretch], from_utc_s: float, until_utc_s: float) -> list[dict[str, str]]:
    """The parts of a time that were followed without a miss."""
    parts = ((max(each.from_utc_s, from_utc_s), min(each.until_utc_s, until_utc_s)) for each in stretches)
    return [{"from_utc": utc_text(begin), "until_utc": utc_text(end)} for begin, end in parts if begin <= end]


def window_rows(items: Iterable[HeardItem]) -> list[dict[str, Any]]:
    """Each window with the scores of its labels; the first ones if there are too many."""
    rows = (
        {
            "model": scores.model,
            "stream": item.stream,
            "start_s": scores.start_s,
            "end_s": scores.end_s,
            "from_utc": _exact(item.utc_of(scores.start_s)),
            "until_utc": _exact(item.utc_of(scores.end_s)),
            "scores": scores.probabilities,
        }
        for item in items
        for scores in item.heard.scores
    )
    return list(itertools.islice(rows, MOST_WINDOWS))


def hindsight_json(found: Hindsight) -> dict[str, Any]:
    """What is known of a moment."""
    item, explanation = found.item, found.explanation
    return {
        "at_utc": _exact(found.at_utc_s),
        "is_known": not found.why_unknown,
        "why_unknown": found.why_unknown,
        "stream": None if item is None else item.stream,
        "at_s": None if item is None else round(item.stream_s_of(found.at_utc_s), 3),
        "in_no_window": explanation is None or explanation.in_no_window,
        "labels": [] if explanation is None else [_label_json(found, each) for each in explanation.labels],
        "faults": [] if explanation is None else list(_faults_json(found, explanation)),
        "circumstances": list(found.circumstances),
        "surest": [
            {"model": each.model, "label": each.label, "at_utc": _exact(each.at_utc_s), "score": each.score}
            for each in found.surest
        ],
    }


def _label_json(found: Hindsight, label: ExplainedLabel) -> dict[str, Any]:
    span = label.span
    event = span and {
        "event_id": span.event_id,
        "from_utc": _exact(found.utc_of(span.start_s)),
        "until_utc": _exact(found.utc_of(span.end_s)),
        "decided_utc": _exact(found.utc_of(span.decided_s)),
        "score": span.score,
        "opened_by": span.opened_by,
        "closed_by": span.closed_by,
        "verdict": span.verdict,
    }
    windows = [
        {
            "from_utc": _exact(found.utc_of(each.start_s)),
            "until_utc": _exact(found.utc_of(each.end_s)),
            "start_s": each.start_s,
            "end_s": each.end_s,
            "score": each.score,
            "state": each.state,
            "rule": each.rule,
        }
        for each in label.windows
    ]
    return {"model": label.model, "label": label.label, "verdict": label.verdict, "event": event, "windows": windows}


def _faults_json(found: Hindsight, explanation: Explanation) -> Iterator[dict[str, Any]]:
    for fault in explanation.faults:
        yield {
            "kind": fault.kind,
            "from_utc": _exact(found.utc_of(fault.start_s)),
            "until_utc": _exact(found.utc_of(fault.end_s)),
            "detail": fault.detail,
            "lasted": fault.lasted,
        }


def _exact(utc_s: float) -> str:
    return utc_text(utc_s, "milliseconds")
