"""Compares the items of a scene with the events of its replay: as lines of text, and as a verdict. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.report.markup import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.demo.scene import SceneItem
    from device.messages import Event, Scores

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "_.:-=+*#"
_CELLS = 60
_LEFT_COLUMN = 46
_LANE_MARGIN = 14


@dataclass(frozen=True, slots=True)
class _Detection:
    """All phases of one event, in order, and the scene's item that it detects; None for a false alert."""

    phases: tuple[Event, ...]
    item: SceneItem | None

    @property
    def first(self) -> Event:
        return self.phases[0]


def comparison_lines(
    items: Sequence[SceneItem], events: Sequence[Event], scores: Sequence[Scores], *, plain: bool = True
) -> list[str]:
    """Lines to print: the items beside the events that detect them, then score curves over time.

    Args:
        items: of the scene, in time order; the last item ends the scene.
        events: all phases of all events, in stream order.
        scores: of every window.
        plain: ASCII only, if the output is no terminal.
    """
    detections = _detections(items, events)
    return [*_table(items, detections), "", *_lanes(items, detections, scores, _PLAIN_BARS if plain else _BARS)]


def judge(items: Sequence[SceneItem], events: Sequence[Event]) -> tuple[bool, list[str]]:
    """Whether each labelled item was detected by exactly one event, without false alerts; and a sentence per finding.

    An event detects an item of its own label if it was decided after the item's start and starts before its end.
    A reopen within the item is no second alert.
    """
    detections = _detections(items, events)
    findings = [_finding(item, [one for one in detections if one.item == item]) for item in items if item.label]
    findings += [(False, _false_alert(one.first)) for one in detections if one.item is None]
    findings += [(False, _false_alert(phase)) for one in detections for phase in _unmatched_reopens(one)]
    return all(good for good, _ in findings), [sentence for _, sentence in findings]


def _detections(items: Sequence[SceneItem], events: Sequence[Event]) -> list[_Detection]:
    """Events, each with all its phases, ordered by their first phases."""
    phases: dict[str, list[Event]] = {}
    for event in events:
        phases.setdefault(event.event_id, []).append(event)
    return [
        _Detection(tuple(group), next((item for item in items if _matches(group[0], item)), None))
        for group in phases.values()
    ]


def _matches(onset: Event, item: SceneItem) -> bool:
    return onset.label == item.label and item.start_s <= onset.decided_s and onset.start_s < item.end_s


def _unmatched_reopens(detection: _Detection) -> list[Event]:
    """Reopens outside the item that the event detects; none of a false alert, which is reported itself."""
    if detection.item is None:
        return []
    reopens = [phase for phase in detection.phases[1:] if phase.phase == "reopen"]
    return [phase for phase in reopens if not _matches(phase, detection.item)]


def _finding(item: SceneItem, detections: list[_Detection]) -> tuple[bool, str]:
    """Whether an item was detected once, and the finding as a sentence."""
    where = f"{item.what} at {clock(item.start_s, 1)}"
    if not detections:
        return False, f"MISSED: {where} was not heard as {item.label}."
    if len(detections) > 1:
        return False, f"TOLD {len(detections)} TIMES: {where}."
    late_s = detections[0].first.decided_s - item.start_s
    return True, f"heard: {where}, {late_s:.1f} s after it began, score {detections[0].first.score:.2f}."


def _false_alert(onset: Event) -> str:
    return f"FALSE ALERT: {onset.label} at {clock(onset.decided_s, 1)}, score {onset.score:.2f}: {onset.reason}"


def _table(items: Sequence[SceneItem], detections: list[_Detection]) -> Iterator[str]:
    """Two columns: each item, and the phases of the events beside it."""
    yield f"{'PUT IN':<{_LEFT_COLUMN}}HEARD"
    beside: dict[int, list[str]] = {}
    for one in detections:
        beside.setdefault(_row(items, one), []).extend(_phase_line(phase) for phase in one.phases)
    for index, item in enumerate(items):
        left = f"{clock(item.start_s, 1):>6} - {clock(item.end_s, 1):>6}  {item.what}"
        lines = beside.get(index, ["-"])
        yield f"{left:<{_LEFT_COLUMN}}{lines[0]}"
        yield from (" " * _LEFT_COLUMN + line for line in lines[1:])


def _row(items: Sequence[SceneItem], detection: _Detection) -> int:
    """Index of the item beside which an event is printed: the item that it detects, else the last that had begun."""
    if detection.item is not None:
        return items.index(detection.item)
    return max((i for i, item in enumerate(items) if item.start_s <= detection.first.decided_s), default=0)


def _phase_line(event: Event) -> str:
    when = clock(event.decided_s, 1)
    if event.phase == "end":
        lasted = "" if event.ended_s is None else f", {clock(event.began_s, 1)} to {clock(event.ended_s, 1)}"
        return f"{when:>6}  {event.label} is over{lasted} ({event.reason})"
    again = "begins" if event.phase == "begin" else "begins again"
    return f"{when:>6}  {event.label} {again}, score {event.score:.2f}"


def _lanes(
    items: Sequence[SceneItem], detections: list[_Detection], scores: Sequence[Scores], bars: str
) -> Iterator[str]:
    """Three lanes for each label, a cell for each second or more: items, scores, alerts."""
    length_s = max([item.end_s for item in items] + [one.end_s for one in scores] + [1.0])
    cell_s = max(1, -int(-length_s // _CELLS))
    cells = -int(-length_s // cell_s)
    yield _ruler(cells, cell_s)
    for label in _labels(items, detections, scores):
        item_spans = [(item.start_s, item.end_s) for item in items if item.label == label]
        alerts = [_alert_span(one, length_s) for one in detections if one.first.label == label]
        yield f"{label + ' put in':<{_LANE_MARGIN}}{_spans(item_spans, cells, cell_s)}"
        yield f"{'score 0 to 1':<{_LANE_MARGIN}}{_curve(label, scores, cells, cell_s, bars)}".rstrip()
        yield f"{'alert':<{_LANE_MARGIN}}{_spans(alerts, cells, cell_s)}"


def _labels(items: Sequence[SceneItem], detections: list[_Detection], scores: Sequence[Scores]) -> list[str]:
    """Every label of items, scores and events, in that order, each once."""
    names = [item.label for item in items if item.label]
    names += [label for one in scores for label in one.probabilities]
    names += [one.first.label for one in detections]
    return list(dict.fromkeys(names))


def _alert_span(detection: _Detection, length_s: float) -> tuple[float, float]:
    """From the decision of the first phase to that of the end, or to the end of the scene."""
    last = detection.phases[-1]
    return detection.first.decided_s, last.decided_s if last.phase == "end" else length_s


def _spans(spans: Sequence[tuple[float, float]], cells: int, cell_s: int) -> str:
    """A lane with `#` in each cell that a span touches."""
    touched = [any(start < (i + 1) * cell_s and end > i * cell_s for start, end in spans) for i in range(cells)]
    return "".join("#" if touch else "." for touch in touched)


def _curve(label: str, scores: Sequence[Scores], cells: int, cell_s: int, bars: str) -> str:
    """A lane with the highest probability among the windows that end in each cell; blank if none does."""
    highest: list[float | None] = [None] * cells
    for one in scores:
        if label in one.probabilities:
            cell = min(max(0, -int(-one.end_s // cell_s) - 1), cells - 1)
            highest[cell] = max(highest[cell] or 0.0, one.probabilities[label])
    return "".join(" " if p is None else bars[min(int(p * len(bars)), len(bars) - 1)] for p in highest)


def _ruler(cells: int, cell_s: int) -> str:
    """Times above the lanes, every tenth cell."""
    marks = "".join(f"{clock(tenth * cell_s, 0):<10}" for tenth in range(0, cells, 10))
    return " " * _LANE_MARGIN + marks.rstrip()
